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
    /// The second of each is only there for those that some hosts are pointed at.
    var redises: [Redis]
    /// nil: Redis is one server.
    let cluster: Cluster?
    /// By move of slots: its place in `troubles`.
    var openTroubles: [Int: Int] = [:]
    /// By node: the pieces that it takes over.
    var promoted: [Int: [Int]] = [:]
    let databases: [Postgres]
    var redis: Redis { redises[0] }
    var hosts: [Host]
    var clients: [Client] = []
    var wires: [Wire] = []
    package internal(set) var operations: [Operation] = []
    var requestsLeft: Int
    /// Connections that clients have made so far.
    var connectionsCount: Int32 = 0
    /// Faults that wait for a commit, by their place in the plan.
    var armed: [Int] = []
    /// Until then the reference service writes too.
    var referenceUntil: Micros = 0
    /// Until then clients don't change these items.
    var dormantUntil: [Micros]
    package internal(set) var troubles: [Trouble] = []
    /// Answers to COUNT, by how closely they were held: `Bound.Strictness`.
    package internal(set) var countsByStrictness = [Int](repeating: 0, count: Bound.Strictness.allCases.count)
    /// For each operation, found before the checks: it may see what came behind it on its connection.
    var isDisowned: [Bool] = []

    /// The turn of the host whose core was given an event last: its actions are to be performed.
    var pending = Turn(now: Instant(microseconds: 0))
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
        cluster = plan.nodesCount > 0 ? Cluster(scheduler: scheduler, plan: plan, seed: seed) : nil
        redises = (0..<max(2, 2 * plan.nodesCount)).map {
            Redis(scheduler: scheduler, plan: plan, safeguards: safeguards, number: $0)
        }
        if let cluster { for redis in redises { redis.cluster = cluster } }
        databases = (0..<plan.databasesCount).map {
            Postgres(scheduler: scheduler, plan: plan, safeguards: safeguards, number: $0)
        }
        hosts = (0..<plan.hostsCount).map {
            Host(origin: 0, database: $0 % plan.databasesCount, standbys: plan.standbysCount)
        }
        requestsLeft = plan.requestsCount
        dormantUntil = [Micros](repeating: 0, count: plan.items.count)
        operations.reserveCapacity(plan.requestsCount * 2)
        wires.reserveCapacity(256)
    }

    var now: Micros { scheduler.now }

    /// At the other end of a connection.
    private func postgres(at connection: Int32) -> Postgres { databases[Int(wires[Int(connection)].server)] }
    /// That of the host.
    func postgres(of host: Int) -> Postgres { databases[hosts[host].database] }

    /// Runs to the end, or to the first guarantee that is broken.
    package func run() -> Violation? {
        prepare()
        while violation == nil, let event = scheduler.advance(), event.at <= plan.duration {
            eventsCount += 1
            handle(event)
            flushServers()
            for database in databases {
                if let commit = database.lastCommit {
                    database.lastCommit = nil
                    if !armed.isEmpty { strike(after: commit) }
                }
                if let broken = database.violation { fail(broken) }
            }
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
        if cluster != nil {
            scheduler.after(.ms(100), .redisSnapshot, 0)
        } else if plan.takesSnapshots {
            scheduler.after(.seconds(1), .redisSnapshot, 0)
        }
        if plan.savesDatabase { scheduler.after(.seconds(1), .postgresSaves, 0) }
        if plan.databasesCount > 1 { troubles.append(Trouble(scope: .repairs, from: 0, to: plan.duration)) }
    }

    private func handle(_ event: Event) {
        switch event.kind {
        case .arrivesAtServer: arriveAtServer(event.a)
        case .arrivesAtHost: arriveAtHost(event.a)
        case .hostTurn: turn(Int(event.a), event.b)
        case .hostTick: tick(Int(event.a), event.b)
        case .hostStarts: startOrWait(Int(event.a))
        case .statementStep: postgres(at: event.a).step(event.a, event.b)
        case .lockTimeout: postgres(at: event.a).lockTimeout(event.a, event.b)
        case .statementTimeout: postgres(at: event.a).statementTimeout(event.a, event.b)
        case .standbyStep: postgres(at: event.a).standbyStep(event.a)
        case .standbyCloned: databases[Int(event.b)].cloneStandby(Int(event.a))
        case .postgresSaves:
            for database in databases { database.save() }
            scheduler.after(scheduler.chance.between(.ms(200), .seconds(6)), .postgresSaves, 0)
        case .redisJoins: point(Int(event.a), toRedis: 0)
        case .redisResumes: redises[Int(event.a)].resume()
        case .redisReturns, .postgresReturns: break
        case .redisSnapshot: takeSnapshots()
        case .strangerActs: actAsStranger()
        case .referenceWrites: writeAsReference()
        case .referenceCounts: countAsReference(Int(event.a), isUp: event.b == 1)
        case .redisEvicts:
            let redis = redises[Int(event.b)]
            if event.a > 0 { redis.evict(item: Int(event.a) - 1) } else { evict(redis) }
        case .clusterHears: hear(Int(event.a), from: Int(event.b))
        case .clusterAsked: answerAboutCluster(Int(event.a), event.b)
        case .slotIsSet: setSlot(ofMove: Int(event.b), at: Int(event.a))
        case .slotMoves: continueMove(Int(event.a))
        case .nodePromoted: promote(Int(event.a), insteadOf: Int(event.b))
        case .nodeReturns: comeBack(Int(event.a), copies: Int(event.b))
        case .nodeGetsSlots: giveSlots(to: Int(event.a), from: Int(event.b))
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
