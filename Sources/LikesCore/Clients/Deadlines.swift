/// The deadlines of waiting requests of one sort. They are in order because every request gets the same time, which
/// takes a restart to change.
struct Deadlines {
    enum Holder {
        case change(ChangeIndex, incarnation: UInt32)
        case read(Ticket)
    }

    private var ring = Ring<(at: Instant, holder: Holder)>()

    var count: Int { ring.count }
    /// The next deadline.
    var first: Instant? { ring.first?.at }

    mutating func append(_ holder: Holder, at moment: Instant) { ring.append((moment, holder)) }

    /// Takes the next deadline if it has passed.
    mutating func popFirst(by now: Instant) -> Holder? {
        guard let next = ring.first, next.at <= now else { return nil }
        ring.popFirst()
        return next.holder
    }

    var firstHolder: Holder? { ring.first?.holder }

    mutating func dropFirst(while isDone: (Holder) -> Bool) {
        while let holder = firstHolder, isDone(holder) { ring.popFirst() }
    }

    /// Keeps only the deadlines of requests that still wait.
    mutating func keep(where isWaiting: (Holder) -> Bool) {
        var living = Ring<(at: Instant, holder: Holder)>()
        while let next = ring.popFirst() { if isWaiting(next.holder) { living.append(next) } }
        ring = living
    }

    func checkInvariants() {
        guard ring.count > 1 else { return }
        for place in 1..<ring.count {
            precondition(ring[place - 1].at <= ring[place].at, "deadlines are in order")
        }
    }
}
