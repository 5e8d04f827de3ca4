import LikesProtocol
import LikesSettings
import LikesStorage

/// How this host and Redis stay of one mind: which database this is and at which of its pasts, whether the data in
/// Redis is of it, whether messages arrive, and whose word a counter in Redis is.
struct Coherence {
    var past = DatabasePast()
    var trust: Trust
    var sealer: Sealer
    var heartbeat: Heartbeat
    private let safeguards: Safeguards

    init(_ configuration: Configuration, key: SipHash.Key, _ safeguards: Safeguards, now: Instant) {
        trust = Trust(now: now)
        sealer = Sealer(configuration.itemTypes)
        heartbeat = Heartbeat(redisCallMs: configuration.redisCallMsMax, key: key, now: now)
        self.safeguards = safeguards
    }

    // MARK: Redis' data

    /// Whether what was made under the marker may be believed.
    func fits(_ found: Generation) -> Bool {
        found.token != trust.disownedToken && found.fits(past.history, era: past.era)
    }

    /// It says that it is another database's.
    func isForeign(_ found: Generation) -> Bool { past.history.map { !found.database.isSameDatabase($0) } ?? false }

    /// Whether a host of this database's has made it.
    func isGenuine(_ made: Generation) -> Bool { !safeguards.seals || sealer.isGenuine(made) }

    /// Whether hosts were at a later past of the very database that this one is at.
    func isPromoted(_ database: DatabaseHistory) -> Bool { past.history.map { database.isAhead(of: $0) } ?? false }

    /// Whether hosts of another database go on using this Redis: this one has made its own marker, and theirs is back.
    mutating func isShared(_ found: Generation, now: Instant) -> Bool {
        isForeign(found) && trust.isBack(found, now: now)
    }

    /// Whether a marker that is to be replaced is a stranger's. This host's own was made with the secret before.
    func isForged(marker: String) -> Bool {
        guard safeguards.seals, !marker.isEmpty else { return false }
        guard let made = Generation(marker: marker) else { return true }
        return made.token != trust.token && !isForeign(made) && !sealer.isGenuine(made)
    }

    /// Whether another host has begun a later era. The last era has no later one: there other data is.
    func isLaterEra(_ found: Generation, isMade: Bool) -> Bool {
        let isLater = found.era > past.era || found.era == Limits.eraMax && !isMade && found.token != trust.token
        return isLater && (past.history != nil || past.era > 0)
    }

    /// A marker to be made in place of one that was seen not to fit; nil: no server that takes writes was seen yet.
    func newMarker(instead unfit: String, token: String) -> IdentifyRequest.New? {
        past.history.map {
            IdentifyRequest.New(
                database: $0, era: past.era, token: token, snapshot: past.snapshot, instead: unfit,
                secret: sealer.secret)
        }
    }

    /// The data in Redis is of this generation.
    mutating func identified(_ found: Generation, isMade: Bool, now: Instant) {
        // Before PostgreSQL was there for the first time nobody knows who made it: it is looked at again then.
        if sealer.secret != nil || !safeguards.seals {
            past.join(era: found.era)
            past.use(found)
        }
        trust.identified(found, isMade: isMade, now: now)
    }

    // MARK: Counters in Redis

    enum Standing {
        case believed
        /// A host's, but from so long ago that a stranger may have put it back.
        case aged
        case forged
    }

    /// What to make of a counter in Redis. While PostgreSQL was never there nobody knows better, and while it can't be
    /// asked something old is better than nothing.
    mutating func standing(of sealed: SealedCounter, token: String, canAskPrimary: Bool, now: Instant) -> Standing {
        guard safeguards.seals, sealer.secret != nil else { return .believed }
        guard sealer.isGenuine(sealed, token: token) else { return .forged }
        return sealer.isRecent(sealed, now: now) || !canAskPrimary ? .believed : .aged
    }

    /// Whether a host of ours has sealed it for data of this token.
    mutating func isGenuine(_ sealed: SealedCounter, token: String) -> Bool {
        !safeguards.seals || sealer.isGenuine(sealed, token: token)
    }

    /// Whether it was a host's word just now. What Redis has by now nobody can tell from an older one.
    func isRecent(_ sealed: SealedCounter, now: Instant) -> Bool {
        !safeguards.seals || sealer.isRecent(sealed, now: now)
    }

    /// Before PostgreSQL was there for the first time nobody knows who speaks.
    var knowsWhoSpeaks: Bool { sealer.secret != nil || !safeguards.seals }

    /// What Redis kept instead of what it was given: counters of our hosts', and others.
    mutating func judge(
        _ kept: [KeptCounter], token: String
    ) -> (genuine: [CounterState], forged: [KeptCounter]) {
        var genuine: [CounterState] = []
        var forged: [KeptCounter] = []
        for kept in kept {
            if let sealed = kept.counter, isGenuine(sealed, token: token) {
                genuine.append(sealed.counter)
            } else {
                forged.append(kept)
            }
        }
        return (genuine, forged)
    }

    /// Counters as they go to Redis. PostgreSQL was asked for them, or for older ones, under the permit. A version that
    /// no history reaches is not put into Redis.
    mutating func sealed(
        _ counters: [CounterState], _ generation: Generation, _ permit: WritePermit
    ) -> [SealedCounter] {
        var sealed: [SealedCounter] = []
        sealed.reserveCapacity(counters.count)
        for counter in counters where counter.version <= Limits.versionMax {
            sealed.append(sealer.seal(counter, token: generation.token, askedAt: permit.askedAt))
        }
        return sealed
    }

    // MARK: The secret and the clock

    /// What it means that PostgreSQL named the secret and its time.
    struct Learnt {
        /// What was sealed before would be recent once more when its time comes again.
        var isClockSetBack = false
        /// The secret is news; and it takes another's place.
        var isNewSecret = false
        var isOtherSecret = false
    }

    /// PostgreSQL says by what seals are made; it was asked at `askedAt` or later.
    mutating func learn(_ facts: SealFacts, askedAt: Instant, now: Instant) -> Learnt {
        var learnt = Learnt()
        let wasKnown = sealer.secret != nil
        if let seconds = facts.seconds {
            let isSetBack = sealer.learn(seconds: seconds, askedAt: askedAt, heardAt: now)
            learnt.isClockSetBack = isSetBack && safeguards.seals && trust.token != nil
        } else if wasKnown {
            // A standby may not have the newest yet.
            return learnt
        }
        learnt.isNewSecret = sealer.learn(facts.secret) && safeguards.seals
        learnt.isOtherSecret = learnt.isNewSecret && wasKnown
        return learnt
    }

    func checkInvariants() {
        trust.checkInvariants()
        past.checkInvariants()
    }
}

extension DatabaseHistory {
    /// Whether a server of the same cluster was promoted to this one's timeline since the other's.
    func isAhead(of other: DatabaseHistory) -> Bool { system == other.system && timeline > other.timeline }
}
