import LikesProtocol
import LikesStorage

/// Items of one node of Redis whose counter there may be old: a write-through did not arrive, or another host says so.
/// Redis is not asked for such an item until it has answered that it is set again.
///
/// Items are repaired in *pages*. A page is taken from the pool at random, so that hosts with the same repairs take
/// different ones. It is read from PostgreSQL, set in Redis, and struck off. Few pages are under way at once, and the
/// next is taken when one is done, so that no answer from PostgreSQL waits until it is too old to be written. A page
/// that fails goes back into the pool and waits for a time of its own; no other page waits with it.
///
/// What only this process knows is *untold*: it is in the journal of each batch until `cache_repairs` has it. What is
/// told can be forgotten here.
struct NodeRepairs {
    typealias PageNumber = Repairs.PageNumber

    /// The version that Redis should have is not known.
    static let unknown = Int64.max

    struct Entry {
        /// Redis should have this version or a newer one; `unknown`: the one that PostgreSQL has.
        var version: Int64
        /// The page it is in; 0: none, it is in the pool.
        var page: PageNumber = 0
        /// `cache_repairs` has a row of the item, to be deleted once the item is mended.
        var isTold = false
        /// Noted again while it was in a page. What the page sets may be older, so the item is repaired again.
        var isNotedAgain = false
        /// Only Redis' own answer ends the repair: a message may be one that a stranger repeats.
        var isDoubted = false
        /// The transaction that noted the row, if PostgreSQL is asked after the row was seen; 0: none.
        var notedBy: Int64 = 0
    }

    var entries: [Item: Entry] = [:]
    var pool: RepairPool
    var pages: RepairPages
    /// Pages that failed. They return to the pool at their time. All wait equally long, so the first is the next.
    var delayed = Ring<(until: Instant, items: [Item])>()
    var untold = UntoldRepairs()
    var mended: MendedRows
    /// What was noted since Redis' data began to be identified; nil: it is not being identified.
    var notedMeanwhile: Set<Item>?
    var totals = Totals()
    let limits: Limits
    /// The node whose items these are.
    let node: NodePlace

    init(_ limits: Limits = .standard, node: NodePlace = 0, seed: UInt64 = 0) {
        self.limits = limits
        self.node = node
        pool = RepairPool(seed: seed)
        pages = RepairPages(limits)
        mended = MendedRows(rowsMax: limits.repairsMendedMax)
    }

    /// Since the start.
    struct Totals {
        var done: Int64 = 0
        /// Done by other hosts, or made needless by a new marker.
        var spared: Int64 = 0
    }

    var count: Int { entries.count }
    var untoldCount: Int { untold.count }
    var mendedCount: Int { mended.count }
    /// Takes in no more of other hosts' repairs until some are mended.
    var isFull: Bool { entries.count >= limits.repairsMax }

    /// When to try again what failed; nil: nothing is delayed.
    var wakeAt: Instant? { delayed.first?.until }
    /// There is room for what another page will bring to be struck off.
    var hasRoomForMended: Bool { mended.hasRoom(for: (pages.count + 1) * limits.countersPerCallMax) }

    func contains(_ item: Item) -> Bool { !entries.isEmpty && entries[item] != nil }

    // MARK: Noting

    /// Redis may lack what was committed of these items.
    mutating func note(_ items: some Collection<Item>) {
        for item in items {
            add(item, version: NodeRepairs.unknown)
            untold.insert(item)
        }
    }

    /// The same, delayed: somebody may put a stranger's counters in their place repeatedly.
    mutating func note(_ items: some Collection<Item>, delayedFrom now: Instant) {
        reread(items, delayedFrom: now)
        for item in items { untold.insert(item) }
    }

    /// Redis may lack these counters and any newer ones.
    mutating func note(_ counters: some Collection<CounterState>) {
        for counter in counters {
            add(counter.item, version: counter.version)
            untold.insert(counter.item)
        }
    }

    /// Redis may have something older than PostgreSQL, though most likely not. The items are set again to be sure, but
    /// nobody is told.
    mutating func reread(_ items: some Collection<Item>) {
        for item in items { add(item, version: NodeRepairs.unknown) }
    }

    /// The same for changes that somebody may cause repeatedly: each item is read after `Limits.repairRetryMs`, unless
    /// it already waits. An item in a page stays there, or it would never be set. `version`: Redis should have this one
    /// or a newer one.
    mutating func reread(
        _ items: some Collection<Item>, from version: Int64 = NodeRepairs.unknown, delayedFrom now: Instant
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
        delay(later, now: now)
    }

    /// Takes in rows of `cache_repairs`. Those of transactions before `leftFrom` are not left to other hosts: a row
    /// that was should be gone by now.
    mutating func learn(_ rows: some Collection<RepairRow>, leftFrom: Int64 = 0) {
        for row in rows {
            // The row was seen before it was deleted.
            if mended.covers(row) { continue }
            // Another host may still do what only waits for its turn here.
            if row.notedBy < leftFrom, entries[row.item] == nil { add(row.item, version: NodeRepairs.unknown) }
            if let entry = entries[row.item] {
                // An answer under way may be older than the row.
                if entry.version == NodeRepairs.unknown ? !entry.isTold : entry.version < row.version {
                    add(row.item, version: row.version)
                }
            } else {
                add(row.item, version: row.version)
            }
            entries[row.item]?.isTold = true
            if entries[row.item]?.page == 0 { entries[row.item]?.notedBy = row.notedBy }
        }
    }

    /// Redis took the counter, from whichever host. What another host has set need not be set here. What is on its way
    /// from here is struck off once Redis has answered.
    mutating func heard(_ counter: CounterState) {
        guard let entry = entries[counter.item], entry.version <= counter.version, !entry.isDoubted, !isOnItsWay(entry)
        else { return }
        remove(counter.item)
        totals.spared += 1
    }

    func isOnItsWay(_ entry: Entry) -> Bool {
        entry.page != 0 && pages.isWriting(entry.page)
    }

    /// Redis or the database is at another past: what was read before means nothing.
    mutating func rereadAll() {
        for page in pages.takeAll() { putBack(page) }
    }

    // MARK: A new marker

    /// From now on, keeps track of what is noted: a marker made after this moment settles everything noted before.
    mutating func beginIdentifying() { notedMeanwhile = [] }

    /// `isNew`: the call that began at `beginIdentifying` made the marker. Everything put into Redis under it is read
    /// from PostgreSQL later than what was known to be missing by then.
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

    /// `cache_repairs` has the items. `isKept`: this process goes on repairing them itself.
    mutating func told(_ items: [Item], isKept: Bool) {
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

    /// Told repairs are left to other hosts, and to this one with its next pass.
    mutating func forgetTold() {
        rereadAll()
        entries = entries.filter { untold.contains($0.key) || !$0.value.isTold }
        forgetRows()
        compact()
    }

    /// Rows of `cache_repairs` that were seen, or that wait to be struck off, belong to a past that is over.
    mutating func forgetRows() {
        mended.removeAll()
        for place in entries.values.indices { entries.values[place].notedBy = 0 }
    }

    // MARK: Striking off

    /// Rows of `cache_repairs` that can be deleted.
    mutating func takeMended(max: Int) -> [MendedRow] { mended.take(max: max) }

    mutating func mendingFailed(_ rows: [MendedRow]) { mended.putBack(rows) }

    /// The rows are deleted, or others are at work on them. `mayBeSeen`: an answer that may still contain them is under
    /// way.
    mutating func struck(_ rows: [MendedRow], mayBeSeen: Bool) { mended.struck(rows, mayBeSeen: mayBeSeen) }

    /// No answer from before the deletion is under way any more.
    mutating func forgetStruckOff() { mended.forgetStruckOff() }

    // MARK: Slots that move

    /// A repair on its way to another node.
    struct Moved {
        var item: Item
        var entry: Entry
        var isUntold: Bool
    }

    /// Takes out the repairs of items that another node has now. Pages under way go on without them.
    mutating func takeMoved(where isElsewhere: (Item) -> Bool) -> [Moved] {
        guard !entries.isEmpty else { return [] }
        let moved = entries.keys.filter(isElsewhere).sorted { ($0.type, $0.id) < ($1.type, $1.id) }.compactMap { item in
            entries[item].map { Moved(item: item, entry: $0, isUntold: untold.contains(item)) }
        }
        for repair in moved { remove(repair.item) }
        return moved
    }

    /// The items are read again: what a page was about to set was meant for the other node.
    mutating func take(_ moved: Moved) {
        add(moved.item, version: moved.entry.version)
        entries[moved.item]?.isTold = moved.entry.isTold
        entries[moved.item]?.isDoubted = moved.entry.isDoubted
        entries[moved.item]?.notedBy = moved.entry.notedBy
        if moved.isUntold { untold.insert(moved.item) }
    }

    // MARK: Entries

    /// Notes an item to be read from now on: an answer under way may be older.
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
        // Gives back the memory that many repairs took.
        if entries.capacity > limits.countersPerCallMax { entries = [:] }
        compact()
    }

    mutating func offer(_ items: [Item]) {
        pool.append(items)
        if pool.count > 2 * entries.count + limits.countersPerCallMax { compact() }
    }

    /// Drops places that were left behind, so that no queue grows while a backend stays away.
    mutating func compact() {
        pool.keep { entries[$0]?.page == 0 }
    }

    func checkInvariants() {
        untold.checkInvariants()
        pages.checkInvariants()
        precondition(untold.allSatisfy { entries[$0] != nil }, "what is untold is to be repaired")
        for (item, entry) in entries where entry.page != 0 {
            precondition(pages.contains(entry.page), "\(item) is in a page that is not under way")
        }
    }
}
