/// What the settings may be. A value outside is refused at the start, never cut to fit.
package enum ConfigurationLimits {
    /// Bytes of a configuration file. All settings commented at length take 10 KiB.
    package static let fileBytesMax = 1024 * 1024
    /// Bytes of a credential: a URL with a name and a password, or a list of them.
    package static let credentialBytesMax = 64 * 1024
    /// Bytes of a Unix socket's path: `sun_path` without its ending zero.
    package static let socketPathBytesMax = 107
    /// Permission bits; set-id and sticky bits mean nothing on a socket.
    package static let socketMode: ClosedRange<UInt32> = 0...0o777
    /// Up to a year, for everything kept in Redis.
    package static let ttlSeconds: ClosedRange<Int64> = 1...31_536_000
    /// Members of one user's recent likes; a set of a million takes some 60 MB of Redis.
    package static let recentLikesMax: ClosedRange<Int64> = 1...1_000_000
    /// Changes per window; 0 turns the limit off.
    package static let rateLimitRequests: ClosedRange<Int64> = 0...1_000_000_000
    /// Up to a year, as for all that is kept in Redis.
    package static let rateLimitWindowSeconds: ClosedRange<Int64> = 1...31_536_000
    /// Entries of the local cache, about 48 bytes each; 0 keeps none.
    package static let localCacheEntries: ClosedRange<Int64> = 0...100_000_000
    /// Up to an hour; 0 asks Redis for every count.
    package static let localCacheTTLMs: ClosedRange<Int64> = 0...3_600_000
    /// Below 10 ms PostgreSQL could not commit in time; above 10 minutes nobody waits any more.
    package static let requestTimeoutMs: ClosedRange<Int64> = 10...600_000
    /// Up to a minute: replies wait this long for a hung Redis.
    package static let redisTimeoutMs: ClosedRange<Int64> = 1...60_000
    /// Client connections; each takes a descriptor.
    package static let connectionsMax: ClosedRange<Int64> = 1...100_000
    /// One user has no more than so many quarters of MAX_CONNECTIONS, unless told …
    static let connectionShareQuarters = 3
    /// … how many; 0: that share.
    package static let connectionsPerUserMax: ClosedRange<Int64> = 0...100_000
    /// Bytes that all clients together may hold, 1 MiB to 1 TiB: below, one that is served as it should be might hold
    /// more than all may. 0 finds a value by itself.
    package static let clientMemoryBytesMax: ClosedRange<Int64> = 1_048_576...1_099_511_627_776
    /// Redis' own number of databases is a C int.
    package static let redisDatabase: ClosedRange<Int64> = 0...2_147_483_647
    /// TCP ports.
    package static let port: ClosedRange<Int64> = 1...65_535
}
