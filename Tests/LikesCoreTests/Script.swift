import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

/// Feeds events to a core and keeps what it wants done.
///
/// What no client asked for (identifying Redis, fencing and tending the lane, looking for repairs) is answered at once,
/// as by backends where nothing is amiss, except the kinds in `byHand`.
struct Script {
    enum Housekeeping: CaseIterable {
        case identify, fence, tend, survey, check, repairs, fill, beat, look
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
        core.checkInvariants()
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
        case .redis(let call, let request): return .redis(number(call), stripped(request))
        case .lane(let call, let request):
            if case .commit(let request) = request { commits.append(request) }
            return .lane(number(call), stripped(request))
        case .reader(let call, let request): return .reader(number(call), request)
        case .reply, .close, .resume, .beat, .connect, .disconnect, .reload, .configure, .log, .stopped: return action
        }
    }

    /// Without seals.
    private func stripped(_ request: RedisRequest) -> RedisRequest {
        switch request {
        case .writeThrough(let generation, let counters, let recent):
            .writeThrough(generation, counters: strip(counters), recent: recent)
        case .fill(let generation, let counters): .fill(generation, strip(counters))
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
        case .redis(_, .identify): !byHand.contains(.identify)
        case .redis(_, .fill): !byHand.contains(.fill)
        case .redis(_, .readCounters(_, [])): !byHand.contains(.look)
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
        case .redis(let call, .identify(let request)):
            let past = core.coherence.past
            let known = Generation(
                server: "run:repl", database: past.history ?? Script.history, era: past.era,
                token: Script.generation.token
            ).sealed(by: Script.secret)
            let marker = request.new?.generation(on: known.server) ?? known
            let found = FoundMarker(text: marker.marker, server: known.server)
            core.answered(call, RedisAnswer.identified(found), &turn)
        case .redis(let call, .fill): core.answered(call, RedisAnswer.filled(kept: []), &turn)
        case .redis(let call, .readCounters): core.answered(call, RedisAnswer.countersRead([]), &turn)
        case .lane(let call, .fence(let request)):
            // As if the last batch had never come to be committed.
            let state = LaneState(
                epoch: epoch, batch: core.lane.unresolved.map { $0.request.batch - 1 } ?? core.lane.row.batch,
                changed: request.rows.map { _ in false })
            core.answered(call, LaneAnswer.fenced(epoch == 1 ? nil : state), &turn)
            epoch += 1
        case .lane(let call, .tend): core.answered(call, LaneAnswer.tended(settledUpTo: nil), &turn)
        case .lane(let call, .survey(let request)): core.answered(call, LaneAnswer.surveyed(survey(request)), &turn)
        case .lane(let call, .checkSchema): core.answered(call, LaneAnswer.schemaChecked(nil), &turn)
        case .reader(let call, .selectRepairs):
            let page = RepairRows(rows: [], next: nil, horizon: 1)
            core.answered(call, ReaderAnswer.repairsSelected(page), &turn)
        case .beat(let number): core.heardBeat(number, &turn)
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
        } while core.clients.nextDeadline.map { $0 <= now } ?? false
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

    // `call`: as the test numbers it.

    private mutating func answer(_ call: CallID, _ answer: RedisAnswer) {
        let call = calls[Int(call)]
        step { core, turn in core.answered(call, answer, &turn) }
    }

    private mutating func answer(_ call: CallID, _ answer: LaneAnswer) {
        let call = calls[Int(call)]
        step { core, turn in core.answered(call, answer, &turn) }
    }

    private mutating func answer(_ call: CallID, _ answer: ReaderAnswer) {
        let call = calls[Int(call)]
        step { core, turn in core.answered(call, answer, &turn) }
    }

    mutating func admit(_ call: CallID, _ verdicts: [AdmissionVerdict]) { answer(call, .admitted(verdicts)) }

    mutating func commit(_ call: CallID, changed: [Bool], _ counters: [CounterState]) {
        answer(call, .committed(BatchOutcome(changed: changed, counters: counters)))
    }

    mutating func schemaIs(_ call: CallID, _ failure: BackendFailure?) { answer(call, .schemaChecked(failure)) }

    /// `backend`: whose call it is.
    mutating func fail(_ call: CallID, _ failure: StatementFailure, of backend: Backend = .lane) {
        if backend == .lane {
            answer(call, LaneAnswer.failed(failure))
        } else {
            answer(call, ReaderAnswer.failed(failure))
        }
    }

    mutating func misfit(_ call: CallID, of backend: Backend = .lane) {
        let misfit = Misfit("nonsense")
        if backend == .lane {
            answer(call, LaneAnswer.misfit(misfit))
        } else {
            answer(call, ReaderAnswer.misfit(misfit))
        }
    }

    mutating func fence(_ call: CallID, _ state: LaneState?) { answer(call, .fenced(state)) }

    mutating func fenceOff(_ call: CallID) { answer(call, LaneAnswer.fencedOff) }

    mutating func tend(_ call: CallID, settledUpTo: Int64? = nil) { answer(call, .tended(settledUpTo: settledUpTo)) }

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
        answer(call, .repairsSelected(RepairRows(rows: rows, next: next, horizon: horizon, hasSettled: hasSettled)))
    }

    mutating func identify(
        _ call: CallID, _ generation: Generation? = Script.generation, isOfThisLife: Bool = true
    ) {
        let server = isOfThisLife ? generation?.server : nil
        let sealed = generation?.sealed(by: Script.secret)
        identified(call, FoundMarker(text: sealed?.marker ?? "", server: server ?? "another:life"))
    }

    mutating func identified(_ call: CallID, _ marker: FoundMarker) { answer(call, .identified(marker)) }

    /// What a look around finds where nothing is amiss. `request`: what it is the answer to.
    func survey(_ request: SurveyRequest? = nil) -> Survey {
        Survey(
            lanesRetired: 0, history: laneHistory, snapshot: DatabaseSnapshot(least: since), generations: generations,
            freshGenerations: freshGenerations ?? generations, latest: latest, strayed: strayed,
            beat: (request?.beat ?? 1) - 1, seals: Script.seals(now))
    }

    mutating func survey(_ call: CallID, _ found: Survey) { answer(call, .surveyed(found)) }

    /// `newer`: what Redis kept instead.
    mutating func wroteThrough(_ call: CallID, refusal: String? = nil, newer: [CounterState] = []) {
        wroteThrough(call, refusal: refusal, kept: kept(newer))
    }

    mutating func wroteThrough(_ call: CallID, refusal: String? = nil, kept: [KeptCounter]) {
        answer(call, .wroteThrough(refusal: refusal, kept: kept))
    }

    mutating func filled(_ call: CallID, newer: [CounterState] = []) { answer(call, .filled(kept: kept(newer))) }

    mutating func dropped(_ call: CallID) { answer(call, .dropped) }

    mutating func redisFails(_ call: CallID, _ failure: RedisFailure = .refused("MISCONF")) {
        answer(call, RedisAnswer.failed(failure))
    }

    mutating func redisHas(_ call: CallID, _ counters: [CounterState?]) {
        redisHas(call, sealed: counters.map { $0.map { sealed($0) } })
    }

    mutating func redisHas(_ call: CallID, sealed counters: [SealedCounter?]) { answer(call, .countersRead(counters)) }

    /// Counters were asked for, of Redis or PostgreSQL: it has these.
    mutating func answer(
        _ actions: [Action], _ counters: [CounterState], token: String = Script.generation.token
    ) {
        for action in actions {
            switch action {
            case .redis(let call, .readCounters(_, let items)) where !items.isEmpty:
                redisHas(call, sealed: counters.map { sealed($0, token: token) })
            case .reader(let call, .selectCounters): databaseHas(call, counters)
            default: continue
            }
        }
    }

    mutating func databaseHas(_ call: CallID, _ counters: [CounterState]) {
        answer(call, .countersSelected(counters))
    }

    mutating func pairs(_ call: CallID, _ states: [PairState]) {
        answer(call, .pairsSelected(states))
    }

    mutating func hear(_ counters: CounterState..., token: String = Script.generation.token) {
        hear(counters.map { sealed($0, token: token) }, token: token)
    }

    mutating func hear(_ counters: [SealedCounter], token: String = Script.generation.token) {
        step { core, turn in core.heard(token: token, counters, &turn) }
    }
}

extension CommitRequest {
    init(rows: [BatchRow]) {
        self.init(fence: LaneFence(lane: 0, epoch: 0), batch: 0, rows: rows, journal: [], isCutOff: false)
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
