/// What the daemon has done since its start.
struct Statistics {
    /// Upper bounds of the latency buckets in microseconds. One more bucket holds what is slower.
    static let latencyBounds: [Int64] = [
        500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000,
    ]

    var requests = RequestCounts()
    var protocolErrors: Int64 = 0
    var connectionsRefused: Int64 = 0
    /// Of these, refused because their user had too many.
    var connectionsOverShare: Int64 = 0
    /// Closed because all clients together held too much memory.
    var connectionsAbandoned: Int64 = 0
    /// Requests that were begun and not finished in time.
    var requestsUnfinished: Int64 = 0
    /// Clients inherited from the previous process.
    var connectionsTakenOver: Int64 = 0

    var changed: Int64 = 0
    var unchanged: Int64 = 0
    var rateLimited: Int64 = 0
    var busy: Int64 = 0
    var unavailable: Int64 = 0
    var uncertain: Int64 = 0
    var hintedDuplicates: Int64 = 0
    var deadlinesMissed: Int64 = 0

    var localHits: Int64 = 0
    var localMisses: Int64 = 0
    var redisHits: Int64 = 0
    var redisMisses: Int64 = 0
    var databaseReads: Int64 = 0
    var staleServed: Int64 = 0

    var batches: Int64 = 0
    var batchedChanges: Int64 = 0
    var batchRetries: Int64 = 0
    var batchesTakenApart: Int64 = 0
    var batchesFoundCommitted: Int64 = 0
    var batchesFoundLost: Int64 = 0
    var lanesFencedOff: Int64 = 0
    var silentLanesFenced: Int64 = 0
    /// How often PostgreSQL was found to be at an earlier state than before.
    var databasesGoneBack: Int64 = 0
    /// How often hosts were found to use two Redis servers.
    var redisDisputes: Int64 = 0
    /// How often this host had all hosts drop what they had cached.
    var erasBegun: Int64 = 0
    var countersHeard: Int64 = 0
    /// Calls to Redis to tell hosts of counters that were set a moment after they had been told of others.
    var tellings: Int64 = 0
    var redisErrors: Int64 = 0
    /// What no host of this database had sealed: counters in Redis …
    var forgedCounters: Int64 = 0
    /// … counters in messages …
    var forgedMessages: Int64 = 0
    /// … and as the marker.
    var forgedMarkers: Int64 = 0
    /// Counters in Redis with a seal so old that PostgreSQL was asked.
    var agedCounters: Int64 = 0
    /// Counters from PostgreSQL that were not put into Redis, because it had not taken the previous ones yet.
    var fillsLeftOut: Int64 = 0
    var databaseErrors: Int64 = 0
    /// Connections ended because of what the server sent: something nobody asked for, an invalid answer, or one without
    /// end.
    var redisUnexpected: Int64 = 0
    var databaseUnexpected: Int64 = 0

    var changeLatency = [Int64](repeating: 0, count: latencyBounds.count + 1)
    var changeLatencySumMicroseconds: Int64 = 0
}

/// How many requests of each kind were received.
struct RequestCounts {
    /// METRICS lists them under these names and in this order.
    enum Kind: Int, CaseIterable {
        case like, unlike, count, mcount
        /// LIKED and MLIKED.
        case liked
        /// LIKES and LIKERS.
        case lists
        case other, invalid
    }

    private var counts = [Int64](repeating: 0, count: Kind.allCases.count)

    subscript(_ kind: Kind) -> Int64 {
        get { counts[kind.rawValue] }
        set { counts[kind.rawValue] = newValue }
    }

    var total: Int64 { counts.reduce(0, +) }
}
