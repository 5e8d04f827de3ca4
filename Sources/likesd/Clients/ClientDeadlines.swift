import LikesCore

/// When to look at clients that have sent nothing new.
struct ClientDeadlines {
    /// Clients that were told why their framing broke, and until when they may read that; the earliest first.
    private var lingering = Ring<(id: ConnectionID, until: Instant)>()
    /// When unfinished requests are looked for next; nil: there are none.
    var sweepAt: Instant?

    var next: Instant? { Instant.earlier(lingering.first?.until, sweepAt) }

    mutating func linger(_ id: ConnectionID, until: Instant) { lingering.append((id: id, until: until)) }

    /// The next client whose time to read the error is over.
    mutating func popLingering(now: Instant) -> ConnectionID? {
        guard let first = lingering.first, first.until <= now else { return nil }
        lingering.popFirst()
        return first.id
    }

    /// A client has begun a request and not finished it.
    mutating func begun(now: Instant) {
        if sweepAt == nil { sweepAt = now.adding(ms: EdgeLimits.sweepMs) }
    }
}
