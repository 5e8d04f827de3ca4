import LikesSettings
import LikesProtocol
import LikesStorage

/// What this host knows of counters: those that it answers from, those that were committed here or heard of lately, and
/// those of which a newer version was spoken of than PostgreSQL had.
struct KnownCounters {
    private(set) var cache: LocalCache
    private(set) var recent: RecentCounters
    private(set) var doubts: Doubts
    /// The cache may have counters that are believed only while PostgreSQL can't be asked.
    private var hasBelievedAged = false
    private let safeguards: Safeguards

    init(cache: LocalCache, recent: RecentCounters, doubts: Doubts, _ safeguards: Safeguards) {
        self.cache = cache
        self.recent = recent
        self.doubts = doubts
        self.safeguards = safeguards
    }

    /// The newest state of the item that this host has heard of, and a moment at or before which it had, nil where that
    /// is not remembered: what came in without being the cache's own is remembered apart, for longer than a fresh
    /// answer takes, as long as there is room.
    func newest(_ item: Item) -> (CounterState, since: Instant?)? {
        let held = cache.known(item)
        guard let heard = recent.known(item).map({ ($0.0, since: Instant?.some($0.since)) }) else { return held }
        guard let held, held.0.version > heard.0.version else { return heard }
        return held
    }

    /// The newer of this and what was committed here or heard of lately.
    func newest(_ counter: CounterState) -> CounterState {
        safeguards.counterMemory ? recent.newest(counter) : counter
    }

    // MARK: The cache

    mutating func fresh(_ item: Item, now: Instant) -> Int64? { cache.fresh(item, now: now) }

    /// Of all of them, or nil.
    mutating func fresh(_ items: [Item], now: Instant) -> [Int64]? {
        var counts: [Int64] = []
        counts.reserveCapacity(items.count)
        for item in items {
            guard let count = cache.fresh(item, now: now) else { return nil }
            counts.append(count)
        }
        return counts
    }

    mutating func setTTL(ms: Int64) { cache.setTTL(ms: ms) }

    /// Messages may have been missed: nothing that was cached before is fresh.
    mutating func expireAll() { if safeguards.cacheExpiry { cache.expireAll() } }

    mutating func expire(_ item: Item, below version: Int64) { cache.expire(item, below: version) }

    /// A counter of Redis' that is too old to be believed, in case PostgreSQL does not answer.
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

    /// Nothing that was known is of the present past any more.
    mutating func forgetPast() {
        cache.removeAll()
        recent.removeAll()
        doubts.removeAll()
    }

    /// Nothing of it can be proven to be ours any more.
    mutating func forgetUnproven() {
        cache.removeAll()
        doubts.removeAll()
    }

    /// Forgets what was written to Redis, and returns the items, in the order they were written.
    mutating func takeWritten() -> [Item] { recent.takeWritten() }

    /// Redis' data is another: what it was heard to take before is not in there.
    mutating func forgetTold() { recent.forgetTold() }

    /// All messages that were sent before this moment were heard.
    mutating func forget(heardUntil moment: Instant) { recent.forget(heardUntil: moment) }

    // MARK: What comes in

    /// Counters committed here enter the cache, unless something newer was heard of since, or may have been. Returns
    /// the newest known of each, and those that are newer than what was committed. `isFresh`: the permit is.
    mutating func committed(
        _ counters: [CounterState], isYoung: Bool, isFresh: Bool, now: Instant
    ) -> (newest: [CounterState], newer: [Item: CounterState]) {
        var all: [CounterState] = []
        all.reserveCapacity(counters.count)
        var newer: [Item: CounterState] = [:]
        for counter in counters {
            let newest = newest(counter)
            var standing = newest
            if isYoung {
                standing = cache.store(newest, now: now)
                // What others changed since may not have been told.
                if !isFresh { cache.expire(counter.item, below: .max) }
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

    /// A counter that Redis took from a host. nil: it was told too long ago to say what Redis has by now.
    mutating func heard(_ counter: CounterState, isRecent: Bool, now: Instant) -> RecentCounters.Hearing? {
        cache.update(counter)
        return isRecent ? recent.hear(counter, now: now) : nil
    }

    /// A counter that came with something else. It does not enter the cache where nothing is held of the item: a newer
    /// one may have left the cache while this one was on its way.
    mutating func read(_ counter: CounterState, now: Instant) {
        if cache.update(counter) { recent.know(counter, now: now) }
    }

    /// A fetch is answered. `committed`: the newest state that became known meanwhile. `isFresh`: the answer may enter
    /// the cache as what is, for `secondsMax` at most; nil: for the TTL. `isOfThisEra`: it is of the present past.
    /// Returns the newest state known, which is everyone's answer.
    mutating func fetched(
        _ fetched: CounterState, committed: CounterState?, secondsMax: Int?, isFresh: Bool, isOfThisEra: Bool,
        now: Instant
    ) -> CounterState {
        var standing = fetched
        if isFresh {
            standing = cache.store(fetched, secondsMax: secondsMax, now: now)
        } else if isOfThisEra {
            read(fetched, now: now)
            if let held = cache.stale(fetched.item), held.version > fetched.version { standing = held }
        }
        guard let committed, committed.version > standing.version else { return standing }
        return isFresh ? cache.store(committed, secondsMax: secondsMax, now: now) : committed
    }

    /// What of these goes to Redis: of each counter the newest state known.
    mutating func written(_ counters: [CounterState], isFill: Bool, now: Instant) -> [CounterState] {
        counters.map { counter in
            let newest = newest(counter)
            recent.write(newest, isFill: isFill, now: now)
            return newest
        }
    }

    // MARK: Contradictions

    /// The first of these answers of a primary that is older than what was known when the primary was asked: proof that
    /// the database went back. Answers before it are taken off. What is not proven is doubted.
    mutating func contradiction(
        in counters: inout ArraySlice<CounterState>, askedAt: Instant, isFresh: Bool
    ) -> (counter: CounterState, version: Int64)? {
        while let counter = counters.popFirst() {
            guard let (known, since) = newest(counter.item), known.version > counter.version else { continue }
            guard isFresh, let since else {
                // When it became known is not remembered.
                doubts.claim(known)
                continue
            }
            // What comes in during a turn comes before what is asked at its end.
            if since <= askedAt { return (counter, known.version) }
        }
        return nil
    }

    /// The database went back, too soon after the last time for all that is cached to be dropped: this one at least.
    mutating func replace(_ counter: CounterState) {
        cache.replace(counter)
        recent.replace(counter)
    }

    /// Redis kept these instead of what PostgreSQL had.
    mutating func doubt(_ newer: [CounterState]) { for counter in newer { doubts.claim(counter) } }

    mutating func takeDoubts(now: Instant) -> [Doubts.Claim] { doubts.take(now: now) }

    func checkInvariants() {
        recent.checkInvariants()
    }
}
