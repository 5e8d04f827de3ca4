import LikesStorage

/// The items that one pass over the likes counts: a range of them, or a set.
///
/// It holds at most `itemsMax` items with a counter, and as many without.
struct ItemWindow {
    /// The range is (after, through]; for a set, these bounds surround it.
    let after: StoredItem
    private(set) var through: StoredItem
    /// Whether likes of an item that is not held belong to the window, as an item without a counter.
    let isRange: Bool
    private let itemsMax: Int

    /// In order.
    private(set) var items: [StoredItem] = []
    /// What `counters` said before the pass, by place.
    private(set) var states: [CounterState?] = []
    /// Likes counted so far, by place.
    private(set) var likes: [Int64] = []
    /// Likes of items that had no counter before the pass.
    private(set) var strays: [StoredItem: Int64] = [:]

    /// All items behind `after`, until the range is closed.
    init(after: StoredItem, itemsMax: Int) {
        self.after = after
        through = .highest
        isRange = true
        self.itemsMax = itemsMax
    }

    /// These items, sorted and distinct.
    init(set items: [StoredItem]) {
        after = .lowest
        through = items.last ?? .lowest
        isRange = false
        itemsMax = items.count
        self.items = items
        states = Array(repeating: nil, count: items.count)
        likes = Array(repeating: 0, count: items.count)
    }

    /// Whether no further item fits.
    var isFull: Bool { items.count >= itemsMax }

    /// Adds the next item of a range.
    mutating func append(_ item: StoredItem, _ state: CounterState) {
        precondition(isRange && items.last.map { $0 < item } ?? true, "items out of order")
        items.append(item)
        states.append(state)
        likes.append(0)
    }

    /// Ends a range at its last item.
    mutating func close() { through = items.last ?? through }

    /// Sets what `counters` said before the pass about an item of a set.
    mutating func set(_ item: StoredItem, _ state: CounterState) {
        if let place = place(of: item) { states[place] = state }
    }

    /// Forgets the counts. The range stays.
    mutating func restart() {
        likes = Array(repeating: 0, count: items.count)
        strays = [:]
    }

    /// Adds likes that were found. Likes outside the window are skipped.
    mutating func add(_ count: Int64, to item: StoredItem) {
        if let place = place(of: item) {
            likes[place] += count
        } else if isRange, item > after, item <= through {
            strays[item, default: 0] += count
            if strays.count > itemsMax { shrink() }
        }
    }

    /// Gives up the upper half of the items without a counter, and with it that end of the range: the remaining counts
    /// stay valid, the rest belongs to the next window.
    private mutating func shrink() {
        let ordered = strays.keys.sorted()
        through = ordered[(ordered.count - 1) / 2]
        strays = strays.filter { $0.key <= through }
        let kept = firstPlace(notBefore: through, including: true)
        items.removeSubrange(kept...)
        states.removeSubrange(kept...)
        likes.removeSubrange(kept...)
    }

    /// The place of an item; nil if it is not held.
    func place(of item: StoredItem) -> Int? {
        let place = firstPlace(notBefore: item, including: false)
        return place < items.count && items[place] == item ? place : nil
    }

    /// The first place whose item is `item` or greater, or only greater if `item` itself is to be passed.
    private func firstPlace(notBefore item: StoredItem, including isPassed: Bool) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if items[middle] < item || isPassed && items[middle] == item { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
