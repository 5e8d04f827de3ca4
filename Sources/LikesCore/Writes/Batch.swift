import LikesProtocol

/// What became of one change of a batch.
package struct ChangeResult: Hashable, Sendable {
    package var changed: Bool
    /// The item's count right after the change. nil: the batch returned none, for instance because nothing of the item
    /// changed. Then the count is read after the commit.
    package var count: Int64?
    package init(changed: Bool, count: Int64?) {
        self.changed = changed
        self.count = count
    }
}

/// The changes of one transaction. The statement sees each pair once, however often clients asked for it.
///
/// Invariant: all changes of a pair are of one kind. A like and an unlike folded into one row would change nothing, and
/// would leave no count that the item ever had.
package struct Batch: Equatable, Sendable {
    /// In the order in which they came; no pair twice.
    private var rows: [BatchRow] = []
    private var rowOfPair: [Pair: Int32] = [:]
    /// The row of each change.
    private var rowOfChange: [Int32] = []
    /// Indices into `rows`, in the order in which the rows are sent.
    private var order: [Int32] = []

    package init() {}

    package var isEmpty: Bool { rowOfChange.isEmpty }
    package var changesCount: Int { rowOfChange.count }
    package var pairsCount: Int { rows.count }

    /// Takes the change. False: the batch has the opposite change of the same pair.
    package mutating func add(_ pair: Pair, _ kind: ChangeKind) -> Bool {
        let row = BatchRow(pair: pair, wanted: kind == .like)
        if let known = rowOfPair[pair] {
            guard rows[Int(known)].wanted == row.wanted else { return false }
            rowOfChange.append(known)
        } else {
            rowOfPair[pair] = Int32(rows.count)
            rowOfChange.append(Int32(rows.count))
            rows.append(row)
        }
        return true
    }

    /// Ends the gathering. Returns the rows to send, sorted by (user, item id, type), so that all transactions take
    /// their locks in one order. Unsorted only to show that the order is needed.
    package mutating func seal(isSorted: Bool = true) -> [BatchRow] {
        order = rows.indices.map { Int32($0) }
        if isSorted { order.sort { Self.precedes(rows[Int($0)].pair, rows[Int($1)].pair) } }
        return order.map { rows[Int($0)] }
    }

    /// What became of each change, in the order they were taken, as if executed one by one at the moment of the commit;
    /// and the items that changed without a counter in the outcome. `outcome` has one element for each sealed row.
    ///
    /// A count close to the largest possible number is left out too, since the counts before it cannot be computed.
    package func replay(_ outcome: BatchOutcome) -> (results: [ChangeResult], uncounted: [Item]) {
        precondition(outcome.changed.count == order.count, "an outcome for another batch")
        var counterOfItem: [Item: Int] = [:]
        counterOfItem.reserveCapacity(outcome.counters.count)
        var running = outcome.counters.map(\.count)
        for (counter, state) in outcome.counters.enumerated() { counterOfItem[state.item] = counter }
        let room = Int64(order.count)
        let tellable = (Int64.min + room)...(Int64.max - room)
        var uncounted: [Item] = []
        // Go back to the counts before the batch. The first change of each changed row is the one that changed it.
        var isDue = [Bool](repeating: false, count: rows.count)
        var counterOfRow = [Int?](repeating: nil, count: rows.count)
        for (sent, row) in order.enumerated() {
            let item = rows[Int(row)].pair.item
            isDue[Int(row)] = outcome.changed[sent]
            guard let counter = counterOfItem[item] else {
                if outcome.changed[sent] { uncounted.append(item) }
                continue
            }
            guard tellable.contains(outcome.counters[counter].count) else { continue }
            counterOfRow[Int(row)] = counter
            if outcome.changed[sent] { running[counter] -= rows[Int(row)].step }
        }
        let results = rowOfChange.map { row in
            let row = Int(row)
            let changed = isDue[row]
            isDue[row] = false
            guard let counter = counterOfRow[row] else { return ChangeResult(changed: changed, count: nil) }
            if changed { running[counter] += rows[row].step }
            return ChangeResult(changed: changed, count: running[counter])
        }
        return (results, uncounted)
    }

    /// Whether each change, in the order they were taken, changed something: the first change of each changed row did.
    package func replay(changed: [Bool]) -> [Bool] {
        precondition(changed.count == order.count, "an outcome for another batch")
        var isDue = [Bool](repeating: false, count: rows.count)
        for (sent, row) in order.enumerated() { isDue[Int(row)] = changed[sent] }
        return rowOfChange.map { row in
            defer { isDue[Int(row)] = false }
            return isDue[Int(row)]
        }
    }

    /// What to add to and take out of the recent likes: every pair that is liked now, also if it was before, and every
    /// pair that is no longer liked.
    package func recentLikes(changed: [Bool]) -> [RecentLike] {
        order.enumerated().compactMap { sent, row in
            let row = rows[Int(row)]
            return row.wanted || changed[sent] ? RecentLike(pair: row.pair, add: row.wanted) : nil
        }
    }

    private static func precedes(_ a: Pair, _ b: Pair) -> Bool {
        (a.user, a.item.id, a.item.type) < (b.user, b.item.id, b.item.type)
    }
}

extension BatchRow {
    /// What the row adds to its item's count if it changes the table.
    fileprivate var step: Int64 { wanted ? 1 : -1 }
}
