/// The bounds of the load generator.
enum BenchLimits {
    /// Requests under way on all connections of an open loop, 24 bytes each, shared evenly among them. Further requests
    /// wait until there is room, and their latency runs.
    static let underWayMax = 1 << 20
    /// … and on one connection, at least and at most.
    static let underWayPerConnection = 64...65_536
    /// Bytes not yet taken by the sockets of all connections, shared evenly among them …
    static let outputBytesMax = 256 * 1024 * 1024
    /// … and by one socket in an open loop, at most. Each has room for one request beyond its share.
    static let outputBytes = 128 * 1024
    /// … and in a closed loop, where a whole pipeline is written at once.
    static let pipelineBytesMax = 1024 * 1024
    /// Bytes of one read.
    static let readBytes = 64 * 1024
    /// Events taken per wake-up: more would make the next arrivals of an open loop late.
    static let eventsPerWakeUp = 64
    /// Arrivals sent per wake-up, so that replies are read while a backlog is worked off.
    static let arrivalsPerWakeUp = 1_024
    /// A lost connection is reopened after at most this time. One that the daemon may be about to close is left alone
    /// for as long. Progress, and whether the run is over, are checked as often.
    static let tickNs: Int64 = 50_000_000
    /// After this long without any connection the daemon counts as gone.
    static let goneNs: Int64 = 5_000_000_000
    /// A request sent this much after it was due is late through the generator's fault, if a connection had room.
    static let lateNs: Int64 = 1_000_000
    /// Of a thousand requests this many may be late. With more, the generator did not keep its schedule.
    static let latePerMilleMax: Int64 = 1
    /// When the last answer of an open loop comes later than this after the last request was due …
    static let behindNsMax: Int64 = 100_000_000
    /// … and by more than this part of the time measured, requests queued up.
    static let behindShareMax = 0.02
    /// Requests that were due and never sent are counted one by one up to this number, and by the rate beyond.
    static let unsentDrawnMax: Int64 = 1 << 26
    /// Error codes counted by name; further ones are counted together.
    static let errorCodesMax = 16
    /// Descriptors other than those of the connections.
    static let descriptorsReserved: UInt = 32
}
