import LikesProtocol
import LikesStorage

/// What Redis may lack if this process ends now. Each batch writes it into the lane's row: the batch's own items, those
/// of write-throughs and tellings under way, those of which hosts are still to be told, and those that only this
/// process knows to be missing. Each item once.
enum Journal {
    static func items(rows: [BatchRow], onTheirWay: [[CounterState]], owed: [Item], untold: [Item]) -> [Item] {
        var seen: Set<Item> = []
        var journal: [Item] = []
        journal.reserveCapacity(rows.count + owed.count + untold.count)
        seen.reserveCapacity(rows.count + owed.count + untold.count)
        func add(_ item: Item) { if seen.insert(item).inserted { journal.append(item) } }
        for row in rows { add(row.pair.item) }
        for counters in onTheirWay { for counter in counters { add(counter.item) } }
        for item in owed { add(item) }
        for item in untold { add(item) }
        return journal
    }
}
