import LikesProtocol
import LikesStorage

/// What a call was made for. It is kept until the call is answered, or its connection is lost.
protocol CallPurpose {
    /// Calls under way are counted by kind.
    associatedtype Kind: RawRepresentable<Int>, CaseIterable
    var kind: Kind { get }
    var timedAs: TimedCall { get }
    /// How many changes, counters, pairs or lists it is about.
    var itemsCount: Int { get }
}

/// The calls under way on one connection, the oldest first.
struct Calls<Purpose: CallPurpose> {
    private var table: [CallID: (purpose: Purpose, sentAt: Instant)] = [:]
    private(set) var lastID: CallID = 0
    private var sent = Ring<(CallID, Instant)>()
    /// By kind.
    private var counts = [Int](repeating: 0, count: Purpose.Kind.allCases.count)

    var isEmpty: Bool { table.isEmpty }

    /// How many calls of the kind are under way.
    subscript(_ kind: Purpose.Kind) -> Int { counts[kind.rawValue] }

    mutating func begin(_ purpose: Purpose, now: Instant) -> CallID {
        lastID += 1
        table[lastID] = (purpose, now)
        sent.append((lastID, now))
        counts[purpose.kind.rawValue] += 1
        return lastID
    }

    /// Ends the call and returns its purpose, and when it was sent; nil: it was given up with its connection.
    mutating func end(_ id: CallID) -> (purpose: Purpose, sentAt: Instant)? {
        guard let call = table.removeValue(forKey: id) else { return nil }
        counts[call.purpose.kind.rawValue] -= 1
        while let (oldest, _) = sent.first, table[oldest] == nil { sent.popFirst() }
        return call
    }

    /// When the oldest call was sent.
    var oldestSentAt: Instant? { sent.first?.1 }

    /// Gives up every call, and returns their purposes, oldest first.
    mutating func giveUp() -> [Purpose] {
        let given = purposes
        table = [:]
        for kind in counts.indices { counts[kind] = 0 }
        sent.removeAll()
        return given
    }

    /// The purposes of the calls under way, oldest first.
    var purposes: [Purpose] { (0..<sent.count).compactMap { table[sent[$0].0]?.purpose } }

    func checkInvariants() {
        precondition(table.count == counts.reduce(0, +), "calls are counted by kind")
        precondition(purposes.count == table.count, "every call has its place in the order they were sent")
    }
}
