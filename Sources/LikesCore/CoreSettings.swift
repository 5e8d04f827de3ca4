import LikesSettings

/// What the core was told at the start and by the last reload.
struct CoreSettings {
    var configuration: Configuration
    /// The settings whose values in the file differed at the last reload, and that only a restart can change. In the
    /// order of the settings.
    var restartNeeded: [Setting] = []
    /// The memory limit of the systemd unit, in bytes; nil: it has none.
    let unitMemoryBytes: Int64?
    let limits: Limits
    let safeguards: Safeguards
    /// The connections that there are. Standbys cannot change while the process runs; a cluster's nodes can.
    private(set) var backends: [Backend]

    init(configuration: Configuration, unitMemoryBytes: Int64?, limits: Limits, safeguards: Safeguards) {
        self.configuration = configuration
        self.unitMemoryBytes = unitMemoryBytes
        self.limits = limits
        self.safeguards = safeguards
        backends = Backend.all(standbys: configuration.databaseReplicaURLs.count)
    }

    /// The cluster's nodes are others than before, or other ones have slots.
    mutating func nodesChanged(_ redis: RedisAccess) {
        backends = Backend.all(redis: redis.places.count, standbys: configuration.databaseReplicaURLs.count)
            .filter(redis.needs)
    }

    /// The most that all clients together may hold, in bytes: as configured, or derived from the unit's limit.
    var clientMemoryLimitBytes: Int {
        guard configuration.clientMemoryBytesMax == 0 else { return Int(configuration.clientMemoryBytesMax) }
        return unitMemoryBytes.map { Int($0) / Limits.clientMemoryShare } ?? Limits.clientMemoryBytes
    }
}
