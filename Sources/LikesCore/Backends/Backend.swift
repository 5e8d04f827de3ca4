/// The connections the daemon keeps to its backends.
package enum Backend: Hashable, Sendable {
    /// A primary of Redis: admission, counters, write-through.
    case redis(NodePlace)
    /// The same primary: what other hosts changed.
    case subscriber(NodePlace)
    /// PostgreSQL, writing: one batch after the other.
    case lane
    /// PostgreSQL, reading: counts, pairs and the rows of `cache_repairs`, pipelined.
    case reader
    /// A standby of PostgreSQL, by its place among those configured: counts, pipelined.
    case standby(Int)

    /// Whether it leads to Redis.
    package var isRedis: Bool {
        switch self {
        case .redis, .subscriber: true
        case .lane, .reader, .standby: false
        }
    }

    /// All connections of a host with this many primaries of Redis and standbys of PostgreSQL.
    package static func all(redis nodes: Int = 1, standbys: Int) -> [Backend] {
        (0..<nodes).flatMap { [.redis($0), .subscriber($0)] } + [.lane, .reader]
            + (0..<standbys).map(Backend.standby)
    }
}

/// Identifies a call. Redis, the lane, the reader and each standby number theirs, and use no number twice.
package typealias CallID = UInt64
