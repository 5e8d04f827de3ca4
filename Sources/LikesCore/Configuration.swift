import LikesProtocol

/// Every setting, checked. Names and defaults are those of docs/configuration and the reference service.
package struct Configuration: Equatable, Sendable {
    package var socketPath = "/run/likesd/likesd.sock"
    package var socketMode: UInt32 = 0o660
    /// A libpq URI or conninfo.
    package var databaseURL = "postgresql:///likes"
    package var databaseReplicaURLs: [String] = []
    package var redis = RedisEndpoint(
        address: .tcp(host: "localhost", port: 6379), username: nil, password: nil, database: 0)
    package var cacheTTLSeconds: Int64 = 3_600
    package var recentLikesTTLSeconds: Int64 = 86_400
    package var recentLikesMax: Int64 = 1_000
    package var rateLimitRequests: Int64 = 100
    package var rateLimitWindowSeconds: Int64 = 60
    package var itemTypes = ItemTypes.standard
    package var localCacheEntries = 1_000_000
    package var localCacheTTLMs: Int64 = 1_000
    package var requestTimeoutMs: Int64 = 5_000
    package var redisTimeoutMs: Int64 = 100
    package var connectionsMax = 4_096
    package var logLevel = LogLevel.info

    package init() {}
}

/// Where Redis is, from `REDIS_URL`.
package struct RedisEndpoint: Equatable, Sendable {
    package enum Address: Equatable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }
    package var address: Address
    package var username: String?
    package var password: String?
    package var database: Int
    package init(address: Address, username: String?, password: String?, database: Int) {
        self.address = address
        self.username = username
        self.password = password
        self.database = database
    }
}
