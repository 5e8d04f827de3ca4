import LikesProtocol
import LikesStorage

/// What this host knows of counters: those that it answers from, those that were recently committed here or heard of,
/// and versions that PostgreSQL may contradict.
struct KnownCounters {
    private(set) var cache: LocalCache
    private(set) var recent: RecentCounters
    private(set) var doubts: Doubts
    /// The cache may have counters that are believed only while PostgreSQL cannot be asked.
    private var hasBelievedAged = false
    private let safeguards: Safeguards

    init(cache: LocalCache, recent: RecentCounters, doubts: Doubts, _ safeguards: Safeguards) {
        self.cache = cache
        self.recent = recent
        self.doubts = doubts
        self.safeguards = safeguards
    }

    /// The newest state of the item that this host has heard of, and a moment at or before which it had, nil if that is
    /// not remembered. What came in other than by a fetch is remembered separately, for longer than a fresh answer
    /// takes, as long as there is room.
    func newest(_ item: Item) -> (CounterState, since: Instant?)? {
        let held = cache.known(item)
        guard let heard = recent.known(item).map({ ($0.0, since: Instant?.some($0.since)) }) else { return held }
        guard let held, held.0.version > heard.0.version else { return heard }
        return held
    }

    /// The newer of this counter and what was recently committed here or heard of.
    func newest(_ counter: CounterState) -> CounterState {
        safeguards.counterMemory ? recent.newest(counter) : counter
    }

    // MARK: The cache

    mutating func fresh(_ item: Item, now: Instant) -> Int64? { cache.fresh(item, now: now) }

    /// The counts of all items; nil if one is missing.
    mutating func fresh(_ items: [Item], now: Instant) -> [Int64]? {
        var counts: [Int64] = []
        counts.reserveCapacity(items.count)
        for item in items {
            guard let count = cache.fresh(item, now: now) else { return nil }
            counts.append(count)
        }
        return counts
    }

    /// `node`: of Redis, which has the items.
    mutating func setTTL(ms: Int64, of node: NodePlace) { cache.setTTL(ms: ms, of: Self.group(node)) }

    /// Messages of the node may have been missed: nothing of it that was cached before is fresh.
    mutating func expireAll(of node: NodePlace) {
        if safeguards.cacheExpiry { cache.expireAll(of: Self.group(node)) }
    }

    /// The group of the local cache in which a node's items are. Nodes may share one; then they expire together.
    private static func group(_ node: NodePlace?) -> UInt8 { UInt8(truncatingIfNeeded: node ?? 0) }

    mutating func expire(_ item: Item, below version: Int64) { cache.expire(item, below: version) }

    /// What is known of the item, however old, for when PostgreSQL does not answer; nil: it is not cached. The entry
    /// may be older than what was committed here: it was put in after that had left the cache.
    func stale(_ item: Item) -> CounterState? { cache.stale(item).map { newest($0) } }

    /// Stores a counter from Redis that is too old to be believed, in case PostgreSQL does not answer.
    mutating func storeStale(_ counter: CounterState, now: Instant) {
        if cache.stale(counter.item) == nil { cache.storeStale(counter, now: now) }
    }

    mutating func believedAged() { hasBelievedAged = true }

    /// PostgreSQL can be asked again.
    mutating func primaryIsBack() {
        guard hasBelievedAged else { return }
        cache.expireAll()
        hasBelievedAged = false
    }

    // MARK: Pasts

    /// Nothing that was known belongs to the present past.
    mutating func forgetPast() {
        cache.removeAll()
        recent.removeAll()
        doubts.removeAll()
    }

    /// It cannot be proven any more that what was known comes from hosts of this database.
    mutating func forgetUnproven() {
        cache.removeAll()
        doubts.removeAll()
    }

    /// Forgets what was written to Redis, and returns the items in the order in which they were written.
    /// `isOf`: whether the item is concerned.
    mutating func takeWritten(where isOf: (Item) -> Bool) -> [Item] { recent.takeWritten(where: isOf) }

    /// Redis holds another generation, which lacks what Redis was heard to take before.
    mutating func forgetTold() { recent.forgetTold() }

    /// All messages that were sent before this moment were heard.
    mutating func forget(heardUntil moment: Instant) { recent.forget(heardUntil: moment) }

    // MARK: Incoming counters

    /// Puts counters committed here into the cache, unless this host has heard of something newer since, or may have
    /// missed it. Returns the newest known state of each, and those that are newer than what was committed. `isFresh`:
    /// of the permit.
    mutating func committed(
        _ counters: [CounterState], isYoung: Bool, isFresh: (Item) -> Bool, node: (Item) -> NodePlace?, now: Instant
    ) -> (newest: [CounterState], newer: [Item: CounterState]) {
        var all: [CounterState] = []
        all.reserveCapacity(counters.count)
        var newer: [Item: CounterState] = [:]
        for counter in counters {
            let newest = newest(counter)
            var standing = newest
            if isYoung {
                standing = cache.store(newest, group: Self.group(node(counter.item)), now: now)
                // What others changed since may not have been told.
                if !isFresh(counter.item) { cache.expire(counter.item, below: .max) }
            } else {
                cache.update(newest)
                standing = cache.stale(counter.item) ?? newest
            }
            if standing.version > counter.version { newer[counter.item] = standing }
            recent.know(newest, now: now)
            all.append(newest)
        }
        return (all, newer)
    }

    /// Redis lost a counter that this host had set. True: it did so recently, too.
    mutating func contest(_ item: Item, now: Instant) -> Bool { recent.contest(item, now: now) }

    /// Redis took this counter from a host. nil: the message is too old to show what Redis has now.
    mutating func heard(_ counter: CounterState, isRecent: Bool, now: Instant) -> RecentCounters.Hearing? {
        let isNews = cache.update(counter)
        if isRecent { return recent.hear(counter, now: now) }
        if isNews { recent.know(counter, now: now) }
        return nil
    }

    /// A counter that came along with another answer. If the cache holds nothing of the item it is not put in: a newer
    /// one may have left the cache while this one was on its way.
    mutating func read(_ counter: CounterState, now: Instant) {
        if cache.update(counter) { recent.know(counter, now: now) } else { cache.noteTold(counter.item, now: now) }
    }

    /// A fetch was answered. `newer`: the newest state that became known meanwhile. `isFresh`: the answer may enter
    /// the cache as fresh, for at most `secondsMax`; nil: for the TTL. `isOfThisEra`: it belongs to the present past.
    /// Returns the newest known state, which answers all who wait.
    mutating func fetched(
        _ fetched: CounterState, newer: CounterState?, secondsMax: Int?, isFresh: Bool, isOfThisEra: Bool,
        node: NodePlace?, now: Instant
    ) -> CounterState {
        var standing = fetched
        if isFresh {
            standing = cache.store(fetched, secondsMax: secondsMax, group: Self.group(node), now: now)
        } else if isOfThisEra {
            read(fetched, now: now)
            if let held = cache.stale(fetched.item), held.version > fetched.version { standing = held }
        }
        guard let newer, newer.version > standing.version else { return standing }
        return isFresh ? cache.store(newer, secondsMax: secondsMax, group: Self.group(node), now: now) : newer
    }

    // MARK: Standbys

    /// Everything that this host knew once of the item, and has forgotten, was committed before this moment. So a
    /// standby's count as of then or later is not older than any of it.
    func forgottenAt(_ item: Item) -> Instant { max(recent.forgottenAt, cache.forgottenAt(item)) }

    /// Whether this host has heard of something newer than the counter.
    func hasNewer(than counter: CounterState) -> Bool {
        recent.newest(counter).version > counter.version
            || cache.stale(counter.item).map { $0.version > counter.version } ?? false
    }

    /// A standby answered a fetch: it had everything that was committed before `asOf`. `newer`: the newest state that
    /// became known meanwhile. `isFresh`: it may enter the cache as fresh. Returns the newest known state, which
    /// answers all who wait.
    mutating func fetched(
        _ fetched: CounterState, newer: CounterState?, asOf: Instant, isFresh: Bool, node: NodePlace?, now: Instant
    ) -> CounterState {
        let standing = cache.store(fetched, asOf: asOf, isFresh: isFresh, group: Self.group(node), now: now)
        guard let newer, newer.version > standing.version else { return standing }
        if cache.update(newer) { recent.know(newer, now: now) }
        return newer
    }

    /// Whether only a standby has told this state so far: the primary may not have it, and hosts do not tell each
    /// other.
    func isFromStandby(_ counter: CounterState) -> Bool { cache.isFromStandby(counter) }

    /// Returns the newest known state of each counter, to be put into Redis.
    mutating func noteWriting(_ counters: [CounterState], isFill: Bool, now: Instant) -> [CounterState] {
        counters.map { counter in
            let newest = newest(counter)
            recent.write(newest, isFill: isFill, now: now)
            return newest
        }
    }

    // MARK: Contradictions

    /// The first of a primary's answers that is older than what was known when the primary was asked. It proves that
    /// the database went back. The answers up to it are taken out of `counters`. What is not proven is doubted.
    mutating func contradiction(
        in counters: inout ArraySlice<CounterState>, askedAt: Instant, isFresh: (Item) -> Bool
    ) -> (counter: CounterState, version: Int64)? {
        while let counter = counters.popFirst() {
            guard let (known, since) = newest(counter.item), known.version > counter.version else { continue }
            guard isFresh(counter.item), let since else {
                // When this state became known is not remembered.
                doubts.note(known)
                continue
            }
            // What arrives during a turn comes before what is asked at its end.
            if since <= askedAt { return (counter, known.version) }
        }
        return nil
    }

    /// The database went back too soon after the last time to drop everything that is cached. So at least this counter
    /// is replaced.
    mutating func replace(_ counter: CounterState) {
        cache.replace(counter)
        recent.replace(counter)
    }

    /// Redis kept these instead of what PostgreSQL had.
    mutating func doubt(_ newer: [CounterState]) { for counter in newer { doubts.note(counter) } }

    mutating func takeDoubts(now: Instant) -> [Doubt] { doubts.take(now: now) }

    func checkInvariants() {
        recent.checkInvariants()
    }
}
