import LikesCore
import LikesProtocol
import LikesRandom
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// The batch's changes of `user_likes`, in one table and in partitions: what they do, and the plan that keeps the order
/// of locks.
@Suite struct LayoutTests {
    static let layouts = [0, 4]

    private func row(_ user: Int64, _ id: Int64, wanted: Bool) -> BatchRow {
        BatchRow(pair: Pair(user: user, item: Item(type: 0, id: id)), wanted: wanted)
    }

    private func request(_ rows: [BatchRow], lane: Int64 = 7, batch: Int64 = 1) -> CommitRequest {
        CommitRequest(
            fence: LaneFence(lane: lane, epoch: 1), batch: batch, rows: rows, journal: [], cutOff: .none)
    }

    // MARK: Effects

    @Test("An unlike takes away its own like alone, wherever others stand.", arguments: layouts)
    func anUnlikeTakesAwayItsOwnLikeAlone(partitions: Int) throws {
        let database = try PostgresServer.shared.get().database(partitions: partitions)
        let control = try database.connect()
        let lane = try database.lane()
        _ = try lane.fence(7)
        // The first row of every partition has the same place in it.
        _ = try lane.commit(request((1...40).map { row($0, 5, wanted: true) }))
        let unliked = try lane.commit(request([row(3, 5, wanted: false), row(99, 5, wanted: false)], batch: 2))
        let counter = CounterState(item: Item(type: 0, id: 5), count: 39, version: 2)
        #expect(unliked == .committed(BatchOutcome(changed: [true, false], counters: [counter])))
        let left = try control.run("SELECT count(*), count(*) FILTER (WHERE user_id = 3) FROM user_likes")
        #expect(left == [["39", "0"]])
    }

    @Test(
        "Sessions that like and unlike the same pairs in opposite orders neither deadlock nor miscount.",
        arguments: layouts)
    func sessionsInOppositeOrdersNeitherDeadlockNorMiscount(partitions: Int) async throws {
        let database = try PostgresServer.shared.get().database(partitions: partitions)
        let control = try database.connect()
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        let before = try control.run(deadlocks)
        let changed = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...4 as ClosedRange<Int64> {
                group.addTask {
                    let lane = try database.lane()
                    _ = try lane.fence(number)
                    var random = SplitMix64(seed: UInt64(number))
                    var balance = 0
                    for batch in 1...80 as ClosedRange<Int64> {
                        // The batch sorts them: what comes from clients is in any order.
                        let items = [Item(type: 0, id: 1), Item(type: 1, id: 2)]
                        var pairs = (1...24 as ClosedRange<Int64>).flatMap { user in
                            items.map { Pair(user: user, item: $0) }
                        }
                        if number % 2 == 0 { pairs.reverse() }
                        let rows = pairs.map { BatchRow(pair: $0, wanted: random.next() % 2 == 0) }
                        let request = CommitRequest(
                            fence: LaneFence(lane: number, epoch: 1), batch: batch, rows: rows, journal: [],
                            cutOff: .none)
                        guard case .committed(let outcome) = try lane.commit(request) else {
                            throw Failure(text: "not committed")
                        }
                        for (row, didChange) in zip(rows, outcome.changed) where didChange {
                            balance += row.wanted ? 1 : -1
                        }
                    }
                    return balance
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(try control.run("SELECT count(*) FROM user_likes") == [[String(changed)]])
        #expect(try control.run("SELECT sum(like_count) FROM counters") == [[String(changed)]])
        let drift = try control.run(
            """
            SELECT item_id FROM counters WHERE like_count <> (
                SELECT count(*) FROM user_likes AS present WHERE present.item_id = counters.item_id)
            """)
        #expect(drift.isEmpty)
        #expect(try control.run(deadlocks) == before)
    }

    @Test("Without the key a like is an error that speaks of the schema, and no second row.", arguments: layouts)
    func withoutTheKeyALikeIsAnErrorThatSpeaksOfTheSchema(partitions: Int) throws {
        let database = try PostgresServer.shared.get().database(partitions: partitions)
        let control = try database.connect()
        let lane = try database.lane()
        _ = try lane.fence(7)
        _ = try lane.commit(request([row(1, 5, wanted: true)]))
        try control.run("ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey")
        let error = #expect(throws: Failure.self) { try lane.commit(request([row(1, 5, wanted: true)], batch: 2)) }
        #expect(error?.text.hasPrefix("schema(") == true)
        try control.run("ALTER TABLE user_likes ADD PRIMARY KEY (user_id, item_id, item_type) DEFERRABLE")
        let deferred = #expect(throws: Failure.self) { try lane.commit(request([row(1, 5, wanted: true)], batch: 2)) }
        #expect(deferred?.text.hasPrefix("schema(") == true)
        #expect(try control.run("SELECT count(*) FROM user_likes") == [["1"]])
    }

    // MARK: Plans

    /// What the planner may know of the table when the plan is made.
    static let states: [(name: String, statements: [String])] = [
        ("never looked at", []),
        ("analysed while empty", ["ANALYZE user_likes"]),
        ("one row", ["INSERT INTO user_likes VALUES (1, 1, now(), 1)", "ANALYZE user_likes"]),
        (
            "few rows, and further indexes",
            [
                "CREATE INDEX ON user_likes (item_type, item_id, user_id)", "CREATE INDEX ON user_likes (item_id)",
                "INSERT INTO user_likes SELECT n, 1, now(), 1 FROM generate_series(1, 9) AS n", "ANALYZE user_likes",
            ]
        ),
        (
            "many rows",
            [
                "INSERT INTO user_likes SELECT n, n % 100, now(), 1 FROM generate_series(1, 100000) AS n",
                "ANALYZE user_likes",
            ]
        ),
        (
            "many rows, all of one user",
            ["INSERT INTO user_likes SELECT 1, n, now(), 1 FROM generate_series(1, 50000) AS n", "ANALYZE user_likes"]
        ),
    ]

    @Test(
        "Unlikes loop over what is wanted, and look each up by its key, whatever the planner knows.",
        arguments: layouts)
    func unlikesLookEachWantedRowUpByItsKey(partitions: Int) throws {
        for state in Self.states {
            let database = try PostgresServer.shared.get().database(partitions: partitions)
            let control = try database.connect()
            for statement in state.statements { try control.run(statement) }
            let lane = try database.lane()
            let hasIndexes = state.statements.contains { $0.hasPrefix("CREATE INDEX") }
            #expect(try isPinned(lane, partitions, anyIndex: hasIndexes), "\(state.name)")
        }
    }

    @Test("A plan made while the table was empty is as good when it is full.", arguments: layouts)
    func aPlanMadeWhileTheTableWasEmptyIsAsGoodWhenItIsFull(partitions: Int) throws {
        let database = try PostgresServer.shared.get().database(partitions: partitions)
        let control = try database.connect()
        try control.run("ANALYZE user_likes")
        let lane = try database.lane()
        #expect(try isPinned(lane, partitions))
        try control.run("INSERT INTO user_likes SELECT n, 1, now(), 1 FROM generate_series(1, 50000) AS n")
        #expect(try isPinned(lane, partitions))
    }

    /// Whether each scan of `user_likes` in the part that deletes is a look-up by the whole key, inside the loop over
    /// what is wanted. `anyIndex`: by a part of another index will do, for the order of locks.
    private func isPinned(_ lane: LaneTester, _ partitions: Int, anyIndex: Bool = false) throws -> Bool {
        let nothing = "'{}', '{}', '{}', '{}', '{}', '{}', 1, 1, 1, '{}', '{}', false, '', '{}', '{}'"
        let lines = try lane.connection.run("EXPLAIN (COSTS OFF) EXECUTE commit(\(nothing))").map { $0[0] }
        let part = Array(lines.drop { !$0.contains("CTE unliked") }.dropFirst().prefix { !$0.hasPrefix("  CTE ") })
        let scans = part.indices.filter { part[$0].contains("Scan") && !part[$0].contains("on fence") }
        guard let outer = scans.first, part[outer].contains("Function Scan on") else { return false }
        let key = ["(user_id = ANY (ARRAY[", "(item_id >= ", "(item_id <= ", "(item_type >= ", "(item_type <= "]
        let isLookedUp = scans.dropFirst().map { place in
            let condition = part[place + 1]
            return part[place].contains("Index Scan using") && condition.contains("Index Cond: ")
                && condition.contains("wanted") && (anyIndex || key.allSatisfy { condition.contains($0) })
        }
        return part.contains { $0.contains("Nested Loop") } && !part.contains { $0.contains("Join Filter") }
            && isLookedUp == Array(repeating: true, count: max(1, partitions))
    }
}
