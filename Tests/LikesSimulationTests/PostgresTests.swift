import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage
import Testing

/// The simulated PostgreSQL by itself: a test sends statements and lets them go on one by one.
private struct Database {
    let scheduler = Scheduler(seed: 1)
    let plan: Plan
    let postgres: Postgres

    init() {
        var plan = Plan(seed: 1)
        plan.poisonedPair = nil
        self.plan = plan
        postgres = Postgres(scheduler: scheduler, plan: plan, safeguards: Safeguards())
    }

    func connect(_ connection: Int32) {
        postgres.receive(.hello(node: nil), on: connection, backend: .lane, host: Int(connection))
    }

    func send(_ request: LaneRequest, _ connection: Int32, call: CallID = 1) {
        postgres.receive(.lane(call, request), on: connection, backend: .lane, host: Int(connection))
    }

    func pair(_ user: Int64, _ item: Int) -> Pair { Pair(user: user, item: plan.items[item]) }

    func commit(lane: Int64, epoch: Int64 = 1, batch: Int64 = 1, _ rows: [BatchRow]) -> LaneRequest {
        .commit(
            CommitRequest(
                fence: LaneFence(lane: lane, epoch: epoch), batch: batch, rows: rows, journal: [], cutOff: .none))
    }

    /// Handles events until there are none, or `until` holds.
    func run(until isDone: () -> Bool = { false }) {
        while !isDone(), let event = scheduler.advance() {
            switch event.kind {
            case .statementStep: postgres.step(event.a, event.b)
            case .lockTimeout: postgres.lockTimeout(event.a, event.b)
            case .statementTimeout: postgres.statementTimeout(event.a, event.b)
            default: break
            }
        }
    }

    func answers(_ connection: Int32) -> [LaneAnswer] {
        postgres.outbox.compactMap {
            if $0.connection == connection, case .lane(_, let answer) = $0.message { answer } else { nil }
        }
    }
}

@Suite struct PostgresTests {
    @Test("A batch changes what is not so yet, and counts it")
    func aBatchChangesWhatIsNotSoYet() throws {
        let database = Database()
        database.connect(1)
        database.send(.fence(FenceRequest(lane: 7, former: nil, rows: [])), 1)
        let rows = [
            BatchRow(pair: database.pair(1, 0), wanted: true), BatchRow(pair: database.pair(2, 0), wanted: false),
        ]
        database.send(database.commit(lane: 7, rows), 1)
        database.run()
        guard case .committed(let outcome)? = database.answers(1).last else {
            Issue.record("not committed")
            return
        }
        #expect(outcome.changed == [true, false])
        let told = ToldCount.told(likes: 1, commit: 1, database: 0)
        #expect(outcome.counters == [CounterState(item: database.plan.items[0], count: told, version: 1)])
        #expect(database.postgres.state.lanes.map(\.batch) == [1])
    }

    @Test("A fence waits for the zombie's transaction, and tells what it changed; a later zombie does nothing")
    func aFenceWaitsForTheZombiesTransactionAndTellsWhatItChanged() throws {
        let database = Database()
        database.connect(1)
        database.send(.fence(FenceRequest(lane: 7, former: nil, rows: [])), 1)
        database.run()
        let rows = [BatchRow(pair: database.pair(1, 0), wanted: true)]
        database.send(database.commit(lane: 7, rows), 1)
        database.send(database.commit(lane: 7, batch: 2, [BatchRow(pair: database.pair(1, 0), wanted: false)]), 1)
        // Two steps in, the zombie has its lane's row; then its client goes.
        for _ in 0..<2 { if let event = database.scheduler.advance() { database.postgres.step(event.a, event.b) } }
        database.postgres.receive(.end, on: 1, backend: .lane, host: 1)
        database.connect(2)
        database.send(.fence(FenceRequest(lane: 7, former: nil, rows: rows)), 2)
        database.run()
        guard case .fenced(let state?)? = database.answers(2).last else {
            Issue.record("not fenced")
            return
        }
        #expect(state == LaneState(epoch: 2, batch: 1, changed: [true]))
        #expect(database.postgres.state.likes[0] != 0, "the second batch was fenced off")
    }

    @Test("A delete does not see what was inserted after its statement began; an insert does")
    func aDeleteDoesNotSeeWhatWasInsertedAfterItBegan() {
        let database = Database()
        for connection: Int32 in [1, 2] {
            database.connect(connection)
            database.send(
                .fence(FenceRequest(lane: Int64(connection), former: nil, rows: [])),
                connection)
        }
        database.run()
        let pair = database.pair(1, 0)
        database.postgres.hang(2, until: 0)
        database.send(database.commit(lane: 2, [BatchRow(pair: pair, wanted: false)]), 2)
        // Its first step takes the snapshot; it stands still while the other commits.
        var isBegun = false
        database.run {
            defer { isBegun = true }
            return isBegun
        }
        database.postgres.hang(2, until: database.scheduler.now + .seconds(1))
        database.send(database.commit(lane: 1, [BatchRow(pair: pair, wanted: true)]), 1)
        database.run()
        guard case .committed(let outcome)? = database.answers(2).last else {
            Issue.record("not committed")
            return
        }
        #expect(outcome.changed == [false])
        #expect(database.postgres.state.likes[0] != 0)
    }

    @Test("A crash loses what is not committed, and nothing else")
    func aCrashLosesWhatIsNotCommitted() {
        let database = Database()
        database.connect(1)
        database.send(.fence(FenceRequest(lane: 7, former: nil, rows: [])), 1)
        database.send(database.commit(lane: 7, [BatchRow(pair: database.pair(1, 0), wanted: true)]), 1)
        database.run()
        database.send(database.commit(lane: 7, batch: 2, [BatchRow(pair: database.pair(2, 0), wanted: true)]), 1)
        if let event = database.scheduler.advance() { database.postgres.step(event.a, event.b) }
        database.postgres.crash(until: database.scheduler.now + 1)
        database.run()
        #expect(database.postgres.state.counters[0].count == 1)
        #expect(database.postgres.state.lanes.map(\.batch) == [1])
    }

    @Test("A lane whose host fell silent is fenced, and its journal told")
    func aLaneWhoseHostFellSilentIsFenced() {
        let database = Database()
        database.connect(1)
        database.send(.fence(FenceRequest(lane: 7, former: nil, rows: [])), 1)
        let rows = [BatchRow(pair: database.pair(1, 0), wanted: true)]
        let request = CommitRequest(
            fence: LaneFence(lane: 7, epoch: 1), batch: 1, rows: rows, journal: [database.plan.items[0]],
            cutOff: .none)
        database.send(.commit(request), 1)
        database.run()
        // Nothing happens for a while.
        database.scheduler.after(.seconds(16), .clientActs, 0)
        database.run()
        database.connect(2)
        database.send(.survey(SurveyRequest(lane: 9, tokens: [], signOfLife: 1)), 2)
        database.run()
        #expect(database.postgres.state.lanes.map(\.epoch) == [2])
        #expect(database.postgres.state.lanes.first?.journal == [])
        #expect(database.postgres.state.repairs[0]?.version == 1)
    }
}
