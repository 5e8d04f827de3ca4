import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage
import Testing

/// The simulated PostgreSQL with one standby that answers counts.
private struct Servers {
    let scheduler = Scheduler(seed: 1)
    let plan: Plan
    let postgres: Postgres
    static let lane: Int64 = 7

    init() {
        var plan = Plan(seed: 1)
        plan.poisonedPair = nil
        plan.standbyPaces = [(.ms(20), .ms(40))]
        self.plan = plan
        postgres = Postgres(scheduler: scheduler, plan: plan, safeguards: Safeguards())
        connect()
    }

    /// The lane with its row, the reader and the standby.
    func connect() {
        postgres.receive(.hello(node: nil), on: 1, backend: .lane, host: 0)
        postgres.receive(.hello(node: nil), on: 2, backend: .reader, host: 0)
        postgres.receive(.hello(node: nil), on: 3, standby: 0)
        let request = FenceRequest(lane: Servers.lane, former: nil, rows: [])
        postgres.receive(.lane(1, .fence(request)), on: 1, backend: .lane, host: 0)
        run()
    }

    func like(_ user: Int64, batch: Int64, epoch: Int64 = 1) {
        let rows = [BatchRow(pair: Pair(user: user, item: plan.items[0]), wanted: true)]
        let request = CommitRequest(
            fence: LaneFence(lane: Servers.lane, epoch: epoch), batch: batch, rows: rows, journal: [], cutOff: .none)
        postgres.receive(.lane(2, .commit(request)), on: 1, backend: .lane, host: 0)
        run()
    }

    func position() throws -> LogPosition {
        postgres.receive(.reader(1, .selectPosition(lane: Servers.lane)), on: 2, backend: .reader, host: 0)
        run()
        guard case .reader(_, .positionSelected(let position, _))? = postgres.outbox.last?.message else {
            throw NoAnswer()
        }
        return position
    }

    func askStandby() throws -> (log: ReplayedLog, counter: CounterState) {
        let request = StandbyRequest.selectCounters([plan.items[0]], lane: Servers.lane)
        postgres.receive(.standby(1, request), on: 3, standby: 0)
        run()
        guard case .standby(_, .countersSelected(let log?, let counters))? = postgres.outbox.last?.message else {
            throw NoAnswer()
        }
        return (log, try #require(counters.first))
    }

    struct NoAnswer: Error {}

    func pass(_ time: Micros) {
        scheduler.after(time, .clientActs, 0)
        run()
    }

    /// Handles what is due until nothing is, but for statements' timeouts.
    private func run() {
        while let event = scheduler.advance() {
            switch event.kind {
            case .statementStep: postgres.step(event.a, event.b)
            case .standbyStep: postgres.standbyStep(event.a)
            default: break
            }
        }
    }
}

@Suite struct StandbyTests {
    @Test("A standby shows what was committed before a position that it has replayed, and the lane's epoch")
    func aStandbyShowsWhatWasCommittedBeforeAPositionThatItHasReplayed() throws {
        let servers = Servers()
        servers.like(1, batch: 1)
        let position = try servers.position()
        servers.pass(.ms(100))
        let (log, counter) = try servers.askStandby()
        #expect(log.position >= position)
        #expect(log.epoch == 1)
        #expect(counter.version == 1)
    }

    @Test("A standby that is ahead of where its primary's log goes on keeps its own past")
    func aStandbyThatIsAheadKeepsItsOwnPast() throws {
        let servers = Servers()
        servers.postgres.save()
        servers.like(1, batch: 1)
        servers.like(2, batch: 2)
        servers.pass(.ms(100))
        let before = try servers.askStandby()
        #expect(before.counter.version == 2)
        servers.postgres.goBack(until: servers.scheduler.now)
        servers.postgres.outbox.removeAll()
        servers.connect()
        servers.like(3, batch: 1, epoch: 2)
        servers.pass(.ms(100))
        let after = try servers.askStandby()
        #expect(after == before)
        #expect(try servers.position() != after.log.position)
    }

    @Test("Whatever becomes of standbys, no guarantee is broken, and counts come from them", arguments: 0..<4)
    func whateverBecomesOfStandbysNoGuaranteeIsBroken(chunk: UInt64) throws {
        let focus = try #require(Focus.on("standbys"))
        var taken: Int64 = 0
        for seed in (chunk * 25)..<(chunk * 25 + 25) {
            let simulation = Simulation(seed: seed, focus: focus)
            if let violation = simulation.run() {
                Issue.record("seed \(seed): \(violation.rule): \(violation.text); focus standbys")
            }
            taken += simulation.standbyCounts.answered
        }
        #expect(taken > 100)
    }
}
