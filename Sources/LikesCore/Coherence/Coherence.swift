import LikesSettings
import LikesStorage

/// How this host and Redis stay consistent: which database this is and at which of its pasts, whether the data in Redis
/// belongs to it, whether messages arrive, and who made a counter in Redis.
struct Coherence {
    var past = DatabasePast()
    var sealer: Sealer
    private var nodes: [NodeCoherence]
    private let safeguards: Safeguards

    init(_ configuration: Configuration, key: SipHash.Key, _ limits: Limits, _ safeguards: Safeguards, now: Instant) {
        sealer = Sealer(configuration.itemTypes)
        nodes = []
        self.safeguards = safeguards
        addNode(configuration, key: key, limits, now: now)
    }

    mutating func addNode(_ configuration: Configuration, key: SipHash.Key, _ limits: Limits, now: Instant) {
        nodes.append(
            NodeCoherence(
                trust: Trust(now: now),
                heartbeat: Heartbeat(redisCallMs: configuration.redisCallMsMax, key: key, now: now),
                tellings: Tellings(limits, now: now)))
    }

    // Not `_read`: its coroutine would allocate.
    subscript(_ node: NodePlace) -> NodeCoherence {
        get { nodes[node] }
        _modify { yield &nodes[node] }
    }

    var places: Range<NodePlace> { nodes.indices }

    /// The node whose data has this token; nil: none.
    func node(of token: String) -> NodePlace? { nodes.firstIndex { $0.trust.token == token } }

    // MARK: Redis' data

    /// Whether data made under this marker may be believed.
    func fits(_ found: Generation, on node: NodePlace) -> Bool {
        let trust = nodes[node].trust
        return found.token != trust.disownedToken && !trust.isPast(found)
            && found.fits(past.identity, era: past.era)
    }

    /// Whether this host has dropped the data, which other hosts may still believe.
    func isDropped(_ found: Generation, on node: NodePlace) -> Bool {
        found.token == nodes[node].trust.disownedToken && found.fits(past.identity, era: past.era)
    }

    /// Whether the marker names another database.
    func isForeign(_ found: Generation) -> Bool { past.identity.map { !found.database.isSameDatabase($0) } ?? false }

    /// Whether a host of this database made the marker.
    func isGenuine(_ made: Generation) -> Bool { !safeguards.seals || sealer.isGenuine(made) }

    /// Whether hosts were at a later past of this same database.
    func isPromoted(_ database: DatabaseIdentity) -> Bool { past.identity.map { database.isAhead(of: $0) } ?? false }

    /// Whether hosts of another database still use this Redis: this host has made its own marker, and theirs is back.
    mutating func isShared(_ found: Generation, on node: NodePlace, now: Instant) -> Bool {
        isForeign(found) && nodes[node].trust.isBack(found, now: now)
    }

    /// Whether a marker that is to be replaced is a stranger's. This host's own may be sealed with the previous secret.
    func isForged(marker: String, on node: NodePlace) -> Bool {
        guard safeguards.seals, !marker.isEmpty else { return false }
        guard let made = Generation(marker: marker) else { return true }
        return made.token != nodes[node].trust.token && !isForeign(made) && !sealer.isGenuine(made)
    }

    /// Whether another host has begun a later era. There is none after the last era; then the sign is a new token.
    func isLaterEra(_ found: Generation, isMade: Bool, on node: NodePlace) -> Bool {
        let isOtherToken = found.token != nodes[node].trust.token
        let isLater = found.era > past.era || found.era == Generation.eraMax && !isMade && isOtherToken
        return isLater && (past.identity != nil || past.era > 0)
    }

    /// The marker to make in place of one that was seen not to fit; nil: no server that takes writes was seen yet.
    func newMarker(instead unfit: String, token: String) -> IdentifyRequest.New? {
        past.identity.map {
            IdentifyRequest.New(
                database: $0, era: past.era, token: token, snapshot: past.snapshot, instead: unfit,
                secret: sealer.secret)
        }
    }

    /// The data of the node is of this generation.
    mutating func identified(_ found: Generation, isMade: Bool, on node: NodePlace, now: Instant) {
        // Until PostgreSQL was reached for the first time, nobody knows who made the marker. It is checked again then.
        if sealer.secret != nil || !safeguards.seals {
            past.join(era: found.era)
        }
        nodes[node].trust.identified(found, isMade: isMade, now: now)
    }

    // MARK: Other hosts

    /// What other hosts name that this one does not know, while they do not name the data that it calls `own`. `lane`:
    /// its own; `inUse`: its nodes; `isOfOther`: whether data is of a node that never had this one's slots. Hosts that
    /// do not reach this node may name what others have, which this host need not reach.
    func compare(
        _ survey: Survey, askedAt: Instant, lane: Int64, on node: NodePlace, own: NodeToken, inUse: [NodePlace],
        isOfOther: (NodeToken) -> Bool
    ) -> Trust.Others {
        let known = Set(inUse.compactMap { nodes[$0].trust.token.map { Substring($0) } })
        var found = Trust.Others()
        for hosts in survey.others {
            let named = hosts.tokens.map { NodeToken($0) }
            let isSame = named.contains { $0.token == own.token }
            let unknown = isSame ? [] : named.filter { !known.contains($0.token) && !isOfOther($0) }.map(\.text)
            for sign in hosts.signs {
                let process = LaneNumber.process(of: sign.lane)
                // A late sign of life may have brought back the row of a former lane.
                guard process != LaneNumber.process(of: lane) else { continue }
                found.processes.insert(process)
                for token in unknown {
                    let named = Trust.NamedData(process: process, token: token)
                    found.add(named, signedAt: askedAt.adding(ms: -sign.ageMs))
                }
            }
        }
        return found
    }

    /// Takes in which transactions were to be written elsewhere than to the data's server, but not only to servers that
    /// this host uses, or used until it lost sight of them. `inUse`: its nodes; `isUnrelated`: whether the server had
    /// none of the node's slots.
    mutating func noteStrays(
        _ survey: Survey, _ generation: Generation, on node: NodePlace, inUse: [NodePlace],
        isUnrelated: (String) -> Bool
    ) {
        let known = Set(inUse.compactMap { nodes[$0].trust.server })
        let found = survey.strayed.filter { written in
            written.lacking.contains(generation.server)
                && !written.unknown.allSatisfy { known.contains($0) || isUnrelated($0) }
        }
        nodes[node].strays.note(found.map(\.transaction), by: survey.snapshot, generation)
    }

    // MARK: The database's past

    mutating func adopt(_ identity: DatabaseIdentity) {
        if identity != past.identity { forgetStrays() }
        past.adopt(identity)
    }

    /// Transaction numbers may have gone back.
    mutating func forgetStrays() {
        for node in nodes.indices { nodes[node].strays.forget() }
    }

    mutating func beginEra(now: Instant) {
        past.beginEra(now: now)
        for node in nodes.indices { nodes[node].strays.settle() }
    }

    // MARK: Counters in Redis

    enum Standing {
        case believed
        /// Made by a host, but so long ago that a stranger may have put it back.
        case aged
        case forged
    }

    /// How far to believe a counter in Redis. Until PostgreSQL was reached for the first time, seals cannot be checked.
    /// While it cannot be asked, an old count is better than none.
    mutating func standing(of sealed: SealedCounter, token: String, canAskPrimary: Bool, now: Instant) -> Standing {
        guard safeguards.seals, sealer.secret != nil else { return .believed }
        guard sealer.isGenuine(sealed, token: token) else { return .forged }
        return sealer.isRecent(sealed, now: now) || !canAskPrimary ? .believed : .aged
    }

    /// Whether a host of this database sealed the counter for data with this token.
    mutating func isGenuine(_ sealed: SealedCounter, token: String) -> Bool {
        !safeguards.seals || sealer.isGenuine(sealed, token: token)
    }

    /// Whether a host sealed it just now. An older one does not show what Redis has by now.
    func isRecent(_ sealed: SealedCounter, now: Instant) -> Bool {
        !safeguards.seals || sealer.isRecent(sealed, now: now)
    }

    /// Until PostgreSQL was reached for the first time, nobody knows who speaks.
    var knowsWhoSpeaks: Bool { sealer.secret != nil || !safeguards.seals }

    /// Divides what Redis kept instead of what it was given: counters of this database's hosts, and others.
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

    /// Seals counters for Redis. PostgreSQL was asked for them, or for older versions, under the permit. A version that
    /// no real history reaches is left out.
    mutating func sealed(
        _ counters: [CounterState], _ generation: Generation, _ permit: WritePermit
    ) -> [SealedCounter] {
        var sealed: [SealedCounter] = []
        sealed.reserveCapacity(counters.count)
        for counter in counters where counter.version <= CounterState.versionMax {
            sealed.append(sealer.seal(counter, token: generation.token, askedAt: permit.askedAt))
        }
        return sealed
    }

    // MARK: The secret and the clock

    /// What follows when PostgreSQL names the secret and its time.
    struct Learnt {
        /// What was sealed before would look recent again once the clock reaches that time.
        var isClockSetBack = false
        /// The secret is new to this host; and it replaces another one.
        var isNewSecret = false
        var isOtherSecret = false
    }

    /// PostgreSQL returned the secret and its time. It was asked at `askedAt` or later.
    mutating func learn(_ facts: SealFacts, askedAt: Instant, now: Instant) -> Learnt {
        var learnt = Learnt()
        let wasKnown = sealer.secret != nil
        if let seconds = facts.seconds {
            let isSetBack = sealer.learn(seconds: seconds, askedAt: askedAt, heardAt: now)
            learnt.isClockSetBack = isSetBack && safeguards.seals && nodes.contains { $0.trust.token != nil }
        } else if wasKnown {
            // A standby may not have the newest secret yet.
            return learnt
        }
        learnt.isNewSecret = sealer.learn(facts.secret) && safeguards.seals
        learnt.isOtherSecret = learnt.isNewSecret && wasKnown
        return learnt
    }

    func checkInvariants() {
        past.checkInvariants()
        for node in nodes {
            node.trust.checkInvariants()
            node.tellings.checkInvariants()
            node.strays.checkInvariants()
        }
    }
}

/// What concerns one Redis primary.
struct NodeCoherence {
    var trust: Trust
    var heartbeat: Heartbeat
    var tellings: Tellings
    var strays = Strays()
}

extension DatabaseIdentity {
    /// Whether a server of the same system was promoted since the other's timeline.
    func isAhead(of other: DatabaseIdentity) -> Bool { system == other.system && timeline > other.timeline }
}
