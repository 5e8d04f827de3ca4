import LikesProtocol
import LikesStorage

/// The newest state of each counter that was recently committed here or heard of, and what of it was written to Redis.
///
/// Redis refuses a counter only as long as it has a newer one. It may drop the newer one at any moment, by eviction or
/// expiry. Then it would take an older one that was still on its way, and keep it for its whole TTL. So a counter is
/// not written once a newer one is known here. Redis tells of the counters it takes in the order in which it takes
/// them: an older one after a newer one shows that the newer was gone, and it is repaired. Redis does not tell of
/// fills. If a newer version is heard of soon after a fill, that counter is repaired as well.
struct RecentCounters {
    private struct Entry {
        var newest: CounterState
        /// When that version became known.
        var newestAt: Instant
        /// The newest version that Redis told of; −1: none.
        var told: Int64 = -1
        /// The version that Redis told of last.
        var lastTold: Int64 = -1
        /// The version that this host filled in last; `max`: none.
        var filled = Int64.max
        var isWritten = false
        /// When Redis was last seen to have an older version than it should.
        var contestedAt: Instant?
        var forgetAt: Instant
    }

    private var entries: [Item: Entry] = [:]
    /// An entry stands here once for each time it was to be remembered longer.
    private var order = Ring<(Item, Instant)>()
    /// The most places used in `order` since memory was last given back.
    private var peak = 0
    private let rememberMs: Int64
    private let limits: Limits
    /// When a counter was last sent to Redis.
    private var writtenAt: Instant?
    /// All messages sent before this moment were heard. The passing of time alone proves nothing.
    private var heardUntil: Instant
    /// When a counter last became known.
    private var touchedAt: Instant
    /// Everything that was forgotten had become known by this moment.
    private(set) var forgottenAt: Instant

    /// `redisCallMs`: how long after it was sent a counter may still be written.
    init(redisCallMs: Int64, limits: Limits = .standard, now: Instant) {
        self.limits = limits
        rememberMs = Limits.recentCountersMs + redisCallMs
        heardUntil = now
        touchedAt = now
        forgottenAt = now
    }

    var count: Int { entries.count }
    /// How many entries it has memory for.
    var capacity: Int { entries.capacity }

    /// Whether it remembers anything that was written.
    var hasWritten: Bool { writtenAt != nil }

    /// The newer of this counter and the one known.
    func newest(_ counter: CounterState) -> CounterState {
        guard let entry = entries[counter.item], entry.newest.version > counter.version else { return counter }
        return entry.newest
    }

    /// The newest known state of the item, and since when.
    func known(_ item: Item) -> (CounterState, since: Instant)? {
        entries[item].map { ($0.newest, $0.newestAt) }
    }

    /// What is known of the item belongs to a past that is over.
    mutating func replace(_ counter: CounterState) {
        guard let place = entries.index(forKey: counter.item) else { return }
        entries.values[place].newest = counter
        entries.values[place].told = min(entries.values[place].told, counter.version)
    }

    /// The counter was committed here or is otherwise known.
    mutating func know(_ counter: CounterState, now: Instant) { touch(counter, now: now) { _ in } }

    /// The counter is on its way to Redis.
    mutating func write(_ counter: CounterState, isFill: Bool, now: Instant) {
        writtenAt = now
        touch(counter, now: now) { entry in
            entry.isWritten = true
            if isFill { entry.filled = min(entry.filled, counter.version) }
        }
    }

    enum Hearing {
        case inOrder
        /// Redis may have an older version than it should …
        case contested
        /// … and already did recently, while messages from then still count: somebody may repeat old messages.
        case contestedAgain
    }

    /// Redis took the counter.
    mutating func hear(_ counter: CounterState, now: Instant) -> Hearing {
        var hearing = Hearing.inOrder
        touch(counter, now: now) { entry in
            if counter.version < entry.told || entry.filled < counter.version {
                hearing = RecentCounters.contest(&entry, now: now) ? .contestedAgain : .contested
            }
            if entry.filled < counter.version { entry.filled = .max }
            entry.told = max(entry.told, counter.version)
            entry.lastTold = counter.version
        }
        return hearing
    }

    /// Redis was seen to lack what this host put there. True: it was also recently.
    mutating func contest(_ item: Item, now: Instant) -> Bool {
        guard let place = entries.index(forKey: item) else { return false }
        return RecentCounters.contest(&entries.values[place], now: now)
    }

    private static func contest(_ entry: inout Entry, now: Instant) -> Bool {
        defer { entry.contestedAt = now }
        return entry.contestedAt.map { now.ms(since: $0) < Limits.sealAgeMsMax } ?? false
    }

    /// Whether Redis has told of this version of the item, or of a newer one.
    func hasHeard(_ counter: CounterState) -> Bool {
        entries[counter.item].map { $0.told >= counter.version } ?? false
    }

    /// Whether the version that Redis last told of for the item is the one that the row asks for, or newer.
    func hasTaken(_ row: RepairRow) -> Bool { entries[row.item].map { $0.lastTold >= row.version } ?? false }

    /// Redis holds another generation, which lacks what Redis was heard to take before.
    mutating func forgetTold() {
        for place in entries.values.indices { entries.values[place].lastTold = -1 }
    }

    /// All messages that were sent before this moment were heard.
    mutating func forget(heardUntil moment: Instant) {
        heardUntil = moment
        if let at = writtenAt, at.adding(ms: rememberMs + rememberMs / 10) <= moment { writtenAt = nil }
        forget()
    }

    private mutating func forget() {
        while let (item, forgetAt) = order.first, forgetAt <= heardUntil || order.count > limits.recentCountersMax {
            order.popFirst()
            guard entries[item]?.forgetAt == forgetAt else { continue }
            entries[item] = nil
            forgottenAt = max(forgottenAt, forgetAt.adding(ms: -rememberMs))
        }
        guard peak > limits.recentCountersKept, order.count < peak / 8 else { return }
        // Gives back the memory that a burst of misses or likes took.
        var smaller: [Item: Entry] = [:]
        for (item, entry) in entries { smaller[item] = entry }
        entries = smaller
        order.shrink()
        peak = order.count
    }

    /// Forgets the items concerned, and returns those of them that were written, in the order of writing.
    mutating func takeWritten(where isOf: (Item) -> Bool) -> [Item] {
        let concerned = Set(entries.keys.filter(isOf))
        guard !concerned.isEmpty else { return [] }
        var written: [Item] = []
        var kept = Ring<(Item, Instant)>()
        while let (item, forgetAt) = order.popFirst() {
            guard concerned.contains(item) else {
                kept.append((item, forgetAt))
                continue
            }
            guard let entry = entries.removeValue(forKey: item) else { continue }
            forgottenAt = max(forgottenAt, entry.newestAt)
            if entry.isWritten { written.append(item) }
        }
        order = kept
        if entries.isEmpty { removeAll() }
        return written
    }

    mutating func removeAll() {
        if !entries.isEmpty { forgottenAt = touchedAt }
        writtenAt = nil
        entries = [:]
        order.removeAll()
        peak = 0
    }

    func checkInvariants() {
        precondition(entries.count <= order.count, "every entry has its time to be forgotten")
    }

    private mutating func touch(_ counter: CounterState, now: Instant, _ change: (inout Entry) -> Void) {
        peak = max(peak, order.count)
        touchedAt = now
        forget()
        // An item that is touched repeatedly takes one place for each tenth of the time.
        let forgetAt = now.adding(ms: rememberMs + rememberMs / 10)
        if let place = entries.index(forKey: counter.item) {
            change(&entries.values[place])
            if entries.values[place].forgetAt.ms(since: now) < rememberMs {
                entries.values[place].forgetAt = forgetAt
                order.append((counter.item, forgetAt))
            }
            // Of two states with the same version, the later one is PostgreSQL's present answer.
            if entries.values[place].newest.version < counter.version { entries.values[place].newestAt = now }
            if entries.values[place].newest.version <= counter.version { entries.values[place].newest = counter }
        } else {
            var entry = Entry(newest: counter, newestAt: now, forgetAt: forgetAt)
            change(&entry)
            entries[counter.item] = entry
            order.append((counter.item, forgetAt))
        }
    }
}
