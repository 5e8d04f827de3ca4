import LikesProtocol
import LikesStorage

/// What Redis may lack if this process ends now. Each batch writes it into the lane's row: the batch's own items, those
/// of write-throughs under way, and those that only this process knows to be missing. Each item once.
enum Journal {
    static func items(rows: [BatchRow], writtenThrough: [[CounterState]], untold: [Item]) -> [Item] {
        var seen: Set<Item> = []
        var journal: [Item] = []
        journal.reserveCapacity(rows.count + untold.count)
        seen.reserveCapacity(rows.count + untold.count)
        func add(_ item: Item) { if seen.insert(item).inserted { journal.append(item) } }
        for row in rows { add(row.pair.item) }
        for counters in writtenThrough { for counter in counters { add(counter.item) } }
        for item in untold { add(item) }
        return journal
    }
}
