/// What a plan takes for granted. These are choices, not measurements: a server that is larger carries more.
package enum PlanAssumptions {
    /// Of what something can do, what it is planned to do: the rest is for bursts, repairs and a host that is away.
    static let usableShare = 0.7
    /// Hosts that are there even if one carries the load: one may fail.
    static let hostsMin = 2
    /// A cluster has no fewer primaries: fewer find no majority.
    static let clusterNodesMin = 3
    /// Of one Redis server. More takes long to copy to a replica, and to load again.
    static let redisMemoryBytes = 16.0 * gigabyte
    /// Of one PostgreSQL server.
    static let databaseCores = 16.0
    static let databaseMemoryBytes = 128.0 * gigabyte
    /// Of that, what the index may take of PostgreSQL's and the kernel's caches.
    static let indexMemoryShare = 0.75
    static let databaseDiskBytes = 10.0 * terabyte
    /// Of WAL, to the primary's disk and to each standby.
    static let logBytesPerSecond = 250.0 * megabyte
    /// PostgreSQL's default `checkpoint_timeout`. After each checkpoint the first change of a page logs all of it.
    static let checkpointSeconds = 300.0
    /// likesd's default `LOCAL_CACHE_ENTRIES`.
    static let localEntriesMax = 1_000_000.0
    /// likesd's default `RECENT_LIKES_MAX`.
    static let recentLikesMax = 1_000.0
    /// likesd's default `RATE_LIMIT_WINDOW_SECONDS`.
    static let rateWindowSeconds = 60.0
    /// Clients of one host.
    static let connectionsPerHost = 1_000.0
    /// Connections to PostgreSQL beside likesd's: superusers, backups, standbys.
    static let connectionsBeside = 20.0
    /// Likes in one table, or one partition, that are still quick to maintain.
    static let likesPerTable = 300_000_000.0
    /// Fewer are not worth it.
    static let partitionsMin = 16
    /// Of what a likesd may take, what it may spend on hearing of the others' changes.
    static let hearingShare = 0.5
    /// Of what PostgreSQL's processors may take, what partitions may.
    static let partitionsShare = 0.2
    /// Of PostgreSQL's memory, what its connections may take.
    static let connectionMemoryShare = 0.15
    /// More than these is no plan any more.
    static let databasesMax = 1_000

    static let secondsPerDay = 86_400.0
    static let secondsPerYear = 365 * secondsPerDay
    static let pageBytes = 8_192.0
    static let megabyte = 1e6
    static let gigabyte = 1e9
    static let terabyte = 1e12
}
