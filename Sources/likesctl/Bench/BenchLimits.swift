/// The bounds of the load generator.
enum BenchLimits {
    /// Requests under way of all connections in an open loop, 24 bytes each, parted evenly among them. With more, the
    /// next ones wait until there is room; their latency runs all the same.
    static let underWayMax = 1 << 20
    /// … and of one connection, at least and at most.
    static let underWayPerConnection = 64...65_536
    /// Bytes not yet taken by the sockets, of all connections, parted evenly among them.
    static let outputBytesMax = 256 * 1024 * 1024
    /// … and of one connection in an open loop, at most. Each has room for one request beyond its part.
    static let outputBytes = 128 * 1024
    /// … and in a closed loop, where a whole pipeline is written at once.
    static let pipelineBytesMax = 1024 * 1024
    /// Bytes of one read.
    static let readBytes = 64 * 1024
    /// Events taken per wake-up: more would make the next arrivals of an open loop late.
    static let eventsPerWakeUp = 64
    /// Arrivals sent per wake-up, so that replies are read while a backlog is worked off.
    static let arrivalsPerWakeUp = 1_024
    /// A lost connection is opened again after at most this; progress and ends are looked at this often, too.
    static let tickNs: Int64 = 50_000_000
    /// Without any connection for this long the daemon counts as gone.
    static let goneNs: Int64 = 5_000_000_000
    /// A request that leaves later than this after its time was late by the generator's fault.
    static let lateNs: Int64 = 1_000_000
    /// Of a thousand requests so many may be late: with more, the generator did not keep its schedule.
    static let latePerMilleMax: Int64 = 1
    /// When the last answer of an open loop comes later than this after the last request was due …
    static let behindNsMax: Int64 = 100_000_000
    /// … and later than this part of the time measured, requests queued up.
    static let behindShareMax = 0.02
    /// What was due and never sent is counted one by one up to here, and by the rate beyond.
    static let unsentDrawnMax: Int64 = 1 << 26
    /// Different error codes counted by name; more are counted together.
    static let errorCodesMax = 16
    /// Descriptors beside those of the connections.
    static let descriptorsReserved: UInt = 32
}
