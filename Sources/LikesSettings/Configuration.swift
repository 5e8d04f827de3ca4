import LikesProtocol

/// Every setting, checked; without a file, each has its default. `Setting.allCases` has names and ranges.
package struct Configuration: Equatable, Sendable {
    /// Where the daemon listens, 1 … 107 bytes; ignored under socket activation.
    package var socketPath = "/run/likesd/likesd.sock"
    /// Permission bits of the socket, 0 … 0o777.
    package var socketMode: UInt32 = 0o660
    /// A libpq URI or conninfo.
    package var databaseURL = "postgresql:///likes"
    package var databaseReplicaURLs: [String] = []
    package var redis = RedisEndpoint(topology: .server(.tcp(host: "localhost", port: 6379)))
    package var cacheTTLSeconds: Int64 = 3_600
    package var recentLikesTTLSeconds: Int64 = 86_400
    package var recentLikesMax: Int64 = 1_000
    /// Changes per user and window; 0 turns the limit off.
    package var rateLimitRequests: Int64 = 100
    package var rateLimitWindowSeconds: Int64 = 60
    package var itemTypes = ItemTypes.standard
    /// Counts kept in this process; 0 keeps none.
    package var localCacheEntries = 1_000_000
    package var localCacheTTLMs: Int64 = 1_000
    package var requestTimeoutMs: Int64 = 5_000
    package var redisTimeoutMs: Int64 = 100
    package var connectionsMax = 4_096
    /// How many of these one user may have; 0: three quarters of them.
    package var connectionsPerUserMax = 0
    /// Bytes that all clients together may make the process hold; 0: as `CoreSettings.clientMemoryBytesMax` determines.
    package var clientMemoryBytesMax: Int64 = 0
    package var logLevel = LogLevel.info
    package internal(set) var places = SettingPlaces()

    package init() {}
}

extension Configuration {
    /// Milliseconds that a call to Redis may take. A hung Redis must be noticed while a request still has time to
    /// continue without it.
    package var redisCallMsMax: Int64 { min(redisTimeoutMs, max(1, requestTimeoutMs / 2)) }

    /// Connections of one user; at least one.
    package var connectionsPerUser: Int {
        connectionsPerUserMax > 0
            ? connectionsPerUserMax : max(1, connectionsMax * ConfigurationLimits.connectionShareQuarters / 4)
    }
}
