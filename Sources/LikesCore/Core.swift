import LikesProtocol
import LikesSettings
import LikesStorage

/// All of likesd's decisions: events in, actions out. No clock, no socket, no C.
///
/// The events stand in the extensions: requests in `Core+Requests`, counts and pairs in `Reads/`, the path of a change
/// in `Writes/`, connections and time in `Backends/`.
package struct Core {
    package internal(set) var configuration: Configuration
    /// What the configuration file says otherwise, in the order of the settings, since the last reload.
    var restartNeeded: [Setting] = []
    let limits: Limits
    let safeguards: Safeguards
    let versions: VersionFacts
    let unitMemoryBytes: Int64?
    let startedAt: Instant
    var process = ProcessFacts(residentBytes: 0, userCPUMicroseconds: 0, systemCPUMicroseconds: 0)

    var sessions: Sessions
    var changes = Changes()
    /// Elements of MCOUNT and MLIKED that have come in.
    var gathers: [Ticket: Gather] = [:]
    /// Requests that wait for an earlier one of their own connection.
    var followers: [Ticket: [Follower]] = [:]
    /// Of these, lists that are being started: what is left of them is not in the table any more.
    var followersStarting = 0
    /// Of the followers, changes that were admitted already: what comes later on their connections may be on its way
    /// past them.
    var admittedFollowing = 0
    /// Reads that followed a change which came to nothing, and look for themselves.
    var unfollowed: Set<Ticket> = []
    /// Deadlines of all that waits; in order, since every request gets the same time.
    var deadlines = Ring<Deadline>()

    var cache: LocalCache
    var fetches = Fetches()
    var pairQueue = Ring<PairRead>()

    var localRate: LocalRate
    var admissionQueue = Ring<ChangeIndex>()
    /// Changes in stage `held`, by the change that is being verified before them.
    var held: [ChangeIndex: [ChangeIndex]] = [:]
    /// Changes in stage `verifying`.
    var verifyingCount = 0
    var laneQueue = Ring<ChangeIndex>()
    /// In stage `queued` as well, while the lane is there; without it all are in `laneQueue`.
    var parked = Parked()
    /// Parts of batches of which a row was refused, the next to be sent last.
    var suspects: [[ChangeIndex]] = []
    /// Committed, the item's count still to be read.
    var countQueue = Ring<ChangeIndex>()
    /// How many changes in stage `counting` each connection has of an item: later ones wait in the lane's queue, since
    /// the count that is being read must not have them.
    var counting: [OwnItem: Int] = [:]

    var calls = Calls()
    var redis: Link
    var subscriber: Link
    var lane: Link
    var reader: Link
    /// What Redis answered to calls of each kind that it refused last.
    var redisRefusals: [RedisTask: RedisRefusal] = [:]
    var isReaderStandby = false
    /// Servers of PostgreSQL that are passed over, and that somebody should see to.
    var serversPassedOver: [ServerAdvice] = []
    var laneRow: LaneRow
    var laneRate: LaneRate
    /// What is known of the database's past.
    var past = DatabasePast()

    var trust: Trust
    var sealer: Sealer
    /// The local cache may have counters that are believed only while PostgreSQL can't be asked.
    var hasBelievedAged = false
    var heartbeat: Heartbeat
    var repairs: Repairs
    var doubts: Doubts
    var recent: RecentCounters
    var jitter: SplitMix64
    /// What others get to see of `jitter` is hashed with it, or they could tell what comes.
    let key: SipHash.Key
    var stopBy: Instant?
    var hasStopped = false

    var lines = RepeatedLines()
    var statistics = Statistics()
    var statusRates: StatusRates

    /// `seed` feeds the jitter of reconnections and the cache's hash; `now` is the start. `unitMemoryBytes`: what the
    /// unit may take in all; nil: it has no limit.
    package init(
        configuration: Configuration, versions: VersionFacts, seed: UInt64, now: Instant,
        unitMemoryBytes: Int64? = nil, limits: Limits = .standard, safeguards: Safeguards = Safeguards()
    ) {
        self.configuration = configuration
        self.unitMemoryBytes = unitMemoryBytes
        self.limits = limits
        self.safeguards = safeguards
        self.versions = versions
        startedAt = now
        statusRates = StatusRates(now: now)
        jitter = SplitMix64(seed: seed)
        key = SipHash.Key(low: jitter.next(), high: jitter.next())
        cache = LocalCache(
            entriesMax: configuration.localCacheEntries, ttlMs: configuration.localCacheTTLMs, seed: jitter.next(),
            handStepsMax: limits.cacheHandStepsMax)
        sessions = Sessions(
            requestsInFlightMax: limits.requestsInFlightMax,
            memory: ClientMemory(
                limitBytes: Self.clientMemoryMax(configuration, unitMemoryBytes: unitMemoryBytes), now: now))
        laneRate = LaneRate(limits)
        repairs = Repairs(limits)
        localRate = LocalRate(
            requestsMax: configuration.rateLimitRequests, windowSeconds: configuration.rateLimitWindowSeconds,
            usersMax: limits.localRateUsersMax)
        redis = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
        subscriber = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
        lane = Link(connectMsMax: Limits.postgresConnectMsMax, now: now)
        reader = Link(connectMsMax: Limits.postgresConnectMsMax, now: now)
        laneRow = LaneRow(lane: Int64(jitter.next() >> 1), now: now)
        doubts = Doubts(limits, now: now)
        trust = Trust(now: now)
        sealer = Sealer(configuration.itemTypes)
        repairs = Repairs(limits, seed: jitter.next())
        recent = RecentCounters(redisCallMs: configuration.redisCallMsMax, limits: limits, now: now)
        heartbeat = Heartbeat(redisCallMs: configuration.redisCallMsMax, key: key, now: now)
    }

    /// Told to a client that finds the table of connections full.
    package static let refusal = ErrorReply(.busy, "too many connections: raise MAX_CONNECTIONS or use fewer clients")

    /// How often this process said that PostgreSQL went back, and that other hosts use another Redis, and how often it
    /// had all hosts drop what they had cached.
    package var alarms: (databasesGoneBack: Int64, redisDisputes: Int64, erasBegun: Int64) {
        (statistics.databasesGoneBack, statistics.redisDisputes, statistics.erasBegun)
    }

    /// Measured by the daemon before it hands over INFO or METRICS.
    package mutating func observe(_ process: ProcessFacts) { self.process = process }
}

/// The reply to MCOUNT or MLIKED while its elements come in.
struct Gather {
    enum Kind {
        case counts([Item])
        case liked(user: Int64, items: [Item])
    }
    var kind: Kind
    var values: [Int64?]
    var missing: Int
}

/// A request that starts when an earlier one of its connection has been answered.
enum Follower {
    case change(ChangeIndex)
    /// Its rate is counted already.
    case admittedChange(ChangeIndex)
    case count(Part, Item, CountBehind)
    /// `answer`: what the change makes of the pair, when the request came before the change was sent; nil: ask.
    case liked(Part, Pair, answer: Bool?)
}

/// Where a COUNT behind a change has its count from.
enum CountBehind {
    /// It asks.
    case asked
    /// It is the change's, which had not been sent when the COUNT came: the commit lies between its request and its
    /// reply.
    case ofChange
    /// The same, of a change that had been sent: unless something newer is known when the batch is answered. No later
    /// change of the connection is in that batch.
    case ofSentChange
    /// It was known when the batch was answered, and is newer than the change's.
    case newer(Int64)
}

/// When a request's time is over.
struct Deadline {
    enum Holder {
        case change(ChangeIndex, generation: UInt32)
        case read(Ticket)
    }
    var at: Instant
    var holder: Holder
}
