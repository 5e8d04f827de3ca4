import LikesSettings
import LikesProtocol
import LikesStorage

/// Counts this host has seen. One flat table: entries in one array, found through a hash index of 32-bit places, so
/// that a hit costs two memory reads and a full cache never allocates. 38 bytes per entry at `entriesMax`, index
/// included.
///
/// Which entry makes room is decided by second chance ("clock"): a hit marks its entry, and a hand that goes round the
/// table takes the mark off those it meets and stops at the first without one. So an entry stays that was used since
/// the hand last passed it. An exact order of use would be a list through all entries, which every hit has to change in
/// four places of memory far apart.
///
/// Invariants: the index holds the place of every entry once; `entries.count` ≤ `entriesMax`; the index is never more
/// than two thirds full, so that every search ends.
package struct LocalCache: Sendable {
    /// Places are 32 bits, one of which stands for "none".
    package static let entriesLimit = 1 << 30
    /// Entries of the first table: an idle daemon stays small.
    private static let entriesFirst = 1_024
    private static let none = UInt32.max

    /// 32 bytes.
    private struct Entry {
        var id: Int64
        var count: Int64
        var version: Int64
        /// When it was last known to be true, in microseconds: 17 years of them. Below it how many seconds it is fresh
        /// at most, in 5 bits, below those the marks, below those the type's 8 bits.
        private var packed: UInt64

        private static let useMark: UInt64 = 1 << 8
        private static let newsMark: UInt64 = 1 << 9
        private static let secondsShift: UInt64 = 10
        private static let secondsMask: UInt64 = 31
        private static let stampShift: UInt64 = 15

        init(_ counter: CounterState, stamp: Int64, secondsMax: Int?) {
            id = counter.item.id
            count = counter.count
            version = counter.version
            packed = UInt64(stamp) << Entry.stampShift | UInt64(counter.item.type)
            self.secondsMax = secondsMax
        }

        var type: UInt8 { UInt8(truncatingIfNeeded: packed) }
        var stamp: Int64 {
            get { Int64(packed >> Entry.stampShift) }
            set { packed = packed & (1 << Entry.stampShift - 1) | UInt64(newValue) << Entry.stampShift }
        }
        var isUsed: Bool {
            get { packed & Entry.useMark != 0 }
            set { packed = newValue ? packed | Entry.useMark : packed & ~Entry.useMark }
        }
        /// 1 … 31; nil: as long as the TTL.
        var secondsMax: Int? {
            get {
                let seconds = packed >> Entry.secondsShift & Entry.secondsMask
                return seconds > 0 ? Int(seconds) : nil
            }
            set {
                let seconds = UInt64(min(max(newValue ?? 0, 0), Int(Entry.secondsMask)))
                packed = packed & ~(Entry.secondsMask << Entry.secondsShift) | seconds << Entry.secondsShift
            }
        }
        /// Its version came in after the stamp.
        var isNews: Bool {
            get { packed & Entry.newsMark != 0 }
            set { packed = newValue ? packed | Entry.newsMark : packed & ~Entry.newsMark }
        }
        var state: CounterState {
            CounterState(item: Item(type: type, id: id), count: count, version: version)
        }
    }

    /// Entries it may hold, 0 … `entriesLimit`; at 0 it keeps nothing.
    package let entriesMax: Int
    /// Entries dropped to make room, since the start.
    package private(set) var evictions: UInt64 = 0

    private let handStepsMax: Int
    private var ttlMicroseconds: Int64
    private let hash: SeededHash
    private var entries: [Entry] = []
    /// Entries the table and the index were made for; not the array's capacity, which a copy does not keep.
    private var room = 0
    /// Places in `entries`, `none` where free; open addressing, linear probing. The bits above `placeMask` hold some of
    /// the hash, so that hardly a search reads another item's entry.
    private var index: [UInt32] = []
    /// All ones, and more than any place: no place with its bits of hash looks like `none`.
    private var placeMask: UInt32 = 0
    /// The place that made room last.
    private var hand = 0
    /// Entries with an older stamp are stale whatever the time is. Every stamp ever given is at most `stampMax`, so
    /// that `expireAll` can set the floor above all of them, even those given in the same microsecond.
    private var stampFloor: Int64 = 0
    private var stampMax: Int64 = 0

    /// `ttlMs`: how long an entry is fresh, 0 or more. `seed` has to be unguessable where clients are hostile: it
    /// decides which items share a place in the index.
    package init(
        entriesMax: Int, ttlMs: Int64, seed: UInt64, handStepsMax: Int = Limits.standard.cacheHandStepsMax
    ) {
        self.handStepsMax = handStepsMax
        self.entriesMax = min(max(entriesMax, 0), LocalCache.entriesLimit)
        ttlMicroseconds = LocalCache.microseconds(ttlMs)
        hash = SeededHash(seed: seed)
    }

    /// From now on entries are fresh this long, those that are held as well.
    package mutating func setTTL(ms: Int64) { ttlMicroseconds = LocalCache.microseconds(ms) }

    private static func microseconds(_ ms: Int64) -> Int64 {
        let (microseconds, overflow) = max(ms, 0).multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : microseconds
    }

    /// Entries held, fresh or not.
    package var count: Int { entries.count }

    /// The item's count when it is held and was stored less than the TTL ago, which is a use of it.
    package mutating func fresh(_ item: Item, now: Instant) -> Int64? {
        guard let place = find(item) else { return nil }
        let stamp = entries[place].stamp
        // An entry stored right after `expireAll` can be stamped a moment ahead of the clock.
        let age = max(0, now.microseconds - stamp)
        guard stamp >= stampFloor, age < ttlMicroseconds else { return nil }
        if let secondsMax = entries[place].secondsMax, age >= Int64(secondsMax) * 1_000_000 { return nil }
        // Read first: what is marked already need not be written to memory again.
        if !entries[place].isUsed { entries[place].isUsed = true }
        return entries[place].count
    }

    /// What is held of the item, however old; does not count as a use.
    package func stale(_ item: Item) -> CounterState? {
        find(item).map { entries[$0].state }
    }

    /// What is held of the item, and a moment at which it was; nil: it came in as an update, nobody wrote down when.
    func known(_ item: Item) -> (CounterState, since: Instant?)? {
        find(item).map { place in
            let entry = entries[place]
            return (entry.state, entry.isNews ? nil : Instant(microseconds: entry.stamp))
        }
    }

    /// Takes the counter unless something newer is held; the same version is fresh again, with the count that it has
    /// now, should the two differ. `secondsMax`: it is fresh for so long at most, 1 or more, whatever the TTL. Answers
    /// what stands now.
    package mutating func store(_ counter: CounterState, secondsMax: Int? = nil, now: Instant) -> CounterState {
        guard entriesMax > 0 else { return counter }
        if let place = find(counter.item) {
            let held = entries[place].state
            guard counter.version >= held.version else { return held }
            entries[place].count = counter.count
            entries[place].version = counter.version
            entries[place].stamp = nextStamp(now)
            entries[place].secondsMax = secondsMax
            entries[place].isNews = false
            entries[place].isUsed = true
            return entries[place].state
        }
        insert(Entry(counter, stamp: nextStamp(now), secondsMax: secondsMax))
        return counter
    }

    /// Takes the counter if the item is held, and no newer. Not a use, since what others do must not keep an item here,
    /// and no fresher for it: nobody knows how long the news was on its way to a host that stood still.
    /// True: what is held is newer than it was.
    @discardableResult
    package mutating func update(_ counter: CounterState) -> Bool {
        guard let place = find(counter.item), entries[place].version <= counter.version else { return false }
        let isNewer = entries[place].version < counter.version
        entries[place].count = counter.count
        entries[place].version = counter.version
        if isNewer { entries[place].isNews = true }
        return isNewer
    }

    /// Puts the counter in place of what is held of the item, newer or not: that is of a past that is over.
    mutating func replace(_ counter: CounterState) {
        guard let place = find(counter.item) else { return }
        entries[place].count = counter.count
        entries[place].version = counter.version
        entries[place].isNews = true
    }

    /// Takes a counter of an item that is not held, for when nothing better can be had.
    mutating func storeStale(_ counter: CounterState, now: Instant) {
        _ = store(counter, now: now)
        expire(counter.item, below: .max)
    }

    /// Makes the item's entry stale where it is of an earlier version than there is.
    mutating func expire(_ item: Item, below version: Int64) {
        guard let place = find(item), entries[place].version < version else { return }
        stampFloor = max(stampFloor, 1)
        entries[place].stamp = 0
        // Nor was it known then.
        entries[place].isNews = true
    }

    /// Drops every entry.
    package mutating func removeAll() {
        entries = []
        index = []
        room = 0
        hand = 0
    }

    /// Makes every entry stale at once, at no cost.
    package mutating func expireAll() {
        stampFloor = stampMax + 1
    }

    private mutating func nextStamp(_ now: Instant) -> Int64 {
        let stamp = max(now.microseconds, stampFloor)
        stampMax = max(stampMax, stamp)
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
            removeFromIndex(place)
            entries[place] = entry
            evictions += 1
        }
        addToIndex(place)
    }

    /// To the entry that is to make room.
    private mutating func advanceHand() {
        for _ in 0..<handStepsMax {
            hand = hand + 1 < entries.count ? hand + 1 : 0
            guard entries[hand].isUsed else { return }
            entries[hand].isUsed = false
        }
    }

    /// Doubles the table, as far as it may, and builds the index anew: half as large again as the entries.
    private mutating func grow() {
        room = min(max(room * 2, LocalCache.entriesFirst), entriesMax)
        entries.reserveCapacity(room)
        index = Array(repeating: LocalCache.none, count: room * 3 / 2 + 1)
        placeMask = UInt32.max >> UInt32(room).leadingZeroBitCount
        for place in entries.indices { addToIndex(place) }
    }

    // MARK: Index

    private func home(of hashed: UInt64) -> Int {
        // The high half of the product spreads the hash over any size, not just powers of two.
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
            // Where the bits of hash differ, some above `placeMask` are left.
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

    /// Closes the gap by moving back what a search would no longer reach, so that no marks of removed entries pile up.
    private mutating func removeFromIndex(_ place: Int) {
        let hashed = hash(ofEntryAt: place)
        var gap = home(of: hashed)
        let held = tagged(place, hashed)
        while index[gap] != held { gap = after(gap) }
        var slot = after(gap)
        while index[slot] != LocalCache.none {
            let home = homeOfEntry(in: slot)
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
