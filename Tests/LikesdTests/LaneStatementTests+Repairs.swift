import LikesCore
import LikesProtocol
import LikesSettings
import Testing

@testable import TestSupport
@testable import likesd

// Repairs: read in chunks, noted again, settled and struck off.
extension LaneStatementTests {
    @Test("Repairs are read in chunks, with the counters as they are now; types of other hosts are passed over.")
    func repairsAreReadInChunksWithTheCountersAsTheyAreNow() throws {
        try control.run(
            """
            INSERT INTO counters (item_id, item_type, like_count, version)
            SELECT id, type, id * 2, 9 FROM generate_series(1, 700) AS id, generate_series(1, 4) AS type
            """)
        try control.run(
            """
            INSERT INTO cache_repairs (item_id, item_type, version)
            SELECT id, type, 5 FROM generate_series(1, 700) AS id, generate_series(1, 4) AS type
            """)
        var select = RepairSelect(after: RepairCursor(begin: 0))
        var found: [RepairRow] = []
        var chunks: [RepairRows] = []
        repeat {
            chunks.append(try lane.repairs(select))
            found += chunks[chunks.count - 1].rows
            if let next = chunks[chunks.count - 1].next { select.after = next }
        } while chunks[chunks.count - 1].next != nil
        #expect(chunks.count == 3)
        let expected = (0..<3).flatMap { type in
            (1...700).map { RepairRow(item: Item(type: UInt8(type), id: $0), version: 5, notedBy: 0) }
        }
        #expect(found.map { RepairRow(item: $0.item, version: $0.version, notedBy: 0) } == expected)
        // From that snapshot's horizon on nothing is new.
        let nothing = try lane.repairs(RepairSelect(after: RepairCursor(begin: chunks[0].horizon)))
        #expect(nothing.rows.isEmpty)
        #expect(nothing.next == nil)
        #expect(nothing.horizon >= chunks[0].horizon)
    }

    @Test("A row noted again is found again from the horizon on; one of a transaction that was running then as well.")
    func aRowNotedAgainIsFoundAgainFromTheHorizonOn() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let rows = (1...3).map { like(1, Int64($0)) }
        _ = try lane.commit(request(rows, cutOff: .all))
        let running = try database.lane()
        #expect(try running.fence(8) == .fenced(nil))
        try running.connection.run("BEGIN")
        _ = try running.commit(request([like(1, 9)], lane: 8, cutOff: .all))
        let before = try lane.repairs(RepairSelect(after: RepairCursor(begin: 0)))
        #expect(before.rows.map(\.item.id) == [1, 2, 3])
        _ = try lane.commit(request([like(2, 2)], batch: 2, cutOff: .all))
        let fence = LaneFence(lane: 7, epoch: 1)
        let tend = TendRequest(fence: fence, repairs: [Item(type: 0, id: 3)], mended: [], journal: [])
        #expect(try lane.perform(.tend(tend)) == .tended(settledUpTo: nil))
        try running.connection.run("COMMIT")
        let after = try lane.repairs(RepairSelect(after: RepairCursor(begin: before.horizon)))
        #expect(after.rows.map(\.item.id) == [9, 2, 3])
        #expect(after.rows.map(\.version) == [1, 2, 1])
    }

    @Test("Repairs noted before Redis' data began are struck off, some at a time; those noted later or just now stay.")
    func repairsNotedBeforeRedisDataBeganAreStruckOff() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let count = Limits.standard.tendItemsMax + 100
        try control.run(
            """
            INSERT INTO counters (item_id, item_type, like_count, version)
            SELECT id, 1, 1, 5 FROM generate_series(1, \(count)) AS id
            """)
        for half in [0, 1] {
            try control.run(
                """
                INSERT INTO cache_repairs (item_id, item_type, version)
                SELECT id, 1, 5 FROM generate_series(1, \(count)) AS id WHERE id % 2 = \(half)
                """)
        }
        let horizon = try lane.repairs(RepairSelect(after: RepairCursor(begin: 0))).horizon
        _ = try lane.commit(request([like(1, 900_000)], cutOff: .all))
        #expect(try lane.repairs(RepairSelect(after: RepairCursor(begin: 0), settledBefore: horizon)).hasSettled)
        let locker = try database.connect()
        try locker.run("BEGIN")
        try locker.run("SELECT FROM cache_repairs WHERE item_id = 5 FOR UPDATE")
        var tend = TendRequest(
            fence: LaneFence(lane: 7, epoch: 1), repairs: [Item(type: 0, id: 2)], mended: [], journal: [],
            settled: SettledRepairs(before: horizon))
        guard case .tended(let upTo?) = try lane.perform(.tend(tend)) else {
            Issue.record("all at once")
            return
        }
        #expect(upTo < horizon)
        #expect(try repairs().count == 101)
        tend.repairs = []
        tend.settled = SettledRepairs(from: upTo, before: horizon)
        #expect(try lane.perform(.tend(tend)) == .tended(settledUpTo: nil))
        #expect(try repairs() == [["1", "2", "5"], ["1", "5", "5"], ["1", "900000", "1"]])
        try locker.run("ROLLBACK")
        tend.settled = SettledRepairs(before: horizon)
        #expect(try lane.perform(.tend(tend)) == .tended(settledUpTo: nil))
        #expect(try repairs() == [["1", "2", "5"], ["1", "900000", "1"]])
        #expect(!(try lane.repairs(RepairSelect(after: RepairCursor(begin: 0), settledBefore: horizon)).hasSettled))
    }

    @Test("While a snapshot keeps the dead rows of thousands of repairs, a pass and a tend visit no more pages.")
    func whileASnapshotKeepsDeadRowsAPassVisitsNoMorePages() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        try control.run(
            """
            INSERT INTO counters (item_id, item_type, like_count, version)
            SELECT id, 1, 1, 5 FROM generate_series(1, 60000) AS id
            """)
        try control.run("VACUUM (ANALYZE) counters")
        let holder = try database.connect()
        try holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try holder.run("SELECT count(*) FROM counters")
        let explainer = try database.connect()
        try explainer.run(ConnectionSetup.sessionText(Configuration()))
        try explainer.run("PREPARE pass AS \(ReaderStatements.repairs)")
        try explainer.run("PREPARE tend AS \(LaneStatements.tend)")
        let fence = LaneFence(lane: 7, epoch: 1)
        var begin: Int64 = 0
        var passes: [Int] = []
        var tends: [Int] = []
        for round in 0..<60 as Range<Int64> {
            let items = (1...1_000).map { Item(type: 0, id: round * 1_000 + $0) }
            let note = TendRequest(fence: fence, repairs: items, mended: [], journal: [])
            #expect(try lane.perform(.tend(note)) == .tended(settledUpTo: nil))
            let chunk = try lane.repairs(RepairSelect(after: RepairCursor(begin: begin)))
            #expect(chunk.rows.count == 1_000)
            passes.append(
                try pages(explainer, "pass (\(begin), \(Int16.min), '\(Int64.min)', 0)"))
            begin = chunk.horizon
            // Three of them one by one, in a transaction that is undone; then all.
            let ids = items[..<3].map { String($0.id) }.joined(separator: ",")
            let one = "tend (7, 1, '{}', '{}', '{\(ids)}', '{1,1,1}', '{5,5,5}', '{0,0,0}', '{}', '{}', 0, 0)"
            try explainer.run("BEGIN")
            tends.append(try pages(explainer, one))
            try explainer.run("ROLLBACK")
            let mended = items.map { MendedRow(item: $0, version: 5) }
            let strike = TendRequest(fence: fence, repairs: [], mended: mended, journal: [])
            #expect(try lane.perform(.tend(strike)) == .tended(settledUpTo: nil))
        }
        #expect(try repairs().isEmpty)
        try holder.run("ROLLBACK")
        // The indexes get one level higher.
        #expect((passes.max() ?? 0) <= passes[5] + passes[5] / 4 + 20, "\(passes)")
        #expect((tends.max() ?? 0) <= tends[5] + 10, "\(tends)")
    }

    /// Pages of tables and indexes that a prepared statement looks at.
    func pages(_ tester: PostgresTester, _ statement: String) throws -> Int {
        let lines = try tester.run("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE \(statement)")
        // The first is of the whole statement.
        let line = try #require(lines.map { $0[0] }.first { $0.contains("Buffers: ") })
        return line.split(separator: " ").reduce(0) { sum, word in
            let number = word.split(separator: "=").last.flatMap { Int($0) }
            return sum + (word.hasPrefix("hit=") || word.hasPrefix("read=") ? number ?? 0 : 0)
        }
    }
}
