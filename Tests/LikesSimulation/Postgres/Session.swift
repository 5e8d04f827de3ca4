import LikesCore

/// A backend process of PostgreSQL: one connection's statements, one after the other.
final class Session {
    let connection: Int32
    let backend: Backend
    let host: Int
    var queue = Ring<StatementCall>()
    var statement: Statement?
    /// The client is gone; noticed when a statement ends.
    var isOrphan = false
    var hungUntil: Micros = 0
    /// Counts statements, so that a step meant for an earlier one is passed over.
    var turn: UInt32 = 0

    init(connection: Int32, backend: Backend, host: Int) {
        self.connection = connection
        self.backend = backend
        self.host = host
    }
}

/// A call to PostgreSQL, on either of a host's connections.
enum StatementCall {
    case lane(CallID, LaneRequest)
    case reader(CallID, ReaderRequest)

    var isWrite: Bool {
        switch self {
        case .lane(_, .fence), .lane(_, .commit), .lane(_, .tend), .lane(_, .survey): true
        case .lane(_, .checkSchema), .reader: false
        }
    }

    /// The answer as it goes to the host.
    func message(_ answer: StatementAnswer) -> ToHost {
        switch (self, answer) {
        case (.lane(let call, _), .lane(let answer)): .lane(call, answer)
        case (.reader(let call, _), .reader(let answer)): .reader(call, answer)
        case (.lane(let call, _), .failed(let failure)): .lane(call, .failed(failure))
        case (.reader(let call, _), .failed(let failure)): .reader(call, .failed(failure))
        case (.lane, .reader), (.reader, .lane): preconditionFailure("an answer to another call")
        }
    }
}

enum StatementAnswer {
    case lane(LaneAnswer)
    case reader(ReaderAnswer)
    case failed(StatementFailure)
}

/// A statement under way: its own transaction.
struct Statement {
    enum Phase {
        case begins, fence, likes, unlikes, counters, repairs, mended, flush
        case answers(StatementAnswer)
    }
    var call: StatementCall
    var phase = Phase.begins
    /// Its number, as long as it is running; nil: it writes nothing, or is over.
    var transaction: Int64?
    /// How far the phase has come.
    var place = 0
    var locks: [RowLock] = []
    var waitsFor: RowLock?
    var waitCount: UInt32 = 0

    /// For each row of a commit, the row of `user_likes` that the statement's snapshot has.
    var snapshot: [Int32] = []
    var changed: [Bool] = []
    /// Where the statement will fail, however far it comes: a place of its rows.
    var failsAt: (place: Int, failure: StatementFailure)?
    var ups: [Int64] = []
    var downs: [Int64] = []
    /// Items, ascending, and the version each gets in `cache_repairs`.
    var upserts: [(item: Int, version: Int64)] = []
    var deletes: [Int] = []
    /// When it was flushed, where there are standbys that answer counts: they may show it from then on.
    var loggedAt: Micros?
    /// It is flushed here, and waits for the standby; until this moment, when somebody cancels the wait.
    var cancelledAt: Micros?
    /// It is committed here, whether the standby has it or not.
    var isWaitCancelled = false
    /// There may be more settled repairs, from this transaction's on.
    var settledUpTo: Int64?
    /// Places in `lanes` that are fenced.
    var fenced: [Int64] = []

    init(_ call: StatementCall) { self.call = call }
}
