import LikesProtocol

/// What has to hold from before PostgreSQL is asked until its answer is put into Redis.
struct WritePermit: Equatable {
    var generation: Generation?
    /// Which subscription heard of newer counts in the meantime, or the lack of one.
    var subscription: Int64
    var askedAt: Instant
}

/// The newest state of each counter that was committed here or heard of lately, and what of it was written to Redis.
///
/// Redis refuses a counter only as long as it has a newer one. It may drop that at any moment, by eviction or expiry,
/// and would then take an older one that was still on its way, and keep it for its whole TTL. So a counter is not
/// written once a newer is known here, and one that was written is repaired when a newer is heard of soon after.
struct RecentCounters {
    private struct Entry {
        var newest: CounterState
        /// The version this host wrote last; nil: none.
        var written: Int64?
        var forgetAt: Instant
    }

    private var entries: [Item: Entry] = [:]
    /// Once for each time an entry was touched.
    private var order = Ring<(Item, Instant)>()
    private let rememberMs: Int64

    /// `redisCallMs`: how long after it was sent a counter may be written.
    init(redisCallMs: Int64) { rememberMs = Limits.recentCountersMs + redisCallMs }

    var count: Int { entries.count }

    /// The newer of this and what is known.
    func newest(_ counter: CounterState) -> CounterState {
        guard let entry = entries[counter.item], entry.newest.version > counter.version else { return counter }
        return entry.newest
    }

    mutating func know(_ counter: CounterState, now: Instant) { touch(counter, now: now) }

    /// It is on its way to Redis.
    mutating func write(_ counter: CounterState, now: Instant) {
        touch(counter, now: now)
        let before = entries[counter.item]?.written ?? 0
        entries[counter.item]?.written = max(counter.version, before)
    }

    /// Whether this host wrote an older one lately; true once.
    mutating func isWrittenOlder(than counter: CounterState) -> Bool {
        guard let written = entries[counter.item]?.written, written < counter.version else { return false }
        entries[counter.item]?.written = nil
        return true
    }

    mutating func forget(now: Instant) {
        while let (item, forgetAt) = order.first, forgetAt <= now || order.count > Limits.recentCountersMax {
            order.popFirst()
            if entries[item]?.forgetAt == forgetAt { entries[item] = nil }
        }
    }

    /// Forgets all, and returns the items that were written, in the order they were.
    mutating func takeWritten() -> [Item] {
        defer { removeAll() }
        var written: [Item] = []
        for place in 0..<order.count {
            let item = order[place].0
            if entries.removeValue(forKey: item)?.written != nil { written.append(item) }
        }
        return written
    }

    mutating func removeAll() {
        entries = [:]
        order.removeAll()
    }

    private mutating func touch(_ counter: CounterState, now: Instant) {
        forget(now: now)
        let forgetAt = now.adding(ms: rememberMs)
        order.append((counter.item, forgetAt))
        guard let place = entries.index(forKey: counter.item) else {
            entries[counter.item] = Entry(newest: counter, written: nil, forgetAt: forgetAt)
            return
        }
        entries.values[place].forgetAt = forgetAt
        if entries.values[place].newest.version < counter.version { entries.values[place].newest = counter }
    }
}
