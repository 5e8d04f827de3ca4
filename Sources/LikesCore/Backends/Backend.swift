/// The connections the daemon keeps to its backends.
package enum Backend: Hashable, Sendable {
    /// Redis: admission, counters, write-through.
    case redis
    /// Redis: what other hosts changed.
    case subscriber
    /// PostgreSQL, writing: one batch after the other.
    case lane
    /// PostgreSQL, reading: counts, pairs and the rows of `cache_repairs`, pipelined.
    case reader
    /// A standby of PostgreSQL, by its place among those configured: counts, pipelined.
    case standby(Int)

    /// All connections of a host with this many standbys.
    package static func all(standbys: Int) -> [Backend] {
        [.redis, .subscriber, .lane, .reader] + (0..<standbys).map(Backend.standby)
    }
}

/// Identifies a call. Redis, the lane, the reader and each standby number theirs, and use no number twice.
package typealias CallID = UInt64
