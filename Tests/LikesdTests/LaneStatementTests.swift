import LikesCore
import LikesProtocol
import LikesRandom
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// The lane's statements as they are sent, run by a real PostgreSQL. One after the other, and with no others: any
/// transaction holds back the least one that is running for all.
@Suite(.serialized) struct LaneStatementTests {
    let database: TestDatabase
    let control: PostgresTester
    let lane: LaneTester

    init() throws {
        database = try PostgresServer.quiet.get().database()
        control = try database.connect()
        lane = try database.lane()
    }

    func like(_ user: Int64, _ id: Int64, type: UInt8 = 0, wanted: Bool = true) -> BatchRow {
        BatchRow(pair: Pair(user: user, item: Item(type: type, id: id)), wanted: wanted)
    }

    func request(
        _ rows: [BatchRow], lane: Int64 = 7, epoch: Int64 = 1, batch: Int64 = 1, journal: [Item]? = nil,
        cutOff: CutOff = .none
    ) -> CommitRequest {
        CommitRequest(
            fence: LaneFence(lane: lane, epoch: epoch), batch: batch, rows: rows,
            journal: journal ?? rows.map(\.pair.item), cutOff: cutOff)
    }

    func counter(_ id: Int64, _ count: Int64, _ version: Int64, type: UInt8 = 0) -> CounterState {
        CounterState(item: Item(type: type, id: id), count: count, version: version)
    }

    func repairs() throws -> [[String]] {
        try control.run("SELECT item_type, item_id, version FROM cache_repairs ORDER BY 1, 2")
    }

    func waitUntilBlocked(_ tester: PostgresTester) throws {
        try control.wait(for: "a lock to block") {
            try !$0.run(
                "SELECT 1 FROM pg_stat_activity WHERE pid = \(tester.processID) AND wait_event_type = 'Lock'"
            ).isEmpty
        }
    }

    // MARK: Fencing

    @Test("A lane that was not there begins at epoch 1, and goes up with each fence.")
    func aNewLaneBeginsAtEpoch1AndGoesUpWithEachFence() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        #expect(try lane.fence(7) == .fenced(LaneState(epoch: 2, batch: 0, changed: [])))
        #expect(try lane.fence(7) == .fenced(LaneState(epoch: 3, batch: 0, changed: [])))
        #expect(try lane.fence(8) == .fenced(nil))
    }

    @Test(
        "A fence waits for the transaction of a dead connection, and says what became of its batch.",
        arguments: [true, false])
    func aFenceWaitsForADeadConnectionAndSaysWhatBecameOfItsBatch(isCommitted: Bool) throws {
        let zombie = try database.lane()
        #expect(try zombie.fence(7) == .fenced(nil))
        #expect(
            try zombie.commit(request([like(1, 5)]))
                == .committed(
                    BatchOutcome(changed: [true], counters: [counter(5, 1, 1)])))
        let rows = [like(3, 5), like(1, 5), like(2, 4)]
        try zombie.connection.run("BEGIN")
        _ = try zombie.commit(request(rows, batch: 2))
        let call = lane.fenceCall(7, rows: rows)
        try lane.send(call)
        try waitUntilBlocked(lane.connection)
        try zombie.connection.run(isCommitted ? "COMMIT" : "ROLLBACK")
        let state =
            isCommitted
            ? LaneState(epoch: 2, batch: 2, changed: [true, false, true])
            : LaneState(epoch: 2, batch: 1, changed: [])
        #expect(try lane.answer(call) == .fenced(state))
    }

    @Test("Behind somebody else's fence a commit and a tend do nothing at all.")
    func behindSomebodyElsesFenceACommitAndATendDoNothing() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let other = try database.lane()
        #expect(try other.fence(7) == .fenced(LaneState(epoch: 2, batch: 0, changed: [])))
        #expect(try lane.commit(request([like(1, 5)], cutOff: .all)) == .fencedOff)
        let tend = TendRequest(
            fence: LaneFence(lane: 7, epoch: 1), repairs: [], mended: [], journal: [Item(type: 0, id: 1)])
        #expect(try lane.perform(.tend(tend)) == .fencedOff)
        #expect(try lane.commit(request([like(1, 5)], lane: 99)) == .fencedOff)
        for table in ["user_likes", "counters", "cache_repairs", "lanes WHERE item_ids <> '{}'"] {
            #expect(try control.run("SELECT * FROM \(table)").isEmpty)
        }
    }

    @Test("A commit that comes while the lane is being fenced waits, and then does nothing.")
    func aCommitThatComesWhileTheLaneIsBeingFencedDoesNothing() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let other = try database.lane()
        try other.connection.run("BEGIN")
        _ = try other.fence(7)
        let call = lane.commitCall(request([like(1, 5), like(2, 5, wanted: false)]))
        try lane.send(call)
        try waitUntilBlocked(lane.connection)
        try other.connection.run("COMMIT")
        #expect(try lane.answer(call) == .fencedOff)
        #expect(try control.run("SELECT * FROM user_likes").isEmpty)
    }

    // MARK: Batches

    @Test("Random batches change what a model says, and their fence tells the same afterwards.")
    func randomBatchesChangeWhatAModelSays() throws {
        // The types' places are not their numbers' order.
        let types = try ItemTypes(["comment", "story", "post"])
        let writer = try database.lane(types)
        #expect(try writer.fence(7) == .fenced(nil))
        var random = SplitMix64(seed: 42)
        var liked: Set<Pair> = []
        var counters: [Item: CounterState] = [:]
        var epoch: Int64 = 1
        for batch in 1...150 {
            var rows: [Pair: Bool] = [:]
            for _ in 0..<Int(random.next() % 60) {
                let item = Item(type: UInt8(random.next() % 3), id: Int64(random.next() % 6))
                rows[Pair(user: Int64(random.next() % 12), item: item)] = random.next() % 2 == 0
            }
            let request = request(
                rows.map { BatchRow(pair: $0.key, wanted: $0.value) }, epoch: epoch, batch: Int64(batch))
            var touched: [Item: Int64] = [:]
            let changed = request.rows.map { row in
                guard liked.contains(row.pair) != row.wanted else { return false }
                if row.wanted { liked.insert(row.pair) } else { liked.remove(row.pair) }
                touched[row.pair.item, default: 0] += row.wanted ? 1 : -1
                return true
            }
            for (item, delta) in touched {
                let old = counters[item] ?? CounterState(item: item, count: 0, version: 0)
                counters[item] = CounterState(item: item, count: old.count + delta, version: old.version + 1)
            }
            let expected = touched.keys.compactMap { counters[$0] }
                .sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
            #expect(
                try writer.commit(request)
                    == .committed(BatchOutcome(changed: changed, counters: expected)))
            epoch += 1
            #expect(
                try writer.fence(7, rows: request.rows)
                    == .fenced(LaneState(epoch: epoch, batch: Int64(batch), changed: changed)))
        }
        #expect(
            try writer.fence(7, rows: Array(repeating: like(1, 1), count: 99))
                == .fenced(LaneState(epoch: epoch + 1, batch: 150, changed: [])))
    }

    @Test("Hosts that write the same items at once neither deadlock nor miscount, cut off from Redis or not.")
    func hostsThatWriteTheSameItemsNeitherDeadlockNorMiscount() async throws {
        let database = database
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...4 as ClosedRange<Int64> {
                group.addTask {
                    let lane = try database.lane()
                    _ = try lane.fence(number)
                    var random = SplitMix64(seed: UInt64(number))
                    for batch in 1...60 as ClosedRange<Int64> {
                        var rows: [Pair: Bool] = [:]
                        for _ in 0..<30 {
                            let item = Item(type: UInt8(random.next() % 3), id: Int64(random.next() % 8))
                            rows[Pair(user: Int64(random.next() % 10), item: item)] = random.next() % 2 == 0
                        }
                        let fence = LaneFence(lane: number, epoch: 1)
                        let request = CommitRequest(
                            fence: fence, batch: batch,
                            rows: rows.map { BatchRow(pair: $0.key, wanted: $0.value) },
                            journal: rows.keys.map(\.item), cutOff: batch % 2 == 0 ? .all : .none)
                        guard case .committed(let outcome) = try lane.commit(request) else {
                            throw Failure(text: "not committed")
                        }
                        let tend = TendRequest(
                            fence: fence, repairs: batch % 3 == 0 ? rows.keys.map(\.item) : [],
                            mended: outcome.counters.map { MendedRow(item: $0.item, version: $0.version) }, journal: [])
                        guard try lane.perform(.tend(tend)) == .tended(settledUpTo: nil) else {
                            throw Failure(text: "not tended")
                        }
                        _ = try lane.survey(number)
                    }
                }
            }
            try await group.waitForAll()
        }
        let wrong = try control.run(
            """
            SELECT item_id, item_type FROM counters LEFT JOIN (
                SELECT item_id, item_type, count(*) AS likes FROM user_likes GROUP BY 1, 2) AS counted
                USING (item_id, item_type)
            WHERE like_count <> coalesce(likes, 0)
            """)
        #expect(wrong.isEmpty)
    }

    @Test("What a constraint of the database's owner refuses is said to be the rows' fault, and nothing is kept.")
    func whatAConstraintRefusesIsSaidToBeTheRowsFault() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        try control.run("ALTER TABLE user_likes ADD CHECK (user_id <> 13)")
        let error = #expect(throws: Failure.self) { try lane.commit(request([like(1, 5), like(13, 5)])) }
        #expect(error?.text.hasPrefix("rows(") == true)
        #expect(try lane.fence(7) == .fenced(LaneState(epoch: 2, batch: 0, changed: [])))
    }

    // MARK: The journal and the repairs

    @Test("The journal is kept with the batch; what a host that is cut off changed becomes repairs.")
    func theJournalIsKeptWithTheBatch() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let journal = [Item(type: 0, id: 5), Item(type: 2, id: 9)]
        _ = try lane.commit(request([like(1, 5)], journal: journal))
        #expect(
            try control.run("SELECT batch, changed, item_ids, item_types FROM lanes")
                == [["1", "1", "{5,9}", "{1,3}"]])
        #expect(try repairs().isEmpty)
        _ = try lane.commit(
            request([like(1, 5), like(2, 5), like(1, 4, type: 2)], batch: 2, journal: [], cutOff: .all))
        #expect(try control.run("SELECT item_ids, item_types FROM lanes") == [["{}", "{}"]])
        #expect(try repairs() == [["1", "5", "2"], ["3", "4", "1"]])
        _ = try lane.commit(request([like(1, 5)], batch: 3, cutOff: .all))
        #expect(try repairs() == [["1", "5", "2"], ["3", "4", "1"]])
    }

    @Test("Where only some of Redis cannot be written, what changed of those items becomes repairs, and nothing else.")
    func whatChangedOfTheItemsThatAreCutOffBecomesRepairs() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let rows = [like(1, 5), like(1, 6), like(1, 5, type: 2), like(1, 7)]
        let cutOff: Set<Item> = [Item(type: 0, id: 5), Item(type: 0, id: 7), Item(type: 0, id: 8)]
        _ = try lane.commit(request(rows, cutOff: .some(cutOff)))
        #expect(try repairs() == [["1", "5", "1"], ["1", "7", "1"]])
        _ = try lane.commit(request(rows, batch: 2, cutOff: .some(cutOff)))
        #expect(try repairs() == [["1", "5", "1"], ["1", "7", "1"]], "nothing changed")
    }

    @Test("Tending notes repairs with the version the database has, and removes those that are done up to a version.")
    func tendingNotesRepairsAndRemovesThoseThatAreDone() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        for batch in 1...3 as ClosedRange<Int64> {
            _ = try lane.commit(
                request([like(batch, 1), like(batch, 2), like(batch, 3)], batch: batch, cutOff: .all))
        }
        #expect(try repairs() == [["1", "1", "3"], ["1", "2", "3"], ["1", "3", "3"]])
        let fence = LaneFence(lane: 7, epoch: 1)
        let mended = [(1, 2), (2, 3), (3, 9), (4, 1)].map { MendedRow(item: Item(type: 0, id: $0), version: $1) }
        let items = [Item(type: 0, id: 3), Item(type: 1, id: 77)]
        let request = TendRequest(fence: fence, repairs: items, mended: mended, journal: [items[0]])
        #expect(try lane.perform(.tend(request)) == .tended(settledUpTo: nil))
        // 1: mended at an older version. 3: noted again. 77: the database has no counter of it.
        #expect(try repairs() == [["1", "1", "3"], ["1", "3", "3"]])
        #expect(try control.run("SELECT item_ids, item_types, batch FROM lanes") == [["{3}", "{1}", "3"]])
    }

    @Test("A repair that was seen goes whatever its version, unless it was noted again since.")
    func aRepairThatWasSeenGoesUnlessItWasNotedAgain() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        let items = (1...2).map { Item(type: 0, id: $0) }
        let fence = LaneFence(lane: 7, epoch: 1)
        _ = try lane.commit(request([like(1, 1), like(1, 2)], batch: 1, cutOff: .all))
        // As a past left them that is over.
        try control.run("UPDATE cache_repairs SET version = 9")
        let seen = try lane.repairs(RepairSelect(after: RepairCursor(begin: 0))).rows
        _ = try lane.commit(request([like(2, 2)], batch: 2, cutOff: .all))
        #expect(try repairs() == [["1", "1", "9"], ["1", "2", "9"]])
        let mended = seen.map { MendedRow(item: $0.item, version: 1, notedBy: $0.notedBy) }
        let tend = TendRequest(fence: fence, repairs: [], mended: mended, journal: [])
        #expect(seen.map(\.item) == items)
        #expect(try lane.perform(.tend(tend)) == .tended(settledUpTo: nil))
        #expect(try repairs() == [["1", "2", "9"]])
    }

    @Test("A lane that fell silent with a journal is fenced, and its journal becomes repairs.")
    func aLaneThatFellSilentIsFencedAndItsJournalBecomesRepairs() throws {
        for number in 1...4 as ClosedRange<Int64> {
            let other = try database.lane()
            #expect(try other.fence(number) == .fenced(nil))
            _ = try other.commit(request([like(number, 5), like(number, number * 100)], lane: number))
        }
        let nothing = TendRequest(fence: LaneFence(lane: 4, epoch: 1), repairs: [], mended: [], journal: [])
        #expect(try lane.perform(.tend(nothing)) == .tended(settledUpTo: nil))
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '16 s' WHERE lane IN (1, 2, 4)")
        let holder = try database.connect()
        try holder.run("BEGIN")
        try holder.run("SELECT FROM lanes WHERE lane = 2 FOR UPDATE")
        #expect(try lane.survey().silentLanesFenced == 1)
        #expect(
            try control.run("SELECT lane, epoch, item_ids FROM lanes ORDER BY 1")
                == [["1", "2", "{}"], ["2", "1", "{5,200}"], ["3", "1", "{5,300}"], ["4", "1", "{}"]])
        #expect(try repairs() == [["1", "5", "4"], ["1", "100", "1"]])
        #expect(try lane.commit(request([like(9, 9)], lane: 1, batch: 2)) == .fencedOff)
        try holder.run("ROLLBACK")
        #expect(try lane.survey().silentLanesFenced == 1)
        #expect(try lane.survey().silentLanesFenced == 0)
        #expect(try repairs() == [["1", "5", "4"], ["1", "100", "1"], ["1", "200", "1"]])
    }

    @Test("However many lanes fell silent, so many are fenced at a time as the statement has time for.")
    func onlySoManySilentLanesAreFencedAtATime() throws {
        let silent = Limits.standard.lanesPerSurvey * 2 + 1
        try control.run(
            """
            INSERT INTO lanes (lane, item_ids, item_types)
            SELECT lane, ARRAY[lane], '{1}' FROM generate_series(1, \(silent)) AS lane
            """)
        try control.run(
            """
            INSERT INTO likesd_hosts (lane, seen_at)
            SELECT lane, now() - interval '16 s' FROM generate_series(1, \(silent)) AS lane
            """)
        try control.run(
            "INSERT INTO counters (item_id, item_type) SELECT id, 1 FROM generate_series(1, \(silent)) AS id")
        #expect(try lane.survey().silentLanesFenced == Limits.standard.lanesPerSurvey)
        #expect(try repairs().count == Limits.standard.lanesPerSurvey)
        #expect(try lane.survey().silentLanesFenced == Limits.standard.lanesPerSurvey)
        #expect(try lane.survey().silentLanesFenced == 1)
        #expect(try repairs().count == silent)
    }

    @Test("A lane gets a new number with its journal; what runs under the old one does nothing.")
    func aLaneGetsANewNumberWithItsJournal() throws {
        #expect(try lane.fence(7) == .fenced(nil))
        _ = try lane.commit(request([like(1, 5)], journal: [Item(type: 0, id: 5)]))
        #expect(try lane.fence(8, former: 7) == .fenced(nil))
        #expect(try control.run("SELECT lane, epoch, item_ids FROM lanes") == [["8", "1", "{5}"]])
        #expect(try control.run("SELECT lane FROM likesd_hosts") == [["8"]])
        #expect(try lane.commit(request([like(2, 5)], batch: 2)) == .fencedOff)
        // Its answer was lost: it is fenced once more.
        #expect(try lane.fence(8, former: 7) == .fenced(LaneState(epoch: 2, batch: 0, changed: [])))
    }
}
