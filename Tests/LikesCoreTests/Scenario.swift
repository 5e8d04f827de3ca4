import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

/// Feeds events to a core and keeps what it wants done.
///
/// What no client asked for (identifying Redis, fencing and tending the lane, looking for repairs) is answered at once,
/// as by backends where nothing is amiss, except the kinds in `byHand`.
struct Scenario {
    enum Housekeeping: CaseIterable {
        case identify, fence, tend, survey, check, repairs, fill, beat, marker
    }

    static let identity = DatabaseIdentity(system: "7", timeline: 1)
    static let secret = secret(1)
    static let generation = Generation(server: "run:repl", database: identity, token: "aaaaaaaaaaaa")
        .sealed(by: secret)

    var core: Core
    /// Seals as another host of the same database does.
    var sealer: Sealer
    var now = Instant.ms(1_000)
    var byHand: Set<Housekeeping>
    /// The identity that the lane's server names.
    private(set) var laneIdentity = Scenario.identity
    /// The tokens that other hosts use.
    var tokens: [String] = []
    /// Those among them that were named of late; nil: all.
    var freshTokens: [String]?
    /// The lane of the host that names them.
    var othersLane = SignOfLife.now.lane
    var strayed: [Int64] = []
    /// `Generation.snapshot.next` of the latest data that any of them has used.
    var latest: Int64 = 0
    /// The least transaction that still runs.
    var since: Int64 = 0
    /// The epoch the next fence gives.
    var epoch: Int64 = 1
    /// The batches as they were sent, with fence and journal.
    private(set) var commits: [CommitRequest] = []
    private(set) var actions: [Action] = []
    /// The calls that wait for their answer, in the order they were made, without housekeeping.
    private var waiting: [(call: CallID, backend: Backend, asked: Action)] = []

    init(
        _ change: (inout Configuration) -> Void = { _ in }, up: [Backend]? = nil,
        byHand: Set<Housekeeping> = []
    ) {
        var configuration = Configuration()
        configuration.localCacheEntries = 1_000
        change(&configuration)
        self.byHand = byHand
        sealer = Sealer(configuration.itemTypes)
        _ = sealer.learn(Scenario.secret)
        _ = sealer.learn(seconds: Scenario.seconds(now), askedAt: now, heardAt: now)
        core = Core(
            configuration: configuration,
            versions: VersionFacts(processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252"),
            seed: 7, now: now)
        step { core, turn in core.start(&turn) }
        for backend in up ?? core.settings.backends { connect(backend) }
        actions = actions.filter { if case .connect = $0 { false } else { true } }
    }

    mutating func connect(_ backend: Backend, _ identity: DatabaseIdentity? = Scenario.identity) {
        if backend == .lane, let identity { laneIdentity = identity }
        forgetCalls(of: backend)
        step { core, turn in
            switch backend {
            case .redis(let node): core.redisConnected(node, &turn)
            case .subscriber(let node): core.subscriberConnected(node, &turn)
            case .lane, .reader:
                core.databaseConnected(
                    backend, DatabaseFacts(identity: identity, seals: Scenario.seals(turn.now)), &turn)
            case .standby: core.databaseConnected(backend, DatabaseFacts(identity: nil), &turn)
            }
        }
    }

    /// One event, then the end of the turn.
    mutating func step(_ event: (inout Core, inout Turn) -> Void) {
        var turn = Turn(now: now)
        event(&core, &turn)
        core.turnEnded(&turn)
        core.checkInvariants()
        while let place = turn.actions.firstIndex(where: { isHousekeeping($0) }) {
            let action = turn.actions.remove(at: place)
            answer(action, &turn)
            core.turnEnded(&turn)
        }
        for action in turn.actions { keep(action) }
        // No two turns happen at the same moment.
        now.microseconds += 1
    }

    private mutating func keep(_ action: Action) {
        let kept: Action
        switch action {
        case .redis(_, let call, let request): kept = .redis(0, call, stripped(request))
        case .lane(let call, let request):
            if case .commit(let request) = request { commits.append(request) }
            kept = .lane(call, stripped(request))
        case .disconnect(let backend):
            forgetCalls(of: backend)
            kept = action
        case .reader, .standby, .reply, .close, .resume, .beat, .markerKey, .askCluster, .connect, .reload, .configure,
            .log, .stopped:
            kept = action
        }
        actions.append(kept)
        if let call = kept.call { waiting.append((call.id, call.backend, kept.withoutCall)) }
    }

    /// Its connection is gone: nobody answers them any more.
    private mutating func forgetCalls(of backend: Backend) {
        waiting.removeAll { $0.backend == backend }
    }

    /// Without seals.
    private func stripped(_ request: RedisRequest) -> RedisRequest {
        switch request {
        case .writeThrough(let generation, let counters, let recent):
            .writeThrough(generation, counters: strip(counters), recent: recent)
        case .fill(let generation, let counters): .fill(generation, strip(counters))
        case .tell(let generation, let counters, let paceMs): .tell(generation, strip(counters), paceMs: paceMs)
        case .identify, .admit, .readCounters, .drop: request
        }
    }

    /// A batch with its rows alone.
    private func stripped(_ request: LaneRequest) -> LaneRequest {
        guard case .commit(let batch) = request else { return request }
        return .commit(CommitRequest(rows: batch.rows))
    }

    private func strip(_ counters: [SealedCounter]) -> [SealedCounter] { counters.map { unsealed($0.counter) } }

    private func isHousekeeping(_ action: Action) -> Bool {
        switch action {
        case .redis(_, _, .identify): !byHand.contains(.identify)
        case .redis(_, _, .fill): !byHand.contains(.fill)
        case .redis(_, _, .readCounters(_, [])): !byHand.contains(.marker)
        case .lane(_, .fence): !byHand.contains(.fence)
        case .lane(_, .tend): !byHand.contains(.tend)
        case .lane(_, .survey): !byHand.contains(.survey)
        case .lane(_, .checkSchema): !byHand.contains(.check)
        case .reader(_, .selectRepairs): !byHand.contains(.repairs)
        case .beat: !byHand.contains(.beat)
        default: false
        }
    }

    private mutating func answer(_ action: Action, _ turn: inout Turn) {
        switch action {
        case .redis(_, let call, .identify(let request)):
            let past = core.coherence.past
            let known = Generation(
                server: "run:repl", database: past.identity ?? Scenario.identity, era: past.era,
                token: Scenario.generation.token
            ).sealed(by: Scenario.secret)
            let marker = request.new?.generation(on: known.server) ?? known
            let found = FoundMarker(text: marker.marker, server: known.server)
            core.answered(redis: 0, call, RedisAnswer.identified(found), &turn)
        case .redis(_, let call, .fill): core.answered(redis: 0, call, RedisAnswer.filled(kept: []), &turn)
        case .redis(_, let call, .readCounters): core.answered(redis: 0, call, RedisAnswer.countersRead([]), &turn)
        case .lane(let call, .fence(let request)):
            // As if the last batch had not been committed.
            let state = LaneState(
                epoch: epoch, batch: core.lane.unresolved.map { $0.request.batch - 1 } ?? core.lane.row.batch,
                changed: request.rows.map { _ in false })
            core.answered(call, LaneAnswer.fenced(epoch == 1 ? nil : state), &turn)
            epoch += 1
        case .lane(let call, .tend): core.answered(call, LaneAnswer.tended(settledUpTo: nil), &turn)
        case .lane(let call, .survey(let request)):
            core.answered(call, LaneAnswer.surveyed(usualSurvey(request)), &turn)
        case .lane(let call, .checkSchema): core.answered(call, LaneAnswer.schemaChecked(nil), &turn)
        case .reader(let call, .selectRepairs):
            let chunk = RepairRows(rows: [], next: nil, horizon: 1)
            core.answered(call, ReaderAnswer.repairsSelected(chunk), &turn)
        case .beat(let node, let number): core.heardBeat(on: node, number, &turn)
        default: preconditionFailure("not housekeeping")
        }
    }

    /// What a survey finds where nothing is amiss. `request`: what it is the answer to.
    func usualSurvey(_ request: SurveyRequest? = nil) -> Survey {
        Survey(
            silentLanesFenced: 0, identity: laneIdentity, snapshot: DatabaseSnapshot(least: since),
            others: tokens.map { token in
                let isFresh = freshTokens?.contains(token) ?? true
                let sign = SignOfLife(lane: othersLane, ageMs: isFresh ? 0 : Int64(Int32.max))
                return OtherHosts(tokens: [token], signs: [sign])
            },
            latest: latest,
            strayed: strayed.map {
                WrittenTo(transaction: $0, servers: ["another"], surveyed: request?.servers ?? [])
            },
            signOfLife: (request?.signOfLife ?? 1) - 1, seals: Scenario.seals(now))
    }

    mutating func open() throws -> ConnectionID {
        let opened = core.opened(now: now)
        return try #require(opened)
    }

    /// All requests in one turn, as a pipeline.
    mutating func send(_ requests: Request..., on connection: ConnectionID) {
        step { core, turn in
            for request in requests { core.received(request, on: connection, &turn) }
        }
    }

    mutating func lose(_ backend: Backend, _ failure: BackendFailure = .unreachable("gone")) {
        forgetCalls(of: backend)
        step { core, turn in core.lost(backend, failure, &turn) }
    }

    mutating func pass(ms: Int64) {
        now = now.adding(ms: ms)
        // A tick answers only some of many requests whose time is over.
        repeat {
            step { core, turn in core.tick(&turn) }
        } while core.clients.nextDeadline.map { $0 <= now } ?? false
    }

    /// What the core wanted done since the last look, without the log's lines, to be compared.
    mutating func take() -> [Action] { takeWithCalls().map(\.withoutCall) }

    /// As `take`, and each call can be answered.
    mutating func takeWithCalls() -> [Action] {
        defer { actions = [] }
        return actions.filter { if case .log = $0 { false } else { true } }
    }

    mutating func replies(_ connection: ConnectionID) -> [Reply] {
        take().compactMap { if case .reply(connection, let reply) = $0 { reply } else { nil } }
    }

    // MARK: Calls and their answers

    /// The one call that asked this and waits for its answer, for a test that answers it later, or one of several.
    func call(_ asked: Action, sourceLocation: SourceLocation = #_sourceLocation) throws -> CallID {
        let calls = waiting.filter { $0.asked == asked }
        try #require(
            calls.count == 1, "calls that ask \(asked): \(calls.count) of \(waiting)", sourceLocation: sourceLocation)
        return calls[0].call
    }

    /// Answers this call; without one, the one call that waits for such an answer.
    mutating func answer(_ call: CallID?, _ answer: RedisAnswer, sourceLocation: SourceLocation) {
        guard let call = taken(call, of: .redis, sourceLocation, where: { answer.fits($0) }) else { return }
        step { core, turn in core.answered(redis: 0, call, answer, &turn) }
    }

    mutating func answer(_ call: CallID?, _ answer: LaneAnswer, sourceLocation: SourceLocation) {
        guard let call = taken(call, of: .lane, sourceLocation, where: { answer.fits($0) }) else { return }
        step { core, turn in core.answered(call, answer, &turn) }
    }

    mutating func answer(_ call: CallID?, _ answer: ReaderAnswer, sourceLocation: SourceLocation) {
        guard let call = taken(call, of: .reader, sourceLocation, where: { answer.fits($0) }) else { return }
        step { core, turn in core.answered(call, answer, &turn) }
    }

    mutating func answer(
        _ call: CallID?, _ answer: StandbyAnswer, of place: Int, sourceLocation: SourceLocation
    ) {
        let fits = { (asked: Action) in if case .standby(place, _, _) = asked { true } else { false } }
        guard let call = taken(call, of: .standby(place), sourceLocation, where: fits) else { return }
        step { core, turn in core.answered(standby: place, call, answer, &turn) }
    }

    /// A call that is named may be one that the core has given up: its answer comes too late.
    private mutating func taken(
        _ call: CallID?, of backend: Backend, _ sourceLocation: SourceLocation, where fits: (Action) -> Bool
    ) -> CallID? {
        let calls = call.map { [$0] } ?? waiting.filter { fits($0.asked) }.map(\.call)
        guard let found = calls.first, calls.count == 1, found != Action.noCall else {
            Issue.record("\(calls.count) calls wait for such an answer, of \(waiting)", sourceLocation: sourceLocation)
            return nil
        }
        waiting.removeAll { $0.backend == backend && $0.call == found }
        return found
    }
}

extension SignOfLife {
    static let now = SignOfLife(lane: 0x7777_7777_0000, ageMs: 0)
}

extension CommitRequest {
    init(rows: [BatchRow]) {
        self.init(fence: LaneFence(lane: 0, epoch: 0), batch: 0, rows: rows, journal: [], cutOff: .none)
    }
}

let post = Item(type: 0, id: 456)
let other = Item(type: 0, id: 789)
let ann = Pair(user: 1, item: post)
let bob = Pair(user: 2, item: post)

func counter(_ item: Item, _ count: Int64, _ version: Int64) -> CounterState {
    CounterState(item: item, count: count, version: version)
}

/// The first chunk of a pass over the whole table.
let allRepairs = RepairSelect(after: RepairCursor(begin: 0))

extension RepairRow {
    init(item: Item, version: Int64) { self.init(item: item, version: version, notedBy: 1) }
}
