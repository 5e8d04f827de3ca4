import LikesProtocol
import LikesSettings
import LikesStorage

/// All of likesd's decisions: events in, actions out. No clock, no socket, no C.
///
/// Its components own their state and know nothing of each other. Each takes facts and returns what came of them; the
/// core alone connects two of them, in its extensions: one file for each kind of event.
package struct Core {
    var settings: CoreSettings
    /// Connections, the order of requests on each, and deadlines.
    var clients: Clients
    /// Likes and unlikes from admission to reply.
    var writes: Writes
    /// Counts and pairs that clients wait for.
    var reads: Reads
    /// The newest counters that this host knows.
    var known: KnownCounters
    var redis: RedisAccess
    var lane: Lane
    var reader: Reader
    /// Which data in Redis is believed, and which past of the database.
    var coherence: Coherence
    /// Counters that Redis may have old.
    var repairs: Repairs
    var reports: Reports
    var random: Random

    /// `seed` feeds the jitter of reconnections and the cache's hash; `now` is the start. `unitMemoryBytes`: what the
    /// unit may take in all; nil: it has no limit.
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
                memory: ClientMemory(limitBytes: settings.clientMemoryBytesMax, now: now)))
        writes = Writes(configuration, limits)
        reads = Reads(safeguards)
        redis = RedisAccess(now: now)
        lane = Lane(number: random.laneNumber(), limits, now: now)
        reader = Reader(now: now)
        repairs = Repairs(limits, seed: random.next(), now: now)
        coherence = Coherence(configuration, key: random.key, safeguards, now: now)
    }

    package var configuration: Configuration { _read { yield settings.configuration } }
    var limits: Limits { _read { yield settings.limits } }
    var safeguards: Safeguards { _read { yield settings.safeguards } }

    /// How often this process said that PostgreSQL went back, and that other hosts use another Redis, and how often it
    /// had all hosts drop what they had cached.
    package var alarms: (databasesGoneBack: Int64, redisDisputes: Int64, erasBegun: Int64) {
        let statistics = reports.statistics
        return (statistics.databasesGoneBack, statistics.redisDisputes, statistics.erasBegun)
    }

    /// Measured by the daemon before it hands over INFO or METRICS.
    package mutating func observe(_ process: ProcessFacts) { reports.observe(process) }

    /// A line in the log that may come again and again.
    mutating func say(
        _ kind: RepeatedLines.Kind, _ level: LogLevel, _ text: @autoclosure () -> String, _ turn: inout Turn
    ) {
        guard level <= configuration.logLevel else { return }
        reports.say(kind, level, text(), &turn)
    }

    /// Stops the process where a component, or what two of them know together, is not as it has to be. For the
    /// simulation, tests and debug builds, after each turn. It passes over all that is held, so with more than
    /// `heldMax` of it nothing is checked.
    package func checkInvariants(heldMax: Int = 500) {
        let held = clients.sessions.table.count + clients.sessions.waitingCount + writes.count + repairs.count
        guard held <= heldMax else { return }
        clients.checkInvariants()
        writes.checkInvariants()
        reads.checkInvariants()
        known.checkInvariants()
        redis.checkInvariants()
        lane.checkInvariants()
        reader.checkInvariants()
        coherence.checkInvariants()
        repairs.checkInvariants()
        precondition(redis.link.isUp || coherence.trust.generation == nil, "data is not trusted without Redis")
    }
}

// MARK: What several components know together

extension Core {
    /// Whether the reader is where what was acknowledged last can be seen; a standby may lag behind.
    var canAskPrimary: Bool { reader.seesPrimary }

    /// The generation to write under; nil: Redis is not there, not identified, or not the one that all hosts use.
    var writableGeneration: Generation? {
        redis.link.isUp && coherence.trust.disputedIn == nil && coherence.sealer.isReady
            ? coherence.trust.generation : nil
    }

    /// The generation to read under. While PostgreSQL can't be asked, what others could not write is not known, and
    /// something old is better than nothing.
    var readableGeneration: Generation? {
        guard redis.link.isUp, isRedisBelieved || !canAskPrimary else { return nil }
        return coherence.trust.generation
    }

    private var isRedisBelieved: Bool {
        // Where an era is owed, Redis has counters of a past that is over.
        let trust = coherence.trust
        return repairs.isAllKnown && coherence.past.owedReason == nil
            && (trust.isAgreed || !lane.link.isUp && trust.disputedIn == nil)
    }

    /// Whether all that other hosts change is heard of, or was found in `cache_repairs`.
    private var isHearing: Bool {
        redis.subscriber.isUp && coherence.trust.generation != nil && coherence.trust.disputedIn == nil
            && repairs.isAllKnown
    }

    /// Entries are fresh for the time that is set, but not long while hosts do not hear each other.
    mutating func boundCache() {
        let ttlMs = configuration.localCacheTTLMs
        known.setTTL(ms: isHearing ? ttlMs : min(ttlMs, Limits.unheardCacheMs))
    }

    /// Taken before PostgreSQL is asked for what is to be put into Redis.
    func writePermit(now: Instant) -> WritePermit {
        let subscriber = redis.subscriber
        return WritePermit(
            generation: writableGeneration,
            subscription: subscriber.isUp ? subscriber.connectedTotal : -subscriber.connectedTotal,
            identifiedAt: coherence.trust.identifiedAt, era: coherence.past.era, askedAt: now)
    }

    /// No other host may use another Redis, which lacks what this one's has.
    var isRedisAgreed: Bool { coherence.trust.isAgreed && coherence.trust.isUnanimous }

    /// Rows may go that are set in this host's Redis, or settled by its data, and there are some.
    var mayStrikeOff: Bool { isRedisAgreed && (repairs.mendedCount > 0 || lane.upkeep.settled != nil) }

    /// Whether something of this host's is left for others to find or to do.
    var leavesSomething: Bool { lane.upkeep.hasJournal || repairs.untoldCount > 0 }

    subscript(_ backend: Backend) -> Link {
        _read {
            switch backend {
            case .redis: yield redis.link
            case .subscriber: yield redis.subscriber
            case .lane: yield lane.link
            case .reader: yield reader.link
            }
        }
        _modify {
            switch backend {
            case .redis: yield &redis.link
            case .subscriber: yield &redis.subscriber
            case .lane: yield &lane.link
            case .reader: yield &reader.link
            }
        }
    }
}
