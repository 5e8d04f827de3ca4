import LikesProtocol
import LikesSettings
import LikesStorage

/// All of likesd's decisions: events in, actions out. No clock, no socket, no C.
///
/// The components own their state and do not know each other. Each takes facts and returns what follows from them. Only
/// the core connects two of them, in its extensions: one file for each kind of event.
package struct Core {
    var settings: CoreSettings
    /// Connections, the order of requests on each, and deadlines.
    var clients: Clients
    /// Likes and unlikes, from admission to reply.
    var writes: Writes
    /// Counts and pairs that clients wait for.
    var reads: Reads
    /// The newest counters that this host knows.
    var known: KnownCounters
    var redis: RedisAccess
    var lane: Lane
    var reader: Reader
    /// Which data in Redis is believed, and which past of the database this is.
    var coherence: Coherence
    /// Counters that may be old in Redis.
    var repairs: Repairs
    var reports: Reports
    var random: Random

    /// `seed` feeds the jitter of reconnections and the cache's hash. `now` is the start. `unitMemoryBytes`: the memory
    /// limit of the systemd unit; nil: it has none.
    package init(
        configuration: Configuration, versions: VersionFacts, seed: UInt64, now: Instant,
        unitMemoryBytes: Int64? = nil, limits: Limits = .standard, safeguards: Safeguards = Safeguards()
    ) {
        settings = CoreSettings(
            configuration: configuration, unitMemoryBytes: unitMemoryBytes, limits: limits, safeguards: safeguards)
        reports = Reports(versions: versions, now: now)
        random = Random(seed: seed)
        let cache = LocalCache(
            entriesMax: configuration.localCacheEntries, ttlMs: configuration.localCacheTTLMs, seed: random.next(),
            handStepsMax: limits.cacheHandStepsMax)
        known = KnownCounters(
            cache: cache,
            recent: RecentCounters(redisCallMs: configuration.redisCallMsMax, limits: limits, now: now),
            doubts: Doubts(limits, now: now), safeguards)
        clients = Clients(
            Sessions(
                requestsInFlightMax: limits.requestsInFlightMax,
                memory: ClientMemory(limitBytes: settings.clientMemoryLimitBytes, now: now)))
        writes = Writes(configuration, limits)
        reads = Reads(safeguards)
        redis = RedisAccess(configuration.itemTypes, now: now)
        lane = Lane(number: LaneNumber.first(&random), limits, now: now)
        reader = Reader(standbys: configuration.databaseReplicaURLs.count, now: now)
        repairs = Repairs(limits, seed: random.next(), now: now)
        coherence = Coherence(configuration, key: random.key, limits, safeguards, now: now)
    }

    /// The settings in force.
    package var configuration: Configuration { _read { yield settings.configuration } }
    var limits: Limits { _read { yield settings.limits } }
    var safeguards: Safeguards { _read { yield settings.safeguards } }

    /// How often this process reported that PostgreSQL went back, how often that other hosts use another Redis, and how
    /// often it had all hosts drop what they had cached.
    package var alarms: (databasesGoneBack: Int64, redisDisputes: Int64, erasBegun: Int64) {
        let statistics = reports.statistics
        return (statistics.databasesGoneBack, statistics.redisDisputes, statistics.erasBegun)
    }

    /// Counts that this process took from standbys, and those that it had to ask of the primary instead.
    package var standbyCounts: (answered: Int64, refused: Int64) {
        (reader.standbys.answered, reader.standbys.refused)
    }

    /// The daemon measures the process before it hands over INFO or METRICS.
    package mutating func observe(_ process: ProcessFacts) { reports.observe(process) }

    /// Logs a line that may be repeated often.
    mutating func say(
        _ kind: RepeatedLines.Kind, _ level: LogLevel, _ text: @autoclosure () -> String, _ turn: inout Turn
    ) {
        guard level <= configuration.logLevel else { return }
        reports.say(kind, level, text(), &turn)
    }

    /// Stops the process if a component is inconsistent, or if two of them disagree. The simulation, tests and debug
    /// builds call it after each turn. It visits every entry of the core's tables, so it checks nothing when there are
    /// more than `entriesMax` of them.
    package func checkInvariants(entriesMax: Int = 500) {
        let waiting = clients.sessions.waitingCount + writes.count + reads.fetchesCount + repairs.count
        let entries = clients.sessions.openCount + waiting
        guard entries <= entriesMax else { return }
        clients.checkInvariants()
        writes.checkInvariants()
        reads.checkInvariants()
        known.checkInvariants()
        redis.checkInvariants()
        lane.checkInvariants()
        reader.checkInvariants()
        coherence.checkInvariants()
        repairs.checkInvariants()
        reports.stalls.checkInvariants()
        for node in redis.places {
            precondition(
                redis[node].link.isUp || coherence[node].trust.generation == nil, "data is not trusted without Redis")
        }
    }
}

// MARK: Facts that need several components

extension Core {
    /// Whether the reader sees everything that was acknowledged. A standby may lag behind.
    var canAskPrimary: Bool { reader.seesPrimary }

    /// The generation to write under; nil: the node is down, not identified, or not the one that all hosts use.
    func writableGeneration(_ node: NodePlace) -> Generation? {
        let trust = coherence[node].trust
        return redis[node].link.isUp && trust.dispute == nil && coherence.sealer.isReady ? trust.generation : nil
    }

    /// Whether the node is asked to admit changes. A node of a cluster counts users' rates whatever data it has: while
    /// its data is identified, this process would count for itself.
    func admits(_ node: NodePlace) -> Bool {
        redis.isCluster ? redis[node].link.isUp : writableGeneration(node) != nil
    }

    /// The node of the item, if it may be written.
    func writableNode(of item: Item) -> NodePlace? {
        redis.node(of: item).flatMap { writableGeneration($0) == nil ? nil : $0 }
    }

    /// The generation to read under. While PostgreSQL cannot be asked, it is not known what other hosts could not write
    /// to Redis, and an old count is better than none.
    func readableGeneration(_ node: NodePlace) -> Generation? {
        guard redis[node].link.isUp, isBelieved(node) || !canAskPrimary else { return nil }
        return coherence[node].trust.generation
    }

    private func isBelieved(_ node: NodePlace) -> Bool {
        let trust = coherence[node].trust
        // While an era is owed, Redis has counters of a past that is over.
        return repairs.isAllKnown(node) && coherence.past.owedReason == nil
            && (trust.isAgreed || !lane.link.isUp && trust.dispute == nil)
    }

    /// Whether this host learns of all that other hosts change of the node's items, by message or from `cache_repairs`.
    private func isHearing(_ node: NodePlace) -> Bool {
        let trust = coherence[node].trust
        return redis[node].subscriber.isUp && trust.generation != nil && trust.dispute == nil
            && repairs.isAllKnown(node)
    }

    /// Entries are fresh for the TTL, but only for a short time while this host does not hear of others' changes.
    mutating func boundCache() {
        let ttlMs = configuration.localCacheTTLMs
        for node in redis.places {
            known.setTTL(ms: isHearing(node) ? ttlMs : min(ttlMs, Limits.unheardCacheMs), of: node)
        }
    }

    /// Take one before asking PostgreSQL for something that goes into Redis.
    func writePermit(now: Instant) -> WritePermit {
        WritePermit(nodes: redis.places.map(nodePermit), era: coherence.past.era, askedAt: now)
    }

    func nodePermit(_ node: NodePlace) -> NodePermit {
        let subscriber = redis[node].subscriber
        return NodePermit(
            generation: writableGeneration(node),
            subscription: subscriber.isUp ? subscriber.connectedTotal : -subscriber.connectedTotal,
            identifiedAt: coherence[node].trust.identifiedAt, slotsWon: redis[node].slotsWon)
    }

    /// Whether all hosts use this node. Another one would lack what this one has.
    func isRedisAgreed(_ node: NodePlace) -> Bool {
        let trust = coherence[node].trust
        return trust.isAgreed && trust.isUnanimous
    }

    /// The same for all nodes that have anything.
    var isRedisAgreed: Bool { redis.inUse.allSatisfy(isRedisAgreed) }

    /// Whether rows of `cache_repairs` may be deleted, because they are set in this host's Redis or settled by its
    /// data, and there are such rows.
    var mayStrikeOff: Bool {
        lane.upkeep.settled != nil && isRedisAgreed
            || repairs.places.contains { repairs[$0].mendedCount > 0 && isRedisAgreed($0) }
    }

    /// Whether hosts are still to be told of something that Redis has.
    var oweTelling: Bool {
        redis.places.contains { writableGeneration($0) != nil && !coherence[$0].tellings.isSettled }
    }

    /// Whether this host leaves something for others to find or to do.
    var leavesSomething: Bool { lane.upkeep.hasJournal || repairs.untoldCount > 0 }

    /// The connections that there should be.
    var backends: [Backend] { settings.backends }

    subscript(_ backend: Backend) -> Link {
        // Not `_read`: its coroutine would allocate, several times in each turn.
        get {
            switch backend {
            case .redis(let node): redis[node].link
            case .subscriber(let node): redis[node].subscriber
            case .lane: lane.link
            case .reader: reader.link
            case .standby(let place): reader.standbys[place].link
            }
        }
        _modify {
            switch backend {
            case .redis(let node): yield &redis[node].link
            case .subscriber(let node): yield &redis[node].subscriber
            case .lane: yield &lane.link
            case .reader: yield &reader.link
            case .standby(let place): yield &reader.standbys[place].link
            }
        }
    }
}
