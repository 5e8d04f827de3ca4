import LikesCore

/// When clients are looked at without having sent anything.
struct ClientDeadlines {
    /// Those that were told why their framing broke, and until when they may read it; the first is the next.
    private var lingering = Ring<(id: ConnectionID, until: Instant)>()
    /// When unfinished requests are looked for next; nil: there are none.
    var sweepAt: Instant?

    var next: Instant? { Instant.earlier(lingering.first?.until, sweepAt) }

    mutating func linger(_ id: ConnectionID, until: Instant) { lingering.append((id: id, until: until)) }

    /// The next one whose time to read is over.
    mutating func popLingering(now: Instant) -> ConnectionID? {
        guard let first = lingering.first, first.until <= now else { return nil }
        lingering.popFirst()
        return first.id
    }

    /// An unfinished request was begun.
    mutating func begun(now: Instant) {
        if sweepAt == nil { sweepAt = now.adding(ms: EdgeLimits.sweepMs) }
    }
}
