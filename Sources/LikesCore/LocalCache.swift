import LikesProtocol

/// Counts this host has seen, the least recently used one dropped first. One flat table: entries in one array, found
/// through a hash index of 32-bit places and linked in order of use by 32-bit places, so that a hit costs two memory
/// reads and a full cache never allocates. 46 bytes per entry at `entriesMax`, index included.
///
/// Invariants: the index holds the place of every entry once; the list from `newest` to `oldest` holds every entry
/// once; `entries.count` ≤ `entriesMax`; the index is never more than two thirds full, so that every search ends.
package struct LocalCache: Sendable {
    /// Places are 32 bits, one of which stands for "none".
    package static let entriesLimit = 1 << 30
    /// Entries of the first table: an idle daemon stays small.
    private static let entriesFirst = 1_024
    private static let none = UInt32.max

    /// 40 bytes.
    private struct Entry {
        var id: Int64
        var count: Int64
        var version: Int64
        /// When it was last known to be true, in microseconds, above the type's 8 bits: 2,283 years of them.
        var stampAndType: UInt64
        /// The entry used just after this one, and the one used just before.
        var newer: UInt32
        var older: UInt32

        var type: UInt8 { UInt8(truncatingIfNeeded: stampAndType) }
        var stamp: Int64 { Int64(stampAndType >> 8) }
        var state: CounterState {
            CounterState(item: Item(type: type, id: id), count: count, version: version)
        }
    }

    /// Entries it may hold, 0 … `entriesLimit`; at 0 it keeps nothing.
    package let entriesMax: Int
    /// Entries dropped to make room, since the start.
    package private(set) var evictions: UInt64 = 0

    private let ttlMicroseconds: Int64
    private let hash: SeededHash
    private var entries: [Entry] = []
    /// Entries the table and the index were made for; not the array's capacity, which a copy does not keep.
    private var room = 0
    /// Places in `entries`, `none` where free; open addressing, linear probing.
    private var index: [UInt32] = []
    private var newest = LocalCache.none
    private var oldest = LocalCache.none
    /// Entries with an older stamp are stale whatever the time is. Every stamp ever given is at most `stampMax`, so
    /// that `expireAll` can set the floor above all of them, even those given in the same microsecond.
    private var stampFloor: Int64 = 0
    private var stampMax: Int64 = 0

    /// `ttlMs`: how long an entry is fresh, 0 or more. `seed` has to be unguessable where clients are hostile: it
    /// decides which items share a place in the index.
    package init(entriesMax: Int, ttlMs: Int64, seed: UInt64) {
        self.entriesMax = min(max(entriesMax, 0), LocalCache.entriesLimit)
        let (microseconds, overflow) = max(ttlMs, 0).multipliedReportingOverflow(by: 1_000)
        ttlMicroseconds = overflow ? .max : microseconds
        hash = SeededHash(seed: seed)
    }

    /// Entries held, fresh or not.
    package var count: Int { entries.count }

    /// The item's count when it is held and was stored less than the TTL ago; it then is the most recently used.
    package mutating func fresh(_ item: Item, now: Instant) -> Int64? {
        guard let place = find(item) else { return nil }
        let stamp = entries[place].stamp
        // An entry stored right after `expireAll` can be stamped a moment ahead of the clock.
        let age = max(0, now.microseconds - stamp)
        guard stamp >= stampFloor, age < ttlMicroseconds else { return nil }
        moveToFront(place)
        return entries[place].count
    }

    /// What is held of the item, however old; does not count as a use.
    package func stale(_ item: Item) -> CounterState? {
        find(item).map { entries[$0].state }
    }

    /// Takes the counter if it is newer than what is held; the same version is fresh again, an older one changes
    /// nothing. Answers what stands now.
    package mutating func store(_ counter: CounterState, now: Instant) -> CounterState {
        guard entriesMax > 0 else { return counter }
        if let place = find(counter.item) {
            let held = entries[place].state
            guard counter.version >= held.version else { return held }
            if counter.version > held.version {
                entries[place].count = counter.count
                entries[place].version = counter.version
            }
            entries[place].stampAndType = nextStamp(now) << 8 | UInt64(counter.item.type)
            moveToFront(place)
            return entries[place].state
        }
        let entry = Entry(
            id: counter.item.id, count: counter.count, version: counter.version,
            stampAndType: nextStamp(now) << 8 | UInt64(counter.item.type),
            newer: LocalCache.none, older: LocalCache.none)
        insert(entry)
        return counter
    }

    /// Takes the counter if the item is held, and older. Not a use, since what others do must not keep an item here,
    /// and no fresher for it: nobody knows how long the news was on its way to a host that stood still.
    package mutating func update(_ counter: CounterState) {
        guard let place = find(counter.item), entries[place].version < counter.version else { return }
        entries[place].count = counter.count
        entries[place].version = counter.version
    }

    /// Drops every entry.
    package mutating func removeAll() {
        entries = []
        index = []
        room = 0
        newest = LocalCache.none
        oldest = LocalCache.none
    }

    /// Makes every entry stale at once, at no cost.
    package mutating func expireAll() {
        stampFloor = stampMax + 1
    }

    private mutating func nextStamp(_ now: Instant) -> UInt64 {
        let stamp = max(now.microseconds, stampFloor)
        stampMax = max(stampMax, stamp)
        return UInt64(stamp)
    }

    // MARK: Entries

    private mutating func insert(_ entry: Entry) {
        let place: Int
        if entries.count < entriesMax {
            if entries.count == room { grow() }
            place = entries.count
            entries.append(entry)
        } else {
            // The oldest entry's place is the new one's.
            place = Int(oldest)
            removeFromIndex(place)
            unlink(place)
            entries[place] = entry
            evictions += 1
        }
        addToIndex(place)
        linkAtFront(place)
    }

    /// Doubles the table, as far as it may, and builds the index anew: half as large again as the entries.
    private mutating func grow() {
        room = min(max(room * 2, LocalCache.entriesFirst), entriesMax)
        entries.reserveCapacity(room)
        index = Array(repeating: LocalCache.none, count: room * 3 / 2 + 1)
        for place in entries.indices { addToIndex(place) }
    }

    // MARK: Order of use

    private mutating func moveToFront(_ place: Int) {
        guard newest != UInt32(place) else { return }
        unlink(place)
        linkAtFront(place)
    }

    private mutating func unlink(_ place: Int) {
        let newer = entries[place].newer
        let older = entries[place].older
        if newer == LocalCache.none { newest = older } else { entries[Int(newer)].older = older }
        if older == LocalCache.none { oldest = newer } else { entries[Int(older)].newer = newer }
    }

    private mutating func linkAtFront(_ place: Int) {
        entries[place].newer = LocalCache.none
        entries[place].older = newest
        if newest == LocalCache.none { oldest = UInt32(place) } else { entries[Int(newest)].newer = UInt32(place) }
        newest = UInt32(place)
    }

    // MARK: Index

    private func home(of item: Item) -> Int {
        // The high half of the product spreads the hash over any size, not just powers of two.
        Int(hash(item).multipliedFullWidth(by: UInt64(index.count)).high)
    }

    private func home(ofEntryAt place: Int) -> Int {
        home(of: Item(type: entries[place].type, id: entries[place].id))
    }

    private func after(_ slot: Int) -> Int { slot + 1 == index.count ? 0 : slot + 1 }

    private func find(_ item: Item) -> Int? {
        guard !index.isEmpty else { return nil }
        var slot = home(of: item)
        while index[slot] != LocalCache.none {
            let place = Int(index[slot])
            if entries[place].id == item.id, entries[place].type == item.type { return place }
            slot = after(slot)
        }
        return nil
    }

    private mutating func addToIndex(_ place: Int) {
        var slot = home(ofEntryAt: place)
        while index[slot] != LocalCache.none { slot = after(slot) }
        index[slot] = UInt32(place)
    }

    /// Closes the gap by moving back what a search would no longer reach, so that no marks of removed entries pile up.
    private mutating func removeFromIndex(_ place: Int) {
        var gap = home(ofEntryAt: place)
        while index[gap] != UInt32(place) { gap = after(gap) }
        var slot = after(gap)
        while index[slot] != LocalCache.none {
            let home = home(ofEntryAt: Int(index[slot]))
            // Moving it may not take it before its home, on the ring from the gap to here.
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
