import LikesSettings
import LikesStorage
import LikesProtocol

/// The one connection that writes to PostgreSQL, one call at a time; what is known of its row in `lanes`; and what is
/// due on it next.
struct Lane {
    var link: Link
    private(set) var calls = Calls<LanePurpose>()
    var row: LaneRow
    var upkeep: LaneUpkeep
    var schemaLook: SchemaLook
    var rate: LaneRate
    /// Was on the wire when the connection went away. No other batch is sent before it is known what became of it.
    private(set) var unresolved: SentBatch?
    /// Why the lane was lost, until a new connection has made it its own: before, nothing is known to work.
    private(set) var trouble: BackendFailure?
    /// When to look around.
    private(set) var surveyAt: Instant
    private let limits: Limits

    init(number: Int64, _ limits: Limits, now: Instant) {
        link = Link(connectMsMax: Limits.postgresConnectMsMax, now: now)
        row = LaneRow(lane: number)
        upkeep = LaneUpkeep(now: now)
        schemaLook = SchemaLook(now: now)
        rate = LaneRate(limits)
        surveyAt = now
        self.limits = limits
    }

    var isIdle: Bool { link.isUp && calls.isEmpty }
    /// Why nothing can be written; nil: it can, or nothing is known yet.
    var failure: BackendFailure? { link.failure ?? trouble }
    var isHealthy: Bool { link.isUp && trouble == nil }

    // MARK: What is due

    enum Due {
        case fence(FenceRequest)
        case tend(LaneFence)
        case survey
        case checkSchema
        /// A batch, where there is one, else what else is due.
        case batch(LaneFence)
    }

    /// `isTendDue`: what is to be told or struck off may be much, and always more, so batches take turns with it.
    func due(isTendDue: Bool, now: Instant) -> Due {
        guard let fence = row.fence else {
            return .fence(
                FenceRequest(lane: row.lane, former: row.former, rows: unresolved?.request.rows ?? []))
        }
        if isTendDue, !upkeep.isTended { return .tend(fence) }
        if surveyAt <= now { return .survey }
        if schemaLook.dueAt <= now { return .checkSchema }
        return .batch(fence)
    }

    var isWorn: Bool { row.isWorn(limits) }

    /// The lane becomes another one.
    mutating func renew(_ number: Int64, now: Instant) {
        precondition(unresolved == nil, "the row is still to say what became of a batch")
        row.renew(number)
        surveyAt = now
    }

    mutating func survey(by moment: Instant) { surveyAt = min(surveyAt, moment) }

    mutating func survey(at moment: Instant) { surveyAt = moment }

    /// The last one failed.
    mutating func surveyFailed(now: Instant) { surveyAt = max(surveyAt, now.adding(ms: Limits.surveyMs)) }

    // MARK: Calls

    mutating func call(_ purpose: LanePurpose, _ request: LaneRequest, _ turn: inout Turn) {
        turn.append(.lane(calls.begin(purpose, now: turn.now), request))
    }

    mutating func checkSchema(_ turn: inout Turn) {
        schemaLook.checked(now: turn.now)
        call(.checkSchema, .checkSchema, &turn)
    }

    mutating func end(_ call: CallID) -> LanePurpose? { calls.end(call) }

    mutating func giveUpCalls() -> [LanePurpose] { calls.giveUp() }

    // MARK: Coming and going

    mutating func connected(now: Instant) {
        link.connected(now: now)
        // Whatever is at the other end now, this host is to say that it lives, and to look which database it is.
        surveyAt = now
        schemaLook.checked(now: now)
    }

    mutating func lost(_ failure: BackendFailure) {
        row.lost()
        trouble = failure
    }

    /// What became of the batch is to be found out on the next connection.
    mutating func resolveLater(_ sent: SentBatch) { unresolved = sent }

    /// What the fence says of the batch whose answer was lost.
    enum Resolution {
        /// There was none.
        case nothing
        /// It was committed; for each row, whether it changed something.
        case committed(SentBatch, changed: [Bool])
        /// It never will be.
        case lost(SentBatch)
        case unknown(SentBatch)
    }

    /// The lane is this connection's own.
    mutating func fenced(_ state: LaneState?, now: Instant) {
        trouble = nil
        let hasRow = row.fenced(state)
        upkeep.fenced(hasRow: hasRow, now: now)
    }

    /// What became of the batch that waited for the fence, by what the lane's row said.
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

/// What a call of the lane's is for.
enum LanePurpose: CallPurpose {
    case fence
    case commit(SentBatch)
    case tend(TendRequest)
    case survey(SurveyRequest, askedAt: Instant)
    case checkSchema

    enum Kind {
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

    /// An answer that is of another number of things than was asked for is none.
    func checked(_ answer: LaneAnswer) -> LaneAnswer {
        switch (self, answer) {
        case (.commit(let sent), .committed(let outcome)) where outcome.changed.count != sent.request.rows.count:
            .misfit(.otherNumber(of: "rows"))
        default: answer
        }
    }
}
