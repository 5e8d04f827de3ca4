import LikesProtocol
import LikesStorage

/// The one connection that writes to PostgreSQL, with one call at a time; what is known of its row in `lanes`; and what
/// is due on it next.
struct Lane {
    var link: Link
    private(set) var calls = Calls<LanePurpose>()
    var row: LaneRow
    var upkeep: LaneUpkeep
    var schemaChecks: SchemaChecks
    var rate: LaneRate
    /// The batch that was on the wire when the connection was lost. No other batch is sent until it is resolved.
    private(set) var unresolved: SentBatch?
    /// Why the lane was lost. Kept until a new connection has fenced the lane, since nothing is known to work before.
    private(set) var trouble: BackendFailure?
    /// When the next survey is due.
    private(set) var surveyAt: Instant
    private let limits: Limits

    init(number: Int64, _ limits: Limits, now: Instant) {
        link = Link(connectMsMax: Limits.postgresConnectMsMax, now: now)
        row = LaneRow(lane: number)
        upkeep = LaneUpkeep(now: now)
        schemaChecks = SchemaChecks(now: now)
        rate = LaneRate(limits)
        surveyAt = now
        self.limits = limits
    }

    var isIdle: Bool { link.isUp && calls.isEmpty }
    /// Why nothing can be written; nil: it can be, or nothing is known yet.
    var failure: BackendFailure? { link.failure ?? trouble }
    var isHealthy: Bool { link.isUp && trouble == nil }

    // MARK: What is due

    enum Due {
        case fence(FenceRequest)
        case tend(LaneFence)
        case survey
        case checkSchema
        /// A batch if there is one; otherwise the next thing that is due.
        case batch(LaneFence)
    }

    /// `isTendDue`: there may be much to tell or to strike off, and always more, so batches and tends take turns.
    func due(isTendDue: Bool, now: Instant) -> Due {
        guard let fence = row.fence else {
            return .fence(
                FenceRequest(lane: row.lane, former: row.former, rows: unresolved?.request.rows ?? []))
        }
        if isTendDue, !upkeep.isTended { return .tend(fence) }
        if surveyAt <= now { return .survey }
        if schemaChecks.dueAt <= now { return .checkSchema }
        return .batch(fence)
    }

    var isWorn: Bool { row.isWorn(limits) }

    /// The process moves to another lane number.
    mutating func renew(_ number: Int64, now: Instant) {
        precondition(unresolved == nil, "the row is still to say what became of a batch")
        row.renew(number)
        surveyAt = now
    }

    mutating func survey(by moment: Instant) { surveyAt = min(surveyAt, moment) }

    mutating func survey(at moment: Instant) { surveyAt = moment }

    /// The last survey failed.
    mutating func surveyFailed(now: Instant) { surveyAt = max(surveyAt, now.adding(ms: Limits.surveyMs)) }

    // MARK: Calls

    mutating func call(_ purpose: LanePurpose, _ request: LaneRequest, _ turn: inout Turn) {
        turn.append(.lane(calls.begin(purpose, now: turn.now), request))
    }

    mutating func checkSchema(_ turn: inout Turn) {
        schemaChecks.checked(now: turn.now)
        call(.checkSchema, .checkSchema, &turn)
    }

    mutating func end(_ call: CallID) -> (purpose: LanePurpose, sentAt: Instant)? { calls.end(call) }

    mutating func giveUpCalls() -> [LanePurpose] { calls.giveUp() }

    // MARK: Connection made and lost

    mutating func connected(now: Instant) {
        link.connected(now: now)
        // Whichever server this is now, this host has to say that it is alive, and to find out which database it is.
        surveyAt = now
        schemaChecks.checked(now: now)
    }

    mutating func lost(_ failure: BackendFailure) {
        row.lost()
        trouble = failure
    }

    /// The next connection finds out what became of the batch.
    mutating func resolveLater(_ sent: SentBatch) { unresolved = sent }

    /// What the fence says about the batch whose answer was lost.
    enum Resolution {
        /// There was no such batch.
        case nothing
        /// It was committed. For each row, whether it changed something.
        case committed(SentBatch, changed: [Bool])
        /// It did not commit and never will.
        case lost(SentBatch)
        case unknown(SentBatch)
    }

    /// The lane is this connection's own.
    mutating func fenced(_ state: LaneState?, now: Instant) {
        trouble = nil
        let hasRow = row.fenced(state)
        upkeep.fenced(hasRow: hasRow, now: now)
    }

    /// Resolves the batch that waited for the fence, by what the lane's row said.
    mutating func resolve(_ state: LaneState?) -> Resolution {
        guard let sent = unresolved else { return .nothing }
        unresolved = nil
        let number = sent.request.batch
        guard let state, state.batch <= number,
            state.batch < number || state.changed.count == sent.request.rows.count
        else { return .unknown(sent) }
        return state.batch == number ? .committed(sent, changed: state.changed) : .lost(sent)
    }

    // MARK: Batches

    mutating func committed(_ sent: SentBatch, now: Instant) {
        row.committed(sent.request.batch)
        if !sent.request.server.isEmpty { row.servers.recorded() }
        rate.note(changes: sent.changes.count, microseconds: now.microseconds - sent.permit.askedAt.microseconds)
    }

    func checkInvariants() {
        calls.checkInvariants()
        row.checkInvariants()
        precondition(calls.purposes.count <= 1, "one call on the lane at a time")
        precondition(link.isUp || calls.isEmpty, "the lane's call ends with its connection")
        precondition(link.isUp || row.fence == nil, "a lane that is lost has no epoch")
        precondition(unresolved == nil || row.fence == nil, "no batch is sent before the last one is resolved")
        if let sent = unresolved { precondition(sent.request.batch == row.batch, "only the last batch is unresolved") }
    }
}

/// What a call on the lane is for.
enum LanePurpose: CallPurpose {
    case fence
    case commit(SentBatch)
    case tend(TendRequest)
    case survey(SurveyRequest, askedAt: Instant)
    case checkSchema

    enum Kind: Int, CaseIterable {
        case fence, commit, tend, survey, checkSchema
    }

    var kind: Kind {
        switch self {
        case .fence: .fence
        case .commit: .commit
        case .tend: .tend
        case .survey: .survey
        case .checkSchema: .checkSchema
        }
    }

    var timedAs: TimedCall { if case .commit = self { .commit } else { .laneOther } }

    var itemsCount: Int { if case .commit(let sent) = self { sent.changes.count } else { 0 } }

    /// An answer with another number of elements than was asked for is a misfit.
    func checked(_ answer: LaneAnswer) -> LaneAnswer {
        switch (self, answer) {
        case (.commit(let sent), .committed(let outcome)) where outcome.changed.count != sent.request.rows.count:
            .misfit(.otherNumber(of: "rows"))
        default: answer
        }
    }
}
