import LikesCore
import LikesProtocol

/// Several hosts, their clients, one PostgreSQL and one Redis, in virtual time: a whole run from one seed. The
/// same seed
/// is the same run.
package final class Simulation {
    package let seed: UInt64
    package let plan: Plan
    let safeguards: Safeguards
    let scheduler: Scheduler
    let redis: Redis
    let postgres: Postgres
    var hosts: [Host]
    var clients: [Client] = []
    var wires: [Wire] = []
    package internal(set) var operations: [Operation] = []
    var requestsLeft: Int
    /// Connections that clients have made so far.
    var connectionsCount: Int32 = 0
    /// Faults that wait for a commit, by their place in the plan.
    var armed: [Int] = []
    /// Until then clients don't change these items.
    var dormantUntil: [Micros]
    package internal(set) var troubles: [Trouble] = []
    /// For each operation, found before the checks: it may see what came behind it on its connection.
    var isDisowned: [Bool] = []

    /// The core's actions, to be performed, and those that are.
    var actions: [Action] = []
    var running: [Action] = []

    package private(set) var violation: Violation?
    /// What happened, kept only to be printed.
    package internal(set) var notes: [Note] = []
    let isTracing: Bool
    package private(set) var eventsCount = 0
    package var coverage: Coverage { scheduler.coverage }

    static let versions = VersionFacts(
        processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252")

    package init(
        seed: UInt64, safeguards: Safeguards = Safeguards(), focus: Focus? = nil, isTracing: Bool = false
    ) {
        self.seed = seed
        self.isTracing = isTracing
        self.safeguards = safeguards
        let plan = Plan(seed: seed, focus: focus)
        self.plan = plan
        let scheduler = Scheduler(seed: seed)
        self.scheduler = scheduler
        redis = Redis(scheduler: scheduler, plan: plan, safeguards: safeguards)
        postgres = Postgres(scheduler: scheduler, plan: plan, safeguards: safeguards)
        hosts = (0..<plan.hostsCount).map { _ in Host(origin: 0) }
        requestsLeft = plan.requestsCount
        dormantUntil = [Micros](repeating: 0, count: plan.items.count)
        operations.reserveCapacity(plan.requestsCount * 2)
        wires.reserveCapacity(256)
    }

    var now: Micros { scheduler.now }

    /// Runs to the end, or to the first guarantee that is broken.
    package func run() -> Violation? {
        prepare()
        while violation == nil, let event = scheduler.advance(), event.at <= plan.duration {
            eventsCount += 1
            handle(event)
            flushServers()
            if let commit = postgres.lastCommit {
                postgres.lastCommit = nil
                if !armed.isEmpty { strike(after: commit) }
            }
            if let broken = postgres.violation { fail(broken) }
        }
        if violation == nil { checkEnd() }
        if violation == nil { checkHistory() }
        return violation
    }

    private func prepare() {
        for host in hosts.indices {
            scheduler.after(scheduler.chance.skewed(0, .seconds(1)), .hostStarts, Int32(host))
        }
        makeClients()
        for (place, fault) in plan.faults.enumerated() { scheduler.at(fault.at, .faultBegins, Int32(place)) }
        if plan.takesSnapshots { scheduler.after(.seconds(1), .redisSnapshot, 0) }
    }

    private func handle(_ event: Event) {
        switch event.kind {
        case .arrivesAtServer: arriveAtServer(event.a)
        case .arrivesAtHost: arriveAtHost(event.a)
        case .hostTurn: turn(Int(event.a), event.b)
        case .hostTick: tick(Int(event.a), event.b)
        case .hostStarts: startOrWait(Int(event.a))
        case .statementStep: postgres.step(event.a, event.b)
        case .lockTimeout: postgres.lockTimeout(event.a, event.b)
        case .statementTimeout: postgres.statementTimeout(event.a, event.b)
        case .redisResumes: redis.resume()
        case .redisReturns, .postgresReturns: break
        case .redisSnapshot:
            redis.takeSnapshot()
            scheduler.after(scheduler.chance.between(.ms(200), .seconds(4)), .redisSnapshot, 0)
        case .redisEvicts: if event.a > 0 { redis.evict(item: Int(event.a) - 1) } else { evict() }
        case .clientActs: act(Int(event.a))
        case .auditor: audit(Int(event.a))
        case .faultBegins:
            let place = Int(event.a)
            if event.b == 1 { begin(plan.faults[place]) } else { prepare(plan.faults[place], place) }
        }
    }

    func fail(_ broken: Violation) {
        if violation == nil { violation = broken }
    }

    func note(_ note: @autoclosure () -> Note.What) {
        if isTracing { notes.append(Note(at: now, what: note())) }
    }
}
