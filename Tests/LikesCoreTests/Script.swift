import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

/// Feeds events to a core and keeps what it wants done.
///
/// What no client asked for (verifying Redis, fencing and tending the lane, looking for repairs) is answered at once,
/// as by backends where nothing is amiss, except the kinds in `byHand`.
struct Script {
    enum Housekeeping: CaseIterable {
        case verify, fence, tend, survey, check, repairs, fill, beat, look
    }

    static let history = DatabaseHistory(system: "7", timeline: 1)
    static let secret = secret(1)
    static let generation = Generation(server: "run:repl", database: history, token: "aaaaaaaaaaaa")
        .sealed(by: secret)

    var core: Core
    /// Another host's, of the same database.
    var sealer: Sealer
    var now = Instant.ms(1_000)
    var byHand: Set<Housekeeping>
    /// What the lane's server says that it is.
    private(set) var laneHistory = Script.history
    /// The generations that other hosts use.
    var generations: [String] = []
    /// nil: the same.
    var freshGenerations: [String]?
    var strayed: [Int64] = []
    /// Since when the latest data holds that any of them has used.
    var latest: Int64 = 0
    /// The least transaction that still runs.
    var since: Int64 = 0
    /// The epoch the next fence gives.
    var epoch: Int64 = 1
    /// The batches as they were sent, with fence and journal.
    private(set) var commits: [CommitRequest] = []
    private(set) var actions: [Action] = []
    /// The core's number of each call that is no housekeeping, in the order they were made: to a test the first is 1.
    private var calls: [CallID] = [0]

    init(
        _ change: (inout Configuration) -> Void = { _ in }, up: [Backend] = Backend.allCases,
        byHand: Set<Housekeeping> = []
    ) {
        var configuration = Configuration()
        configuration.localCacheEntries = 1_000
        change(&configuration)
        self.byHand = byHand
        sealer = Sealer(configuration.itemTypes)
        _ = sealer.learn(Script.secret)
        _ = sealer.learn(seconds: Script.seconds(now), askedAt: now, heardAt: now)
        core = Core(
            configuration: configuration,
            versions: VersionFacts(processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252"),
            seed: 7, now: now)
        step { core, turn in core.start(&turn) }
        for backend in up { connect(backend) }
        actions = actions.filter { if case .connect = $0 { false } else { true } }
    }

    mutating func connect(_ backend: Backend, _ history: DatabaseHistory? = Script.history) {
        if backend == .lane, let history { laneHistory = history }
        step { core, turn in
            switch backend {
            case .redis: core.redisConnected(&turn)
            case .subscriber: core.subscriberConnected(&turn)
            case .lane, .reader:
                core.databaseConnected(
                    backend, DatabaseFacts(history: history, seals: Script.seals(turn.now)), &turn)
            }
        }
    }

    /// One event, then the end of the turn.
    mutating func step(_ event: (inout Core, inout Turn) -> Void) {
        var turn = Turn(now: now)
        event(&core, &turn)
        core.turnEnded(&turn)
        while let place = turn.actions.firstIndex(where: { isHousekeeping($0) }) {
            let action = turn.actions.remove(at: place)
            answer(action, &turn)
            core.turnEnded(&turn)
        }
        actions += turn.actions.map { numbered($0) }
        // No two turns are at one moment.
        now.microseconds += 1
    }

    /// With the test's number of its call, and a batch with its rows alone.
    private mutating func numbered(_ action: Action) -> Action {
        func number(_ call: CallID) -> CallID {
            calls.append(call)
            return CallID(calls.count - 1)
        }
        switch action {
        case .verify(let call, let request): return .verify(number(call), request)
        case .admit(let call, let entries): return .admit(number(call), entries)
        case .readCounters(let call, let generation, let items): return .readCounters(number(call), generation, items)
        case .writeThrough(let call, let generation, let counters, let recent):
            return .writeThrough(number(call), generation, counters: strip(counters), recent: recent)
        case .fill(let call, let generation, let counters):
            return .fill(number(call), generation, strip(counters))
        case .drop(let call, let generation, let kept): return .drop(number(call), generation, kept)
        case .fence(let call, let request): return .fence(number(call), request)
        case .commit(let call, let request):
            commits.append(request)
            return .commit(number(call), request.rows)
        case .tend(let call, let request): return .tend(number(call), request)
        case .survey(let call, let request): return .survey(number(call), request)
        case .checkSchema(let call): return .checkSchema(number(call))
        case .selectCounters(let call, let items): return .selectCounters(number(call), items)
        case .selectPairs(let call, let pairs): return .selectPairs(number(call), pairs)
        case .selectRepairs(let call, let select): return .selectRepairs(number(call), select)
        case .reply, .close, .resume, .beat, .connect, .disconnect, .reload, .configure, .log, .stopped: return action
        }
    }

    private func strip(_ counters: [SealedCounter]) -> [SealedCounter] { counters.map { unsealed($0.counter) } }

    private func isHousekeeping(_ action: Action) -> Bool {
        switch action {
        case .verify: !byHand.contains(.verify)
        case .fence: !byHand.contains(.fence)
        case .tend: !byHand.contains(.tend)
        case .survey: !byHand.contains(.survey)
        case .checkSchema: !byHand.contains(.check)
        case .selectRepairs: !byHand.contains(.repairs)
        case .fill: !byHand.contains(.fill)
        case .beat: !byHand.contains(.beat)
        case .readCounters(_, _, []): !byHand.contains(.look)
        default: false
        }
    }

    private mutating func answer(_ action: Action, _ turn: inout Turn) {
        switch action {
        case .verify(let call, let request):
            let known = Generation(
                server: "run:repl", database: core.past.history ?? Script.history, era: core.past.era,
                token: Script.generation.token
            ).sealed(by: Script.secret)
            let marker = request.new?.generation(on: known.server) ?? known
            core.verified(call, FoundMarker(text: marker.marker, server: known.server), &turn)
        case .fence(let call, let request):
            // As if the last batch had never come to be committed.
            let state = LaneState(
                epoch: epoch, batch: core.laneRow.unresolved.map { $0.request.batch - 1 } ?? core.laneRow.batch,
                changed: request.rows.map { _ in false })
            core.fenced(call, epoch == 1 ? nil : state, &turn)
            epoch += 1
        case .tend(let call, _): core.tended(call, &turn)
        case .survey(let call, let request): core.surveyed(call, survey(request), &turn)
        case .checkSchema(let call): core.schemaChecked(call, nil, &turn)
        case .selectRepairs(let call, _):
            core.repairsSelected(call, RepairRows(rows: [], next: nil, horizon: 1), &turn)
        case .fill(let call, _, _): core.filled(call, &turn)
        case .beat(let number): core.heardBeat(number, &turn)
        case .readCounters(let call, _, _): core.countersRead(call, [], &turn)
        default: preconditionFailure("not housekeeping")
        }
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

    mutating func lose(_ backend: Backend) {
        step { core, turn in core.lost(backend, .unreachable("gone"), &turn) }
    }

    mutating func pass(ms: Int64) {
        now = now.adding(ms: ms)
        // With many requests whose time is over a tick answers some.
        repeat {
            step { core, turn in core.tick(&turn) }
        } while core.deadlines.first.map { $0.at <= now } ?? false
    }

    /// The actions since the last look, without the log's.
    mutating func take() -> [Action] {
        defer { actions = [] }
        return actions.filter { if case .log = $0 { false } else { true } }
    }

    mutating func replies(_ connection: ConnectionID) -> [Reply] {
        take().compactMap { if case .reply(connection, let reply) = $0 { reply } else { nil } }
    }

    // MARK: Backends that answer

    mutating func admit(_ call: CallID, _ verdicts: [AdmissionVerdict]) {
        let call = calls[Int(call)]
        step { core, turn in core.admitted(call, verdicts, &turn) }
    }

    mutating func commit(_ call: CallID, changed: [Bool], _ counters: [CounterState]) {
        let call = calls[Int(call)]
        step { core, turn in
            core.committed(call, BatchOutcome(changed: changed, counters: counters), &turn)
        }
    }

    mutating func schemaIs(_ call: CallID, _ failure: BackendFailure?) {
        let call = calls[Int(call)]
        step { core, turn in core.schemaChecked(call, failure, &turn) }
    }

    mutating func fail(_ call: CallID, _ failure: StatementFailure) {
        let call = calls[Int(call)]
        step { core, turn in core.statementFailed(call, failure, &turn) }
    }

    mutating func misfit(_ call: CallID) {
        let call = calls[Int(call)]
        step { core, turn in core.answerMisfits(call, Misfit("nonsense"), &turn) }
    }

    mutating func fence(_ call: CallID, _ state: LaneState?) {
        let call = calls[Int(call)]
        step { core, turn in core.fenced(call, state, &turn) }
    }

    mutating func fenceOff(_ call: CallID) {
        let call = calls[Int(call)]
        step { core, turn in core.fencedOff(call, &turn) }
    }

    mutating func tend(_ call: CallID, settledUpTo: Int64? = nil) {
        let call = calls[Int(call)]
        step { core, turn in core.tended(call, settledUpTo: settledUpTo, &turn) }
    }

    /// Rows that ask for version 1.
    mutating func repairs(
        _ call: CallID, _ items: [Item], version: Int64 = 1, notedBy: Int64 = 1, next: RepairCursor? = nil,
        horizon: Int64 = 1, hasSettled: Bool = false
    ) {
        let rows = items.map { RepairRow(item: $0, version: version, notedBy: notedBy) }
        repairs(call, rows: rows, next: next, horizon: horizon, hasSettled: hasSettled)
    }

    mutating func repairs(
        _ call: CallID, rows: [RepairRow], next: RepairCursor? = nil, horizon: Int64 = 1, hasSettled: Bool = false
    ) {
        let page = RepairRows(rows: rows, next: next, horizon: horizon, hasSettled: hasSettled)
        let call = calls[Int(call)]
        step { core, turn in core.repairsSelected(call, page, &turn) }
    }

    mutating func verify(
        _ call: CallID, _ generation: Generation? = Script.generation, isOfThisLife: Bool = true
    ) {
        let server = isOfThisLife ? generation?.server : nil
        let sealed = generation?.sealed(by: Script.secret)
        verified(call, FoundMarker(text: sealed?.marker ?? "", server: server ?? "another:life"))
    }

    /// `call`: as the test numbers it.
    mutating func verified(_ call: CallID, _ marker: FoundMarker) {
        let call = calls[Int(call)]
        step { core, turn in core.verified(call, marker, &turn) }
    }

    /// What a look around finds where nothing is amiss. `request`: what it is the answer to.
    func survey(_ request: SurveyRequest? = nil) -> Survey {
        Survey(
            lanesRetired: 0, history: laneHistory, snapshot: DatabaseSnapshot(least: since), generations: generations,
            freshGenerations: freshGenerations ?? generations, latest: latest, strayed: strayed,
            beat: (request?.beat ?? 1) - 1, seals: Script.seals(now))
    }

    mutating func survey(_ call: CallID, _ found: Survey) {
        let call = calls[Int(call)]
        step { core, turn in core.surveyed(call, found, &turn) }
    }

    /// `newer`: what Redis kept instead.
    mutating func wroteThrough(_ call: CallID, refusal: String? = nil, newer: [CounterState] = []) {
        wroteThrough(call, refusal: refusal, kept: kept(newer))
    }

    mutating func wroteThrough(_ call: CallID, refusal: String? = nil, kept: [KeptCounter]) {
        let call = calls[Int(call)]
        step { core, turn in
            core.wroteThrough(call, refusal: refusal, kept: kept, &turn)
        }
    }

    mutating func filled(_ call: CallID, newer: [CounterState] = []) {
        let call = calls[Int(call)]
        let kept = kept(newer)
        step { core, turn in core.filled(call, kept: kept, &turn) }
    }

    mutating func dropped(_ call: CallID) {
        let call = calls[Int(call)]
        step { core, turn in core.dropped(call, &turn) }
    }

    mutating func redisFails(_ call: CallID, _ failure: RedisFailure = .refused("MISCONF")) {
        let call = calls[Int(call)]
        step { core, turn in core.redisCallFailed(call, failure, &turn) }
    }

    mutating func redisHas(_ call: CallID, _ counters: [CounterState?]) {
        redisHas(call, sealed: counters.map { $0.map { sealed($0) } })
    }

    mutating func redisHas(_ call: CallID, sealed counters: [SealedCounter?]) {
        let call = calls[Int(call)]
        step { core, turn in core.countersRead(call, counters, &turn) }
    }

    /// Counters were asked for, of Redis or PostgreSQL: it has these.
    mutating func answer(
        _ actions: [Action], _ counters: [CounterState], token: String = Script.generation.token
    ) {
        for action in actions {
            switch action {
            case .readCounters(let call, _, let items) where !items.isEmpty:
                redisHas(call, sealed: counters.map { sealed($0, token: token) })
            case .selectCounters(let call, _): databaseHas(call, counters)
            default: continue
            }
        }
    }

    mutating func databaseHas(_ call: CallID, _ counters: [CounterState]) {
        let call = calls[Int(call)]
        step { core, turn in core.countersSelected(call, counters, &turn) }
    }

    mutating func pairs(_ call: CallID, _ states: [PairState]) {
        let call = calls[Int(call)]
        step { core, turn in core.pairsSelected(call, states, &turn) }
    }

    mutating func hear(_ counters: CounterState..., token: String = Script.generation.token) {
        hear(counters.map { sealed($0, token: token) }, token: token)
    }

    mutating func hear(_ counters: [SealedCounter], token: String = Script.generation.token) {
        step { core, turn in core.heard(token: token, counters, &turn) }
    }
}

extension Action {
    static func commit(_ call: CallID, _ rows: [BatchRow]) -> Action {
        let fence = LaneFence(lane: 0, epoch: 0)
        return .commit(call, CommitRequest(fence: fence, batch: 0, rows: rows, journal: [], isCutOff: false))
    }

    static func readCounters(_ call: CallID, _ items: [Item]) -> Action {
        .readCounters(call, Script.generation, items)
    }

    static func writeThrough(_ call: CallID, counters: [CounterState], recent: [RecentLike]) -> Action {
        .writeThrough(call, Script.generation, counters: counters.map { unsealed($0) }, recent: recent)
    }

    static func fill(_ call: CallID, counters: [CounterState]) -> Action {
        .fill(call, Script.generation, counters.map { unsealed($0) })
    }
}

let post = Item(type: 0, id: 456)
let other = Item(type: 0, id: 789)
let ann = Pair(user: 1, item: post)
let bob = Pair(user: 2, item: post)

func counter(_ item: Item, _ count: Int64, _ version: Int64) -> CounterState {
    CounterState(item: item, count: count, version: version)
}

/// The first page of a pass over the whole table.
let allRepairs = RepairSelect(after: RepairCursor(begin: 0))

extension RepairRow {
    init(item: Item, version: Int64) { self.init(item: item, version: version, notedBy: 1) }
}
