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
        database = try PostgresServer.followed.get().database()
        control = try database.connect()
        try control.run("INSERT INTO counters (item_id, item_type, like_count, version) VALUES (5, 1, 0, 1)")
    }

    private func call(_ items: [Item], lane: Int64 = 7) -> StandbyCall {
        StandbyCall(id: 1, request: .selectCounters(items, lane: lane))
    }

    /// The end of the primary's log, which the lane is asked for.
    private func position(_ lane: Int64) throws -> (position: LogPosition, epoch: Int64?) {
        let answer = try database.lane().perform(.selectPosition(lane: lane))
        guard case .positionSelected(let position, let epoch) = answer else { throw Failure(text: "\(answer)") }
        return (position, epoch)
    }

    @Test("A standby's counts are newer than its position, though a call is one transaction.")
    func aStandbysCountsAreNewerThanItsPosition() throws {
        let standby = try PostgresServer.followed.get().standby()
        let tester = try PipelineTester(standby.database(database))
        let (holder, other) = (try standby.database(database).connect(), try standby.database(database).connect())
        try holder.run("SELECT pg_advisory_lock(1)")
        var call = call([item])
        let statements = call.statements
        for (place, statement) in statements.enumerated() {
            if place > 0 { try tester.send("SELECT pg_advisory_xact_lock(1)") }
            try tester.send(statement, of: call)
        }
        try tester.sync()
        try other.wait(for: "the call to stand between its statements") {
            try !$0.run(
                "SELECT 1 FROM pg_stat_activity WHERE pid = \(tester.connection.processID) AND wait_event = 'advisory'"
            ).isEmpty
        }
        try control.run("UPDATE counters SET like_count = 1, version = 2 WHERE item_id = 5")
        let end = try position(7).position
        try standby.wait(for: control)
        try holder.run("SELECT pg_advisory_unlock(1)")
        var results = 0
        try tester.collect { result throws(Misfit) in
            // Every other one is the lock's.
            if results % 2 == 0 { try call.take(result, of: statements[results / 2], types: tester.types) }
            results += 1
        }
        #expect(try #require(call.log).position < end)
        #expect(call.counters == [CounterState(item: item, count: 1, version: 2)])
    }

    @Test("A standby has the epoch of a lane once it has replayed the log up to there, and none of another's.")
    func aStandbyHasTheEpochOfALaneOnceItHasReplayedTheLog() throws {
        let lane = try database.lane()
        _ = try lane.fence(7)
        let standby = try PostgresServer.followed.get().standby()
        let tester = try PipelineTester(standby.database(database))
        for epoch in Int64(2)...3 {
            #expect(try lane.fence(7) == .fenced(LaneState(epoch: epoch, batch: 0, changed: [])))
            let end = try position(7)
            #expect(end.epoch == epoch)
            try standby.wait(for: control)
            let answer = try tester.ask(call([]))
            #expect(answer.log?.epoch == epoch)
            #expect(try #require(answer.log).position >= end.position)
            #expect(answer.counters.isEmpty)
        }
        let before = try replayed(standby)
        let log = try #require(try tester.ask(call([], lane: 8)).log)
        #expect(log.epoch == nil)
        // The primary writes to its log by itself, too.
        #expect(try before...replayed(standby) ~= log.position)
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
        let standby = try PostgresServer.followed.get().standby()
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
        let standby = try PostgresServer.followed.get().standby(["-c", "max_standby_streaming_delay=0"])
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
