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

    struct Page {
        enum Stage {
            /// PostgreSQL was asked.
            case reading
            /// To be set in Redis, as long as the permit holds.
            case read([CounterState])
            /// On its way to Redis since then.
            case writing(since: Instant)
        }

        var number: PageNumber
        var items: [Item]
        /// Given before PostgreSQL was asked.
        var permit: WritePermit
        var stage = Stage.reading
    }

    var entries: [Item: Entry] = [:]
    /// The places of entries that wait for a page, in no order; some are left behind by what waits no more.
    var pool: [Item] = []
    var pages: [Page] = []
    var lastPage: PageNumber = 0
    /// Pages that failed, back in the pool once their time has come; all wait equally long, so the first is the next.
    var heldBack = Ring<(until: Instant, items: [Item])>()
    /// Items in a page: more as long as Redis takes them quickly, fewer where it does not, or where PostgreSQL's
    /// answers come too late to be written. So hosts that repair at once leave room for each other, and for everything
    /// else.
    var pageMax: Int
    var random: SplitMix64

    var untold: Set<Item> = []
    /// The same in the order they came; those that are not untold any more are passed over.
    var toTell = Ring<Item>()

    /// On their way to `cache_repairs`: what of them is set in Redis meanwhile has a row there by then.
    var telling: Set<Item> = []

    /// Set in Redis, their rows in `cache_repairs` still to be deleted.
    var mended = Ring<MendedRow>()
    /// The same, and deleted rows that an answer on its way may still bring.
    var mendedRows: [Item: MendedRow] = [:]
    /// Deleted since PostgreSQL was asked for rows.
    var struckOff: [MendedRow] = []

    /// What was noted since the data in Redis began to be identified; nil: it is not being identified.
    var notedMeanwhile: Set<Item>?

    var doneTotal: Int64 = 0
    var toldTotal: Int64 = 0
    /// Done by other hosts, or out of date by a new marker.
    var sparedTotal: Int64 = 0

    /// Over `cache_repairs`.
    var passes: RepairPasses

    let limits: Limits

    init(_ limits: Limits = .standard, seed: UInt64 = 0, now: Instant = Instant(microseconds: 0)) {
        passes = RepairPasses(now: now)
        self.limits = limits
        pageMax = min(Limits.repairPageMin, limits.countersPerCallMax)
        random = SplitMix64(seed: seed)
    }

    var count: Int { entries.count }
    /// Places in the pool, those left behind included.
    var placesCount: Int { pool.count }
    var pagesCount: Int { pages.count }
    var untoldCount: Int { untold.count }
    /// In the order they came.
    var untoldItems: [Item] {
        untold.isEmpty ? [] : (0..<toTell.count).map { toTell[$0] }.filter(untold.contains)
    }
    var mendedCount: Int { mended.count }
    /// All that hosts could not write to Redis is known here: what is not, may be read there.
    var isAllKnown: Bool { passes.isComplete && !isFull }
    /// No more of what other hosts say is taken in before some of it is mended.
    var isFull: Bool { entries.count >= limits.repairsMax }

    /// When what failed is tried again; nil: nothing is held back.
    var wakeAt: Instant? { heldBack.first?.until }
    /// There is room for what another page will bring to be struck off.
    var hasRoomForMended: Bool {
        mended.isEmpty || mended.count + (pages.count + 1) * limits.countersPerCallMax <= limits.repairsMendedMax
    }

    func contains(_ item: Item) -> Bool { !entries.isEmpty && entries[item] != nil }

    // MARK: What is to be repaired

    /// Redis may not have what was committed of these.
    mutating func note(_ items: some Collection<Item>) {
        for item in items {
            add(item, version: Repairs.unknown)
            makeUntold(item)
        }
    }

    /// The same, held back: somebody may have a stranger's in their place again and again.
    mutating func note(_ items: some Collection<Item>, heldBackFrom now: Instant) {
        reread(items, heldBackFrom: now)
        for item in items { makeUntold(item) }
    }

    /// Redis may not have these, or something newer.
    mutating func note(_ counters: some Collection<CounterState>) {
        for counter in counters {
            add(counter.item, version: counter.version)
            makeUntold(counter.item)
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
            if let mended = mendedRows[row.item], mended.covers(row) { continue }
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
        sparedTotal += 1
    }

    func isOnItsWay(_ entry: Entry) -> Bool {
        guard entry.page != 0, let page = pages.first(where: { $0.number == entry.page }) else { return false }
        if case .writing = page.stage { return true }
        return false
    }

    /// Redis, or the database, has another past: what was read before means nothing.
    mutating func rereadAll() {
        for page in pages { putBack(page) }
        pages.removeAll()
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
        sparedTotal += Int64(before - entries.count)
        untold.formIntersection(noted)
        compact()
    }

    // MARK: Telling

    mutating func takeToTell(max: Int) -> [Item] {
        var items: [Item] = []
        while items.count < max, let item = toTell.popFirst() {
            if untold.remove(item) != nil { items.append(item) }
        }
        telling.formUnion(items)
        return items
    }

    /// `cache_repairs` has them. `isKept`: this process goes on repairing them itself.
    mutating func told(_ items: [Item], isKept: Bool) {
        toldTotal += Int64(items.count)
        telling.subtract(items)
        for item in items {
            entries[item]?.isTold = true
            if !isKept, !untold.contains(item) { entries[item] = nil }
        }
        if !isKept { compact() }
    }

    mutating func tellingFailed(_ items: [Item]) {
        telling.subtract(items)
        for item in items where entries[item] != nil { makeUntold(item) }
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
        mendedRows = [:]
        struckOff = []
        for place in entries.values.indices { entries.values[place].notedBy = 0 }
    }

    // MARK: Striking off

    /// Rows in `cache_repairs` that can go.
    mutating func takeMended(max: Int) -> [MendedRow] {
        var taken: [MendedRow] = []
        while taken.count < max, let row = mended.popFirst() { taken.append(row) }
        return taken
    }

    mutating func mendingFailed(_ rows: [MendedRow]) {
        for row in rows where mendedRows[row.item] != nil { mended.append(row) }
    }

    /// They are gone, or others are at them. `mayBeSeen`: an answer with rows from before is on its way.
    mutating func struck(_ rows: [MendedRow], mayBeSeen: Bool) {
        struckOff += rows
        if !mayBeSeen { forgetStruckOff() }
    }

    /// No answer from before is on its way any more.
    mutating func forgetStruckOff() {
        for row in struckOff where mendedRows[row.item] == row { mendedRows[row.item] = nil }
        struckOff = []
    }

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
        pool += items
        if pool.count > 2 * entries.count + limits.countersPerCallMax { compact() }
    }

    /// Places that were left behind go, so that a backend that stays away lets no queue grow.
    mutating func compact() {
        guard !entries.isEmpty else {
            pool = []
            return
        }
        var seen: Set<Item> = []
        pool = pool.filter { entries[$0]?.page == 0 && seen.insert($0).inserted }
    }

    mutating func makeUntold(_ item: Item) {
        if untold.insert(item).inserted { toTell.append(item) }
        // Items mended in the meantime leave their places behind.
        guard toTell.count > 2 * untold.count + 1_024 else { return }
        let living = untoldItems
        toTell.removeAll()
        for item in living { toTell.append(item) }
    }

    func checkInvariants() {
        passes.checkInvariants()
        precondition(untold.allSatisfy { entries[$0] != nil }, "what is untold is to be repaired")
        precondition(pages.count <= Limits.repairPagesMax + 1, "few pages are under way at once")
        for page in pages { precondition(page.number <= lastPage, "pages are numbered in order") }
        for (item, entry) in entries where entry.page != 0 {
            precondition(pages.contains { $0.number == entry.page }, "\(item) is in a page that is not under way")
        }
    }
}
