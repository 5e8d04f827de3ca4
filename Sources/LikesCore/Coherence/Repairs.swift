import LikesProtocol

/// Items whose counter in Redis may be old: a write-through did not arrive, or another host says so. Until each is set
/// there again, confirmed, Redis is not asked for it.
///
/// What only this process knows is *untold*: it stands in the journal of each batch until `cache_repairs` has it. What
/// is told can be forgotten here while Redis is out of reach.
struct Repairs {
    private let limits: Limits

    init(_ limits: Limits = .standard) { self.limits = limits }

    private enum State {
        /// To be read from PostgreSQL.
        case unread
        /// By the read of that number, and no earlier one.
        case reading(UInt64)
        /// To be set in Redis, as long as the permit holds.
        case known(CounterState, WritePermit)
        /// On its way to Redis.
        case writing(CounterState)
    }

    private struct Entry {
        var state: State
        /// `cache_repairs` has a row of it, to be deleted once it is mended.
        var isTold: Bool
    }

    private var entries: [Item: Entry] = [:]
    private var untold: Set<Item> = []
    /// The same in the order they came; those that are not untold any more are passed over.
    private var toTell = Ring<Item>()
    /// Items that became unread or known; those that are not so any more are passed over.
    private var toRead = Ring<Item>()
    private var toWrite = Ring<Item>()
    private var readsCount: UInt64 = 0
    /// Set in Redis, their rows in `cache_repairs` still to be deleted.
    private var mended = Ring<CounterState>()
    /// After a failure nothing is tried before this.
    private(set) var retryAt: Instant?

    var count: Int { entries.count }
    /// Places in the queues, those left behind included.
    var placesCount: Int { toRead.count + toWrite.count }
    var untoldCount: Int { untold.count }
    /// In the order they came.
    var untoldItems: [Item] {
        untold.isEmpty ? [] : (0..<toTell.count).map { toTell[$0] }.filter(untold.contains)
    }
    var mendedCount: Int { mended.count }
    /// No more of what other hosts say is taken in before some of it is mended.
    var isFull: Bool { entries.count >= limits.repairsMax }

    /// When to go on after a failure; nil: nothing is held back.
    var wakeAt: Instant? { entries.isEmpty ? nil : retryAt }

    func contains(_ item: Item) -> Bool { !entries.isEmpty && entries[item] != nil }

    // MARK: What is to be repaired

    /// Redis may not have what was committed of these.
    mutating func note(_ items: some Collection<Item>) {
        for item in items {
            makeUnread(item)
            makeUntold(item)
        }
    }

    /// Redis may have something older than PostgreSQL, most likely not: it is made sure, but nobody is told.
    mutating func reread(_ items: some Collection<Item>) { for item in items { makeUnread(item) } }

    /// It need not be read from PostgreSQL.
    mutating func know(_ counter: CounterState, _ permit: WritePermit) {
        guard case .unread? = entries[counter.item]?.state else { return }
        makeKnown(counter, permit)
    }

    /// Rows of `cache_repairs`.
    mutating func learn(_ items: some Collection<Item>) {
        for item in items {
            if entries[item] == nil { makeUnread(item) }
            entries[item]?.isTold = true
        }
    }

    /// Redis, or the database, has another past: what was read before means nothing.
    mutating func rereadAll() {
        for item in entries.keys.sorted(by: { ($0.type, $0.id) < ($1.type, $1.id) }) { makeUnread(item) }
    }

    // MARK: Telling

    mutating func takeToTell(max: Int) -> [Item] {
        var items: [Item] = []
        while items.count < max, let item = toTell.popFirst() {
            if untold.remove(item) != nil { items.append(item) }
        }
        return items
    }

    /// `cache_repairs` has them. `isKept`: Redis is there, and this process goes on repairing them itself.
    mutating func told(_ items: [Item], isKept: Bool) {
        for item in items {
            entries[item]?.isTold = true
            if !isKept, !untold.contains(item) { entries[item] = nil }
        }
    }

    mutating func tellingFailed(_ items: [Item]) {
        for item in items where entries[item] != nil { makeUntold(item) }
    }

    /// Redis is out of reach: what is told is other hosts' to repair, and this one's once it looks again.
    mutating func forgetTold() {
        entries = entries.filter { untold.contains($0.key) || !$0.value.isTold }
        mended.removeAll()
        if entries.isEmpty {
            toRead.removeAll()
            toWrite.removeAll()
        }
    }

    /// Counters whose rows in `cache_repairs` can go.
    mutating func takeMended(max: Int) -> [CounterState] {
        var taken: [CounterState] = []
        while taken.count < max, let counter = mended.popFirst() { taken.append(counter) }
        return taken
    }

    mutating func mendingFailed(_ counters: [CounterState]) { for counter in counters { mended.append(counter) } }

    // MARK: Repairing

    /// The answer to the read of that number.
    mutating func settle(_ counters: [CounterState], read: UInt64, _ permit: WritePermit) {
        for counter in counters {
            guard case .reading(read)? = entries[counter.item]?.state else { continue }
            makeKnown(counter, permit)
        }
    }

    /// What to ask PostgreSQL for, and the number of that read.
    mutating func takeToRead(max: Int, now: Instant) -> (items: [Item], read: UInt64) {
        readsCount += 1
        var items: [Item] = []
        guard mayTry(now: now) else { return (items, readsCount) }
        while items.count < max, let item = toRead.popFirst() {
            guard case .unread? = entries[item]?.state else { continue }
            entries[item]?.state = .reading(readsCount)
            items.append(item)
        }
        return (items, readsCount)
    }

    /// `permit` would be given now.
    mutating func takeToWrite(max: Int, _ permit: WritePermit) -> [CounterState] {
        guard mayTry(now: permit.askedAt) else { return [] }
        var counters: [CounterState] = []
        while counters.count < max, let item = toWrite.popFirst() {
            guard case .known(let counter, let given)? = entries[item]?.state else { continue }
            guard given.holds(permit) else {
                // PostgreSQL is slow, or much happens: the others are to know of the item in the meantime.
                makeUnread(item)
                retryAt = permit.askedAt.adding(ms: Limits.repairRetryMs)
                continue
            }
            entries[item]?.state = .writing(counter)
            counters.append(counter)
        }
        return counters
    }

    /// Redis has these, or something newer.
    mutating func wrote(_ counters: [CounterState]) {
        for counter in counters {
            guard let entry = entries[counter.item], case .writing(let written) = entry.state,
                written.version <= counter.version
            else { continue }
            // Over the limit a row stays, and is found and mended once more.
            if entry.isTold, mended.count < limits.repairsMendedMax { mended.append(counter) }
            entries[counter.item] = nil
            untold.remove(counter.item)
        }
    }

    mutating func writeFailed(_ counters: [CounterState], now: Instant) {
        for counter in counters {
            if case .writing? = entries[counter.item]?.state { makeUnread(counter.item) }
        }
        retryAt = now.adding(ms: Limits.repairRetryMs)
    }

    mutating func readFailed(_ items: [Item], read: UInt64, now: Instant) {
        for item in items {
            if case .reading(read)? = entries[item]?.state { makeUnread(item) }
        }
        retryAt = now.adding(ms: Limits.repairRetryMs)
    }

    /// Time has come to `wakeAt`, or not.
    mutating func tick(now: Instant) { _ = mayTry(now: now) }

    /// Redis is back: no reason to hold anything back.
    mutating func retryNow() { retryAt = nil }

    private mutating func mayTry(now: Instant) -> Bool {
        if let retryAt, now < retryAt { return false }
        retryAt = nil
        return true
    }

    private mutating func makeUntold(_ item: Item) {
        if untold.insert(item).inserted { toTell.append(item) }
        // Items mended in the meantime leave their places behind.
        guard toTell.count > 2 * untold.count + 1_024 else { return }
        let living = untoldItems
        toTell.removeAll()
        for item in living { toTell.append(item) }
    }

    private mutating func makeUnread(_ item: Item) {
        if case .unread? = entries[item]?.state { return }
        entries[item, default: Entry(state: .unread, isTold: false)].state = .unread
        toRead.append(item)
        if toRead.count > 2 * entries.count + 1_024 {
            Repairs.compact(&toRead, entries) { if case .unread = $0 { true } else { false } }
        }
    }

    private mutating func makeKnown(_ counter: CounterState, _ permit: WritePermit) {
        entries[counter.item]?.state = .known(counter, permit)
        toWrite.append(counter.item)
        if toWrite.count > 2 * entries.count + 1_024 {
            Repairs.compact(&toWrite, entries) { if case .known = $0 { true } else { false } }
        }
    }

    /// Places that were left behind go, so that a backend that stays away lets no queue grow.
    private static func compact(
        _ queue: inout Ring<Item>, _ entries: [Item: Entry], where belongs: (State) -> Bool
    ) {
        var seen: Set<Item> = []
        var living = Ring<Item>()
        while let item = queue.popFirst() {
            if let entry = entries[item], belongs(entry.state), seen.insert(item).inserted { living.append(item) }
        }
        queue = living
    }
}
