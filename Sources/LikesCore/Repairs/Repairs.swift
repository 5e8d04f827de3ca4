import LikesSettings
import LikesProtocol
import LikesStorage

/// Items whose counter in Redis may be old: a write-through did not arrive, or another host says so. Until each is set
/// there again, confirmed, Redis is not asked for it.
///
/// They are repaired in *pages*: some are taken from the pool, at random, so that hosts which repair the same take
/// different ones; read from PostgreSQL; set in Redis; and struck off. Few pages are under way at once, and the next is
/// taken when one is through, so that no answer of PostgreSQL's waits until it is too old to be written. A page that
/// fails goes back into the pool and waits for a time of its own; no other waits with it.
///
/// What only this process knows is *untold*: it stands in the journal of each batch until `cache_repairs` has it. What
/// is told can be forgotten here.
struct Repairs {
    typealias PageNumber = UInt64

    /// Nobody knows which version Redis is to have.
    static let unknown = Int64.max

    struct Entry {
        /// Redis is to have this version at least; `unknown`: the one that PostgreSQL has.
        var version: Int64
        /// The page it is in; 0: none, it is in the pool.
        var page: PageNumber = 0
        /// `cache_repairs` has a row of it, to be deleted once it is mended.
        var isTold = false
        /// Noted once more while it was in a page: what the page sets may be older, so the item is repaired again.
        var isNotedAgain = false
        /// Only what Redis itself answers ends it: what is heard, a stranger may have said once more.
        var isDoubted = false
        /// The transaction that noted the row, where PostgreSQL is to be asked after the row was seen; 0: none.
        var notedBy: Int64 = 0
    }

    var entries: [Item: Entry] = [:]
    var pool: RepairPool
    var pages: RepairPages
    /// Pages that failed, back in the pool once their time has come; all wait equally long, so the first is the next.
    var heldBack = Ring<(until: Instant, items: [Item])>()
    var untold = UntoldRepairs()
    var mended: MendedRows
    /// What was noted since the data in Redis began to be identified; nil: it is not being identified.
    var notedMeanwhile: Set<Item>?
    var totals = Totals()
    /// Over `cache_repairs`.
    var passes: RepairPasses
    let limits: Limits

    init(_ limits: Limits = .standard, seed: UInt64 = 0, now: Instant = Instant(microseconds: 0)) {
        self.limits = limits
        pool = RepairPool(seed: seed)
        pages = RepairPages(limits)
        mended = MendedRows(rowsMax: limits.repairsMendedMax)
        passes = RepairPasses(now: now)
    }

    /// Since the start.
    struct Totals {
        var done: Int64 = 0
        var told: Int64 = 0
        /// Done by other hosts, or out of date by a new marker.
        var spared: Int64 = 0
    }

    var count: Int { entries.count }
    var untoldCount: Int { untold.count }
    var mendedCount: Int { mended.count }
    /// All that hosts could not write to Redis is known here: what is not, may be read there.
    var isAllKnown: Bool { passes.isComplete && !isFull }
    /// No more of what other hosts say is taken in before some of it is mended.
    var isFull: Bool { entries.count >= limits.repairsMax }

    /// When what failed is tried again; nil: nothing is held back.
    var wakeAt: Instant? { heldBack.first?.until }
    /// There is room for what another page will bring to be struck off.
    var hasRoomForMended: Bool { mended.hasRoom(for: (pages.count + 1) * limits.countersPerCallMax) }

    func contains(_ item: Item) -> Bool { !entries.isEmpty && entries[item] != nil }

    // MARK: What is to be repaired

    /// Redis may not have what was committed of these.
    mutating func note(_ items: some Collection<Item>) {
        for item in items {
            add(item, version: Repairs.unknown)
            untold.insert(item)
        }
    }

    /// The same, held back: somebody may have a stranger's in their place again and again.
    mutating func note(_ items: some Collection<Item>, heldBackFrom now: Instant) {
        reread(items, heldBackFrom: now)
        for item in items { untold.insert(item) }
    }

    /// Redis may not have these, or something newer.
    mutating func note(_ counters: some Collection<CounterState>) {
        for counter in counters {
            add(counter.item, version: counter.version)
            untold.insert(counter.item)
        }
    }

    /// Redis may have something older than PostgreSQL, most likely not: it is made sure, but nobody is told.
    mutating func reread(_ items: some Collection<Item>) {
        for item in items { add(item, version: Repairs.unknown) }
    }

    /// The same of what somebody may bring about again and again: each is read after `Limits.repairRetryMs`, unless it
    /// waits already. One in a page stays in there, or it would never come to be set. `version`: Redis is to have that
    /// at least.
    mutating func reread(
        _ items: some Collection<Item>, from version: Int64 = Repairs.unknown, heldBackFrom now: Instant
    ) {
        var later: [Item] = []
        for item in items {
            notedMeanwhile?.insert(item)
            if let place = entries.index(forKey: item) {
                entries.values[place].version = max(entries.values[place].version, version)
                entries.values[place].isNotedAgain = entries.values[place].page != 0
                entries.values[place].isDoubted = true
            } else {
                entries[item] = Entry(version: version, isDoubted: true)
                later.append(item)
            }
        }
        holdBack(later, now: now)
    }

    /// Rows of `cache_repairs`. Those of transactions before `leftFrom` are left to no other host: one that was should
    /// be gone by now.
    mutating func learn(_ rows: some Collection<RepairRow>, leftFrom: Int64 = 0) {
        for row in rows {
            // The row was seen before it was deleted.
            if mended.covers(row) { continue }
            // What still waits for its turn here may be done by another host before.
            if row.notedBy < leftFrom, entries[row.item] == nil { add(row.item, version: Repairs.unknown) }
            if let entry = entries[row.item] {
                // An answer on its way may be older than the row.
                if entry.version == Repairs.unknown ? !entry.isTold : entry.version < row.version {
                    add(row.item, version: row.version)
                }
            } else {
                add(row.item, version: row.version)
            }
            entries[row.item]?.isTold = true
            if entries[row.item]?.page == 0 { entries[row.item]?.notedBy = row.notedBy }
        }
    }

    /// Redis took it, from whichever host. What another host has set need not be set here; what is on its way from here
    /// is struck off once that is confirmed.
    mutating func heard(_ counter: CounterState) {
        guard let entry = entries[counter.item], entry.version <= counter.version, !entry.isDoubted, !isOnItsWay(entry)
        else { return }
        remove(counter.item)
        totals.spared += 1
    }

    func isOnItsWay(_ entry: Entry) -> Bool {
        entry.page != 0 && pages.isWriting(entry.page)
    }

    /// Redis, or the database, has another past: what was read before means nothing.
    mutating func rereadAll() {
        for page in pages.takeAll() { putBack(page) }
    }

    // MARK: A new marker

    /// From now on it is kept apart what is noted: a marker made after this moment settles all that was before.
    mutating func beginIdentifying() { notedMeanwhile = [] }

    /// `isNew`: the marker was made by the call that began at `beginIdentifying`. Whatever is put into Redis under it
    /// is read from PostgreSQL later than what was known to be missing by then.
    mutating func identified(isNew: Bool) {
        defer { notedMeanwhile = nil }
        guard isNew, let noted = notedMeanwhile, entries.count > 0 else { return }
        let before = entries.count
        rereadAll()
        entries = entries.filter { noted.contains($0.key) }
        totals.spared += Int64(before - entries.count)
        untold.keep(noted)
        compact()
    }

    // MARK: Telling

    mutating func takeToTell(max: Int) -> [Item] { untold.take(max: max) }

    /// `cache_repairs` has them. `isKept`: this process goes on repairing them itself.
    mutating func told(_ items: [Item], isKept: Bool) {
        totals.told += Int64(items.count)
        untold.told(items)
        for item in items {
            entries[item]?.isTold = true
            if !isKept, !untold.contains(item) { entries[item] = nil }
        }
        if !isKept { compact() }
    }

    mutating func tellingFailed(_ items: [Item]) {
        untold.told(items)
        for item in items where entries[item] != nil { untold.insert(item) }
    }

    /// What is told is other hosts' to repair, and this one's once it looks again.
    mutating func forgetTold() {
        rereadAll()
        entries = entries.filter { untold.contains($0.key) || !$0.value.isTold }
        forgetRows()
        compact()
    }

    /// Rows of `cache_repairs` that were seen, or are to be struck off, are of a past that is over.
    mutating func forgetRows() {
        mended.removeAll()
        for place in entries.values.indices { entries.values[place].notedBy = 0 }
    }

    // MARK: Striking off

    /// Rows in `cache_repairs` that can go.
    mutating func takeMended(max: Int) -> [MendedRow] { mended.take(max: max) }

    mutating func mendingFailed(_ rows: [MendedRow]) { mended.putBack(rows) }

    /// They are gone, or others are at them. `mayBeSeen`: an answer with rows from before is on its way.
    mutating func struck(_ rows: [MendedRow], mayBeSeen: Bool) { mended.struck(rows, mayBeSeen: mayBeSeen) }

    /// No answer from before is on its way any more.
    mutating func forgetStruckOff() { mended.forgetStruckOff() }

    // MARK: Entries

    /// To be read from now on: what is on its way may be older.
    mutating func add(_ item: Item, version: Int64) {
        notedMeanwhile?.insert(item)
        guard let place = entries.index(forKey: item) else {
            entries[item] = Entry(version: version)
            return offer([item])
        }
        entries.values[place].version = max(entries.values[place].version, version)
        guard entries.values[place].page != 0 else { return }
        entries.values[place].page = 0
        offer([item])
    }

    mutating func remove(_ item: Item) {
        entries[item] = nil
        untold.remove(item)
        guard entries.isEmpty else { return }
        // What many repairs took is given back.
        if entries.capacity > limits.countersPerCallMax { entries = [:] }
        compact()
    }

    mutating func offer(_ items: [Item]) {
        pool.append(items)
        if pool.count > 2 * entries.count + limits.countersPerCallMax { compact() }
    }

    /// Places that were left behind go, so that a backend that stays away lets no queue grow.
    mutating func compact() {
        pool.keep { entries[$0]?.page == 0 }
    }

    func checkInvariants() {
        passes.checkInvariants()
        untold.checkInvariants()
        pages.checkInvariants()
        precondition(untold.allSatisfy { entries[$0] != nil }, "what is untold is to be repaired")
        for (item, entry) in entries where entry.page != 0 {
            precondition(pages.contains(entry.page), "\(item) is in a page that is not under way")
        }
    }
}
