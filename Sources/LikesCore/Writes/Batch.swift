import LikesProtocol

/// What one change of a batch came to.
package struct ChangeResult: Hashable, Sendable {
    package var changed: Bool
    /// The item's count right after the change; relative to the count after the batch where that isn't known.
    package var count: Int64
    /// False: nothing of the item changed, so the batch did not return its count. Add the item's count, read after
    /// the commit, to `count`.
    package var isCountKnown: Bool
    package init(changed: Bool, count: Int64, isCountKnown: Bool) {
        self.changed = changed
        self.count = count
        self.isCountKnown = isCountKnown
    }
}

/// The changes of one transaction, folded: the statement sees each pair once, with the state it is to end in.
///
/// Invariants: `rows` are sorted by (user, item id, type), no pair twice; `replay` gives each change what it would have
/// got had the changes been executed one by one, in their order, at the moment of the commit.
package struct Batch: Equatable, Sendable {
    package let rows: [BatchRow]
    private let kinds: [ChangeKind]
    /// For each change, its row.
    private let rowOfChange: [Int32]

    /// Folds the changes, oldest first.
    package init(_ changes: [AdmissionEntry]) {
        var places: [Pair: Int32] = [:]
        places.reserveCapacity(changes.count)
        var unsorted: [BatchRow] = []
        unsorted.reserveCapacity(changes.count)
        var rowOfChange: [Int32] = []
        rowOfChange.reserveCapacity(changes.count)
        for change in changes {
            let wanted = change.kind == .like
            if let place = places[change.pair] {
                unsorted[Int(place)].wanted = wanted
                rowOfChange.append(place)
            } else {
                let place = Int32(unsorted.count)
                places[change.pair] = place
                rowOfChange.append(place)
                unsorted.append(BatchRow(pair: change.pair, wanted: wanted))
            }
        }
        let order = unsorted.indices.sorted { Self.precedes(unsorted[$0].pair, unsorted[$1].pair) }
        var sortedPlace = [Int32](repeating: 0, count: unsorted.count)
        for (place, original) in order.enumerated() { sortedPlace[original] = Int32(place) }
        self.rows = order.map { unsorted[$0] }
        self.rowOfChange = rowOfChange.map { sortedPlace[Int($0)] }
        self.kinds = changes.map(\.kind)
    }

    /// What each change came to, in the order they were given.
    package func replay(_ outcome: BatchOutcome) -> [ChangeResult] {
        precondition(outcome.changed.count == rows.count, "an outcome for another batch")
        var counterPlaces: [Item: Int32] = [:]
        counterPlaces.reserveCapacity(outcome.counters.count)
        var running: [Int64] = []
        running.reserveCapacity(outcome.counters.count)
        for counter in outcome.counters {
            counterPlaces[counter.item] = Int32(running.count)
            running.append(counter.count)
        }
        // Back to the state before the batch: counts less what the rows added, pairs as they were.
        var counterOfRow = [Int32](repeating: -1, count: rows.count)
        var liked = [Bool](repeating: false, count: rows.count)
        for (place, row) in rows.enumerated() {
            liked[place] = outcome.changed[place] ? !row.wanted : row.wanted
            if let counter = counterPlaces[row.pair.item] {
                counterOfRow[place] = counter
                if outcome.changed[place] { running[Int(counter)] -= row.wanted ? 1 : -1 }
            } else {
                precondition(!outcome.changed[place], "a pair changed, its counter did not")
            }
        }
        var offsets: [Item: Int64] = [:]
        var results: [ChangeResult] = []
        results.reserveCapacity(kinds.count)
        for (change, kind) in kinds.enumerated() {
            let row = Int(rowOfChange[change])
            let wanted = kind == .like
            let changed = liked[row] != wanted
            liked[row] = wanted
            let step: Int64 = changed ? (wanted ? 1 : -1) : 0
            let counter = Int(counterOfRow[row])
            if counter >= 0 {
                running[counter] += step
                results.append(ChangeResult(changed: changed, count: running[counter], isCountKnown: true))
            } else {
                let offset = offsets[rows[row].pair.item, default: 0] + step
                offsets[rows[row].pair.item] = offset
                results.append(ChangeResult(changed: changed, count: offset, isCountKnown: false))
            }
        }
        return results
    }

    /// The members to add to and take out of the recent likes: every pair that is liked now, known before or not, and
    /// every one that stopped being liked.
    package func recentLikes(_ outcome: BatchOutcome) -> [RecentLike] {
        var recent: [RecentLike] = []
        recent.reserveCapacity(rows.count)
        for (place, row) in rows.enumerated() where row.wanted || outcome.changed[place] {
            recent.append(RecentLike(pair: row.pair, add: row.wanted))
        }
        return recent
    }

    private static func precedes(_ a: Pair, _ b: Pair) -> Bool {
        (a.user, a.item.id, a.item.type) < (b.user, b.item.id, b.item.type)
    }
}
