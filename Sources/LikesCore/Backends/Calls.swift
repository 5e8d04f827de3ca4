import LikesProtocol

/// What a call to a backend carries, until it is answered or its connection is lost.
enum Call {
    case admission([ChangeIndex])
    case readCounters([Item])
    case writeThrough([ChangeIndex], [CounterState])
    /// Counters that Redis missed earlier.
    case repair([CounterState])
    case commit(Batch, [ChangeIndex])
    case selectCounters(CounterSelect)
    case selectPairs([PairRead])

    var backend: Backend {
        switch self {
        case .admission, .readCounters, .writeThrough, .repair: .redis
        case .commit: .lane
        case .selectCounters, .selectPairs: .reader
        }
    }

    var redisTask: RedisTask? {
        switch self {
        case .admission: .admission
        case .readCounters: .reading
        case .writeThrough, .repair: .writing
        case .commit, .selectCounters, .selectPairs: nil
        }
    }
}

/// What Redis may refuse while it does the rest.
enum RedisTask: String {
    case admission, reading, writing
}

/// Who a `selectCounters` is for.
enum CounterSelect {
    /// Fetches, answered through their table.
    case fetches([Item])
    /// Changes that changed nothing and still owe their item's count.
    case changes([ChangeIndex], items: [Item])
    /// Repairs that have to know what was committed.
    case repairs([Item])
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
    private(set) var admissions = 0
    private(set) var reads = 0
    private(set) var writeThroughs = 0
    private(set) var repairs = 0
    private(set) var commits = 0
    private(set) var counterSelects = 0
    private(set) var pairSelects = 0

    mutating func begin(_ call: Call, now: Instant) -> CallID {
        lastID += 1
        table[lastID] = call
        sent[call.backend, default: Ring()].append((lastID, now))
        tally(call, 1)
        return lastID
    }

    /// nil: the call was given up with its connection.
    mutating func end(_ id: CallID) -> Call? {
        guard let call = table.removeValue(forKey: id) else { return nil }
        tally(call, -1)
        dropEnded(call.backend)
        return call
    }

    /// When the oldest call on the backend was sent.
    func oldestSent(_ backend: Backend) -> Instant? { sent[backend]?.first?.1 }

    /// Gives up every call on the backend, oldest first.
    mutating func giveUp(_ backend: Backend) -> [Call] {
        var given: [Call] = []
        while let (id, _) = sent[backend]?.popFirst() {
            if let call = table.removeValue(forKey: id) {
                tally(call, -1)
                given.append(call)
            }
        }
        return given
    }

    private mutating func dropEnded(_ backend: Backend) {
        while let (id, _) = sent[backend]?.first, table[id] == nil { sent[backend]?.popFirst() }
    }

    private mutating func tally(_ call: Call, _ step: Int) {
        switch call {
        case .admission: admissions += step
        case .readCounters: reads += step
        case .writeThrough: writeThroughs += step
        case .repair: repairs += step
        case .commit: commits += step
        case .selectCounters: counterSelects += step
        case .selectPairs: pairSelects += step
        }
    }
}
