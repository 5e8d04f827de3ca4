/// Bounds on the sources of settings, and on parts of their values. The range of a setting stands in its entry of
/// `Setting.allCases`. A value out of range is refused at the start, never truncated.
package enum ConfigurationLimits {
    /// Bytes of a configuration file. All settings with long comments take 10 KiB.
    package static let fileBytesMax = 1024 * 1024
    /// Bytes of a credential: a URL with a name and a password, or a list of them.
    package static let credentialBytesMax = 64 * 1024
    /// Bytes of a Unix socket's path: `sun_path` without its ending zero.
    package static let socketPathBytesMax = 107
    /// By default one user has at most this many quarters of MAX_CONNECTIONS.
    static let connectionShareQuarters = 3
    /// In Redis, a database's number is a C int.
    static let redisDatabase: ClosedRange<Int64> = 0...2_147_483_647
    /// Standbys of PostgreSQL, each with a connection of its own.
    package static let standbysMax = 16
    /// Sentinels in REDIS_URL: each gets two connections from every host. Three or five are usual.
    package static let sentinelsMax = 16
    /// Nodes of a Redis Cluster in REDIS_URL. Any of them names the others.
    static let redisNodesMax = 16
    /// Bytes of the name under which Sentinels watch a primary.
    static let sentinelNameBytesMax = 128
    /// TCP ports.
    package static let port: ClosedRange<Int64> = 1...65_535
}
