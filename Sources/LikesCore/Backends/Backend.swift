/// The connections the daemon keeps to its backends.
package enum Backend: Hashable, Sendable, CaseIterable {
    /// Redis: admission, counters, write-through.
    case redis
    /// Redis: what other hosts changed.
    case subscriber
    /// PostgreSQL, writing: one batch after the other.
    case lane
    /// PostgreSQL, reading: counts, pairs and the rows of `cache_repairs`, pipelined.
    case reader
}

/// Identifies a call. Redis, the lane and the reader each number theirs, and use no number twice.
package typealias CallID = UInt64
