import LikesProtocol
import LikesStorage

/// What a call to a backend carries, until it is answered or its connection is lost.
enum Call {
    case verify(VerifyRequest)
    case admission([ChangeIndex])
    case readCounters([Item], Generation, WritePermit)
    case writeThrough([ChangeIndex], [CounterState], WritePermit)
    /// A page of counters that Redis missed earlier.
    case repair(Repairs.PageNumber, [CounterState], WritePermit)
    case fill(WritePermit)
    /// Of counters that are none of ours.
    case drop
    case fence
    case commit(SentBatch)
    case tend(TendRequest)
    case survey(SurveyRequest, askedAt: Instant)
    case checkSchema
    case selectCounters(CounterSelect)
    case selectPairs([PairRead], WritePermit)
    case selectRepairs

    var kind: CallKind {
        switch self {
        case .verify: .verify
        case .admission: .admission
        case .readCounters: .read
        case .writeThrough: .writeThrough
        case .repair: .repair
        case .fill: .fill
        case .drop: .drop
        case .fence, .commit, .tend, .survey, .checkSchema: .lane
        case .selectCounters(.repairs): .repairRead
        case .selectCounters(.doubts): .doubt
        case .selectCounters: .counterSelect
        case .selectPairs: .pairSelect
        case .selectRepairs: .repairSelect
        }
    }

    var backend: Backend {
        switch self {
        case .verify, .admission, .readCounters, .writeThrough, .repair, .fill, .drop: .redis
        case .fence, .commit, .tend, .survey, .checkSchema: .lane
        case .selectCounters, .selectPairs, .selectRepairs: .reader
        }
    }

    var redisTask: RedisTask? {
        switch self {
        case .verify: .verifying
        case .admission: .admission
        case .readCounters: .reading
        case .writeThrough, .repair, .fill, .drop: .writing
        case .fence, .commit, .tend, .survey, .checkSchema, .selectCounters, .selectPairs, .selectRepairs: nil
        }
    }
}

/// Calls are counted by these.
enum CallKind: Int, CaseIterable {
    case verify, admission, read, writeThrough, repair, fill, drop, lane, counterSelect, pairSelect, repairRead,
        repairSelect,
        doubt
}

/// What Redis may refuse while it does the rest.
enum RedisTask: String {
    case verifying, admission, reading, writing
}

/// What Redis said to it, and when it last did.
struct RedisRefusal {
    var message: String
    var at: Instant
}

/// Who a `selectCounters` is for.
enum CounterSelect {
    /// Fetches, answered through their table.
    case fetches([Item], WritePermit)
    /// Committed changes that still owe their item's count.
    case changes([ChangeIndex], WritePermit)
    /// Repairs that have to know what was committed.
    case repairs(Repairs.PageNumber, count: Int, WritePermit)
    /// Counters of which a newer version was spoken of than PostgreSQL had, in the era in which that was.
    case doubts([Doubts.Claim], era: Int64)

    /// How many counters were asked for.
    var count: Int {
        switch self {
        case .fetches(let items, _): items.count
        case .repairs(_, let count, _): count
        case .doubts(let claims, _): claims.count
        case .changes(let changes, _): changes.count
        }
    }
}

/// A pair to look up, and who asked.
struct PairRead {
    enum Asker {
        /// LIKED, MLIKED.
        case part(Part)
        /// A LIKE that the hint calls a duplicate.
        case change(ChangeIndex)
    }
    var pair: Pair
    var asker: Asker
}

/// The calls under way, each kind counted, the oldest of each backend first.
struct Calls {
    private var table: [CallID: Call] = [:]
    private var lastID: CallID = 0
    private var sent: [Backend: Ring<(CallID, Instant)>] = [:]
    private var counts = [Int](repeating: 0, count: CallKind.allCases.count)

    /// How many of the kind are under way.
    subscript(_ kind: CallKind) -> Int { counts[kind.rawValue] }

    mutating func begin(_ call: Call, now: Instant) -> CallID {
        lastID += 1
        table[lastID] = call
        sent[call.backend, default: Ring()].append((lastID, now))
        counts[call.kind.rawValue] += 1
        return lastID
    }

    /// nil: the call was given up with its connection.
    mutating func end(_ id: CallID) -> Call? {
        guard let call = table.removeValue(forKey: id) else { return nil }
        counts[call.kind.rawValue] -= 1
        while let (oldest, _) = sent[call.backend]?.first, table[oldest] == nil { sent[call.backend]?.popFirst() }
        return call
    }

    /// When the oldest call on the backend was sent.
    func oldestSent(_ backend: Backend) -> Instant? { sent[backend]?.first?.1 }

    /// Gives up every call on the backend, oldest first.
    mutating func giveUp(_ backend: Backend) -> [Call] {
        var given: [Call] = []
        while let (id, _) = sent[backend]?.popFirst() {
            if let call = table.removeValue(forKey: id) {
                counts[call.kind.rawValue] -= 1
                given.append(call)
            }
        }
        return given
    }

    /// The counters on their way to Redis, oldest first.
    var writtenThrough: [[CounterState]] {
        guard self[.writeThrough] > 0, let sent = sent[.redis] else { return [] }
        return (0..<sent.count).compactMap { place in
            if case .writeThrough(_, let counters, _)? = table[sent[place].0] { counters } else { nil }
        }
    }
}
