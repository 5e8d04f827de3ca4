import LikesProtocol
import LikesStorage

/// The counts that this host has seen. One flat table: entries in one array, found through a hash index of 32-bit
/// places. So a hit costs two memory reads, and a full cache never allocates. An entry takes 38 bytes at `entriesMax`,
/// index included.
///
/// Second chance ("clock") decides which entry makes room: a hit marks its entry. A hand goes round the table, clears
/// the marks it meets, and stops at the first entry without one. So an entry stays if it was used since the hand last
/// passed it. An exact order of use would need a list through all entries, and every hit would change it in four
/// distant places of memory.
///
/// Invariants: the index holds the place of every entry once; `entries.count` ≤ `entriesMax`; the index is never more
/// than two thirds full, so that every search ends.
package struct LocalCache: Sendable {
    /// Places are 32 bits, and one value stands for "none".
    package static let entriesLimit = 1 << 30
    /// An entry belongs to one of these, which become stale together.
    package static let groupsCount = 256
    /// Entries of the first table, small because an idle daemon should stay small.
    private static let entriesFirst = 1_024
    private static let none = UInt32.max

    /// The entries it may hold, 0 … `entriesLimit`. With 0 it keeps nothing.
    package let entriesMax: Int
    /// Entries dropped to make room, since the start.
    package private(set) var evictions: UInt64 = 0

    private let handStepsMax: Int
    /// By group: how long its entries are fresh.
    private var ttls: [Int64]
    private let hash: SeededHash
    private var entries: [Entry] = []
    /// The number of entries that the table and the index are made for. Not the array's capacity, which a copy does not
    /// keep.
    private var room = 0
    /// Places in `entries`, `none` if free. Open addressing, linear probing. The bits above `placeMask` hold some of
    /// the hash, so that a search hardly ever reads another item's entry.
    private var index: [UInt32] = []
    /// All ones, and greater than any place, so that no place together with its bits of hash equals `none`.
    private var placeMask: UInt32 = 0
    /// The place that made room last.
    private var hand = 0
    /// By group: entries with an older stamp are stale at any time.
    private var floors: [Int64]
    private var stamps = CacheStamps()

    /// `ttlMs`: how long an entry is fresh, 0 or more. `seed` decides which items share a place in the index. It must
    /// be unguessable if clients may be hostile.
    package init(
        entriesMax: Int, ttlMs: Int64, seed: UInt64, handStepsMax: Int = Limits.standard.cacheHandStepsMax
    ) {
        self.handStepsMax = handStepsMax
        self.entriesMax = min(max(entriesMax, 0), LocalCache.entriesLimit)
        ttls = Array(repeating: LocalCache.microseconds(ttlMs), count: LocalCache.groupsCount)
        floors = Array(repeating: 0, count: LocalCache.groupsCount)
        hash = SeededHash(seed: seed)
    }

    /// Entries of the group are fresh for this long from now on, including those already held.
    package mutating func setTTL(ms: Int64, of group: UInt8 = 0) { ttls[Int(group)] = LocalCache.microseconds(ms) }

    private static func microseconds(_ ms: Int64) -> Int64 {
        let (microseconds, overflow) = max(ms, 0).multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : microseconds
    }

    /// Entries held, fresh or not.
    package var count: Int { entries.count }

    /// The item's count if it is held and was stored less than the TTL ago. This counts as a use.
    package mutating func fresh(_ item: Item, now: Instant) -> Int64? {
        guard let place = find(item) else { return nil }
        let stamp = entries[place].stamp
        let group = Int(entries[place].group)
        // An entry stored right after `expireAll` can be stamped a moment ahead of the clock.
        let age = max(0, now.microseconds - stamp)
        guard stamp >= floors[group], age < ttls[group] else { return nil }
        if let secondsMax = entries[place].secondsMax, age >= Int64(secondsMax) * 1_000_000 { return nil }
        // Read first: a mark that is already set need not be written again.
        if !entries[place].isUsed { entries[place].isUsed = true }
        return entries[place].count
    }

    /// What is held of the item, however old. This does not count as a use.
    package func stale(_ item: Item) -> CounterState? {
        find(item).map { entries[$0].state }
    }

    /// What is held of the item, and a moment at which it was known; nil instead: it came as an update, and the moment
    /// was not kept. What only a standby has told is left out.
    func known(_ item: Item) -> (CounterState, since: Instant?)? {
        guard let place = find(item), !entries[place].isFromStandby else { return nil }
        let entry = entries[place]
        return (entry.state, entry.isNews ? nil : Instant(microseconds: entry.stamp))
    }

    /// Whether only a standby has told this state so far.
    func isFromStandby(_ counter: CounterState) -> Bool {
        find(counter.item).map { entries[$0].isFromStandby && entries[$0].version == counter.version } ?? false
    }

    /// Takes the counter unless something newer is held. The same version becomes fresh again, with the given count if
    /// the two differ. `secondsMax`: how long it is fresh at most, 1 or more, whatever the TTL. Returns what is held
    /// now.
    package mutating func store(
        _ counter: CounterState, secondsMax: Int? = nil, group: UInt8 = 0, now: Instant
    ) -> CounterState {
        guard entriesMax > 0 else {
            stamps.note(now.microseconds, hash(counter.item))
            return counter
        }
        if let place = find(counter.item) {
            let held = entries[place].state
            guard counter.version >= held.version else { return held }
            entries[place].isFromStandby = false
            entries[place].count = counter.count
            entries[place].version = counter.version
            entries[place].group = group
            entries[place].stamp = nextStamp(now, group)
            entries[place].secondsMax = secondsMax
            entries[place].isNews = false
            entries[place].isUsed = true
            return entries[place].state
        }
        insert(Entry(counter, stamp: nextStamp(now, group), secondsMax: secondsMax, group: group))
        return counter
    }

    /// Takes a standby's counter, which had everything that was committed before `asOf`, and may be newer. Something
    /// newer that is held stays. `isFresh`: it may be served for the TTL, from `asOf`. Returns what is held now.
    mutating func store(
        _ counter: CounterState, asOf: Instant, isFresh: Bool, group: UInt8 = 0, now: Instant
    ) -> CounterState {
        guard entriesMax > 0 else {
            stamps.note(now.microseconds, hash(counter.item))
            return counter
        }
        stamps.max = max(stamps.max, now.microseconds)
        stamps.standbyAgeMax = max(stamps.standbyAgeMax, now.microseconds - asOf.microseconds)
        let stamp = isFresh && asOf.microseconds >= floors[Int(group)] ? asOf.microseconds : 0
        if stamp == 0 { floors[Int(group)] = max(floors[Int(group)], 1) }
        guard let place = find(counter.item) else {
            var entry = Entry(counter, stamp: stamp, secondsMax: nil, group: group)
            entry.isNews = true
            entry.isFromStandby = true
            insert(entry)
            return counter
        }
        let held = entries[place].state
        guard counter.version >= held.version, counter.version > held.version || stamp > entries[place].stamp else {
            return held
        }
        if counter.version > held.version { entries[place].isFromStandby = true }
        entries[place].count = counter.count
        entries[place].version = counter.version
        entries[place].group = group
        entries[place].stamp = stamp
        entries[place].secondsMax = nil
        entries[place].isNews = true
        entries[place].isUsed = true
        return counter
    }

    /// Takes the counter if the item is held and is no newer. Not a use: what others do must not keep an item here. Nor
    /// does it make the entry fresher: the news may have taken long to reach a host that stood still. True: what is
    /// held is now newer than before.
    @discardableResult
    package mutating func update(_ counter: CounterState) -> Bool {
        guard let place = find(counter.item), entries[place].version <= counter.version else { return false }
        let isNewer = entries[place].version < counter.version
        entries[place].count = counter.count
        entries[place].version = counter.version
        if isNewer {
            entries[place].isNews = true
            entries[place].isFromStandby = false
        }
        return isNewer
    }

    /// Replaces what is held of the item, newer or not: it belongs to a past that is over.
    mutating func replace(_ counter: CounterState) {
        guard let place = find(counter.item) else { return }
        entries[place].count = counter.count
        entries[place].version = counter.version
        entries[place].isNews = true
        entries[place].isFromStandby = false
    }

    /// Takes a counter of an item that is not held, for when nothing better can be had.
    mutating func storeStale(_ counter: CounterState, now: Instant) {
        _ = store(counter, now: now)
        expire(counter.item, below: .max)
    }

    /// Makes the item's entry stale if its version is lower than this one.
    mutating func expire(_ item: Item, below version: Int64) {
        guard let place = find(item), entries[place].version < version else { return }
        let group = Int(entries[place].group)
        floors[group] = max(floors[group], 1)
        entries[place].stamp = 0
        // The version was not known at stamp 0.
        entries[place].isNews = true
    }

    package mutating func removeAll() {
        if !entries.isEmpty { stamps.noteAll(stamps.max) }
        entries = []
        index = []
        room = 0
        hand = 0
    }

    /// Makes every entry stale at once, at no cost.
    package mutating func expireAll() {
        for group in floors.indices { floors[group] = stamps.max + 1 }
    }

    /// The same for the entries of one group.
    mutating func expireAll(of group: UInt8) { floors[Int(group)] = stamps.max + 1 }

    private mutating func nextStamp(_ now: Instant, _ group: UInt8) -> Int64 {
        let stamp = max(now.microseconds, floors[Int(group)])
        stamps.max = max(stamps.max, stamp)
        return stamp
    }

    // MARK: Entries

    private mutating func insert(_ entry: Entry) {
        let place: Int
        if entries.count < entriesMax {
            if entries.count == room { grow() }
            place = entries.count
            entries.append(entry)
        } else {
            advanceHand()
            place = hand
            noteForgotten(place)
            removeFromIndex(place)
            entries[place] = entry
            evictions += 1
        }
        addToIndex(place)
    }

    /// All versions of the item that left the table, or never came in, were known by this moment, but for those that
    /// `RecentCounters` remembers or remembered.
    func forgottenAt(_ item: Item) -> Instant { Instant(microseconds: stamps.stamp(hash(item))) }

    /// A count of the item was told. If it is not held, nobody else remembers that.
    mutating func noteTold(_ item: Item, now: Instant) {
        if find(item) == nil { stamps.note(now.microseconds, hash(item)) }
    }

    /// The entry is going to leave the table.
    private mutating func noteForgotten(_ place: Int) {
        let entry = entries[place]
        // An expired entry has lost its stamp.
        let expired = entry.stamp == 0 ? stamps.max : entry.stamp
        stamps.note(
            entry.isFromStandby ? max(expired, entry.stamp + stamps.standbyAgeMax) : expired, hash(ofEntryAt: place))
    }

    /// Moves to the entry that makes room.
    private mutating func advanceHand() {
        for _ in 0..<handStepsMax {
            hand = hand + 1 < entries.count ? hand + 1 : 0
            guard entries[hand].isUsed else { return }
            entries[hand].isUsed = false
        }
    }

    /// Doubles the table as far as allowed, and rebuilds the index, which has half as many places again as the table.
    private mutating func grow() {
        room = min(max(room * 2, LocalCache.entriesFirst), entriesMax)
        entries.reserveCapacity(room)
        index = Array(repeating: LocalCache.none, count: room * 3 / 2 + 1)
        placeMask = UInt32.max >> UInt32(room).leadingZeroBitCount
        for place in entries.indices { addToIndex(place) }
    }

    // MARK: Index

    private func home(of hashed: UInt64) -> Int {
        // The high half of the product spreads the hash over an index of any size, not just a power of two.
        Int(hashed.multipliedFullWidth(by: UInt64(index.count)).high)
    }

    private func hash(ofEntryAt place: Int) -> UInt64 {
        hash(Item(type: entries[place].type, id: entries[place].id))
    }

    private func homeOfEntry(in slot: Int) -> Int { home(of: hash(ofEntryAt: Int(index[slot] & placeMask))) }

    private func tagged(_ place: Int, _ hashed: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: hashed) & ~placeMask | UInt32(place)
    }

    private func after(_ slot: Int) -> Int { slot + 1 == index.count ? 0 : slot + 1 }

    private func find(_ item: Item) -> Int? {
        guard !index.isEmpty else { return nil }
        let hashed = hash(item)
        let tag = tagged(0, hashed)
        var slot = home(of: hashed)
        while index[slot] != LocalCache.none {
            // If the bits of the hash differ, some bits above `placeMask` remain set.
            let place = index[slot] ^ tag
            if place <= placeMask, entries[Int(place)].id == item.id, entries[Int(place)].type == item.type {
                return Int(place)
            }
            slot = after(slot)
        }
        return nil
    }

    private mutating func addToIndex(_ place: Int) {
        let hashed = hash(ofEntryAt: place)
        var slot = home(of: hashed)
        while index[slot] != LocalCache.none { slot = after(slot) }
        index[slot] = tagged(place, hashed)
    }

    /// Closes the gap by moving back what a search would no longer reach. So there are no marks of removed entries that
    /// could pile up.
    private mutating func removeFromIndex(_ place: Int) {
        let hashed = hash(ofEntryAt: place)
        var gap = home(of: hashed)
        let held = tagged(place, hashed)
        while index[gap] != held { gap = after(gap) }
        var slot = after(gap)
        while index[slot] != LocalCache.none {
            let home = homeOfEntry(in: slot)
            // An entry may not move before its home, on the ring from the gap to here.
            if distance(from: home, to: slot) >= distance(from: gap, to: slot) {
                index[gap] = index[slot]
                gap = slot
            }
            slot = after(slot)
        }
        index[gap] = LocalCache.none
    }

    private func distance(from: Int, to slot: Int) -> Int {
        slot >= from ? slot - from : slot + index.count - from
    }
}
