/// What happens at a moment; `a` and `b` say to whom.
package enum EventKind: UInt8, Sendable {
    /// The next message of a wire is due at the server.
    case arrivesAtServer
    /// The next message of a wire is due at the host.
    case arrivesAtHost
    /// A host's event loop turns.
    case hostTurn
    /// A host's timer.
    case hostTick
    case hostStarts
    /// A statement in PostgreSQL goes on.
    case statementStep
    /// A statement has waited long enough for a row.
    case lockTimeout
    case statementTimeout
    /// A call on a standby goes on.
    case standbyStep
    /// A standby is made anew.
    case standbyCloned
    case redisResumes
    case redisReturns
    case redisSnapshot
    case redisEvicts
    case strangerActs
    /// The reference service writes something; it counts up in Redis, if it still lives then.
    case referenceWrites, referenceCounts
    /// A host is pointed at the first Redis again.
    case redisJoins
    case postgresReturns
    // In a cluster
    /// A node hears the claims of another.
    case clusterHears
    /// A host asks which node has what.
    case clusterAsked
    /// Slots on their way go on.
    case slotMoves
    /// The operator tells a node whose slots they are now.
    case slotIsSet
    case nodePromoted
    /// A node that was replaced is back.
    case nodeReturns
    /// A node that has joined gets its first slots.
    case nodeGetsSlots
    case postgresSaves
    case clientActs
    case auditor
    case faultBegins
}

/// Plain and small: thousands wait in the queue.
package struct Event: Sendable {
    package var at: Micros
    package var order: UInt32
    package var kind: EventKind
    package var a: Int32
    package var b: UInt32
}

/// A binary heap of events, first by moment, then in the order they were put in.
package struct EventQueue: Sendable {
    private var heap: ContiguousArray<Event> = []
    private var order: UInt32 = 0

    package init() { heap.reserveCapacity(256) }

    package var isEmpty: Bool { heap.isEmpty }

    package mutating func push(_ kind: EventKind, _ a: Int32, _ b: UInt32, at: Micros) {
        order += 1
        let event = Event(at: at, order: order, kind: kind, a: a, b: b)
        heap.append(event)
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard Self.precedes(event, heap[parent]) else { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = event
    }

    package mutating func popFirst() -> Event? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        guard count > 0 else { return first }
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < count else { break }
            if child + 1 < count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
            guard Self.precedes(heap[child], last) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = last
        return first
    }

    private static func precedes(_ a: Event, _ b: Event) -> Bool { a.at != b.at ? a.at < b.at : a.order < b.order }
}
