import CPostgres
import LikesCore
import LikesProtocol
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// What a call on a standby says, run by real servers.
@Suite struct StandbyStatementTests {
    private let database: TestDatabase
    private let control: PostgresTester
    private let item = Item(type: 0, id: 5)

    init() throws {
        database = try PostgresServer.shared.get().database()
        control = try database.connect()
        try control.run("INSERT INTO counters (item_id, item_type, like_count, version) VALUES (5, 1, 0, 1)")
    }

    private static let raise = """
        UPDATE counters SET like_count = like_count + 1, version = version + 1 WHERE item_id = 5
        RETURNING like_count
        """
    private static let end = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint"

    private func call(_ items: [Item], lane: Int64 = 7) -> StandbyCall {
        StandbyCall(id: 1, request: .selectCounters(items, lane: lane))
    }

    /// The end of the primary's log, which the lane is asked for.
    private func position(_ lane: Int64) throws -> (LogPosition, epoch: Int64?) {
        let answer = try database.lane().perform(.selectPosition(lane: lane))
        guard case .positionSelected(let position, let epoch) = answer else { throw Failure(text: "\(answer)") }
        return (position, epoch)
    }

    @Test("A standby's position is never newer than its counts.")
    func aStandbysPositionIsNeverNewerThanItsCounts() throws {
        let standby = try PostgresServer.shared.get().standby()
        let tester = try PipelineTester(standby.database(database))
        try standby.wait(for: control)
        // Where the log ended after each commit, and the count by then.
        var ends: [(position: Int64, count: Int64)] = []
        var answers: [(position: Int64, count: Int64)] = []
        for _ in 0..<400 {
            try control.send(Self.raise)
            let answer = try tester.ask(call([item]))
            let count = try #require(Int64(control.collect()[0][0]))
            ends.append((try #require(Int64(control.run(Self.end)[0][0])), count))
            let log = try #require(answer.log)
            answers.append((log.position, answer.counters[0].count))
        }
        for answer in answers {
            let least = ends.last { $0.position <= answer.position }?.count ?? 0
            #expect(answer.count >= least, "position \(answer.position)")
        }
        // It followed meanwhile.
        #expect(try #require(answers.last).position > ends[0].position)
    }

    @Test("Each statement of a call sees what was committed before it began, although they are one transaction.")
    func eachStatementOfACallSeesWhatWasCommittedBeforeItBegan() throws {
        let (holder, tester) = (try database.connect(), try PipelineTester(database))
        try holder.run("SELECT pg_advisory_lock(1)")
        try tester.send("SELECT pg_advisory_xact_lock(1), pg_current_xact_id()")
        try tester.send(.counters, of: call([item]))
        try tester.sync()
        try control.wait(for: "the first statement to wait") {
            try !$0.run(
                "SELECT 1 FROM pg_stat_activity WHERE pid = \(tester.connection.processID) AND wait_event = 'advisory'"
            ).isEmpty
        }
        try control.run(Self.raise)
        try holder.run("SELECT pg_advisory_unlock(1)")
        var results = 0
        var counters: [CounterState] = []
        try tester.collect { result throws(Misfit) in
            results += 1
            if results == 2 { counters = try result.counters(of: [item]) }
        }
        #expect(counters == [CounterState(item: item, count: 1, version: 2)])
    }

    @Test("A standby has the epoch of a lane once it has replayed the log up to there, and none of another's.")
    func aStandbyHasTheEpochOfALaneOnceItHasReplayedTheLog() throws {
        let lane = try database.lane()
        _ = try lane.fence(7)
        let standby = try PostgresServer.shared.get().standby()
        let tester = try PipelineTester(standby.database(database))
        for epoch in Int64(2)...3 {
            #expect(try lane.fence(7) == .fenced(LaneState(epoch: epoch, batch: 0, changed: [])))
            let end = try position(7)
            #expect(end.epoch == epoch)
            try standby.wait(for: control)
            let answer = try tester.ask(call([]))
            #expect(answer.log?.epoch == epoch)
            #expect(try #require(answer.log).position >= end.0)
            #expect(answer.counters.isEmpty)
        }
        #expect(try tester.ask(call([], lane: 8)).log == ReplayedLog(position: replayed(standby), epoch: nil))
        #expect(try position(8).epoch == nil)
    }

    private func replayed(_ standby: PostgresStandby) throws -> LogPosition {
        let rows = try standby.database(database).connect().run(
            "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint")
        return try #require(Int64(rows[0][0]))
    }

    @Test("A server that takes writes tells no position, before a promotion and after it.")
    func aServerThatTakesWritesTellsNoPosition() throws {
        #expect(try PipelineTester(database).ask(call([item])).log == nil)
        let standby = try PostgresServer.shared.get().standby()
        try standby.wait(for: control)
        let tester = try PipelineTester(standby.database(database))
        #expect(try tester.ask(call([item])).log != nil)
        try standby.database(database).connect().run("SELECT pg_promote()")
        let answer = try tester.ask(call([item]))
        #expect(answer.log == nil)
        #expect(answer.counters == [CounterState(item: item, count: 0, version: 1)])
    }

    @Test("A query that the replay of the log cancels may be asked again.")
    func aQueryThatTheReplayOfTheLogCancelsMayBeAskedAgain() throws {
        let standby = try PostgresServer.shared.get().standby(["-c", "max_standby_streaming_delay=0"])
        try standby.wait(for: control)
        let (reader, other) = (try standby.database(database).connect(), try standby.database(database).connect())
        try reader.send("SELECT pg_sleep(600) FROM counters")
        try other.wait(for: "the query to run") {
            try !$0.run(
                "SELECT 1 FROM pg_stat_activity WHERE pid = \(reader.processID) AND wait_event = 'PgSleep'"
            ).isEmpty
        }
        try control.run("BEGIN; LOCK TABLE counters IN ACCESS EXCLUSIVE MODE; COMMIT")
        let raw = try #require(PQgetResult(reader.connection))
        let result = StatementResult(raw)
        #expect(result.sqlState == "40001")
        guard case .retryable = StatementFailure(result, permission: "") else {
            Issue.record("\(result.message)")
            return
        }
    }

    @Test("A position without a row is a misfit.")
    func aPositionWithoutARowIsAMisfit() throws {
        let tester = try PipelineTester(database)
        try tester.send("SELECT 1::bigint, 2::bigint WHERE false")
        try tester.sync()
        var call = call([])
        #expect(throws: Misfit.self) {
            try tester.collect { result throws(Misfit) in try call.take(result, of: .replayed, types: tester.types) }
        }
    }
}
