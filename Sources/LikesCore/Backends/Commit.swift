import LikesProtocol
import LikesStorage

/// A batch to commit. The same transaction checks the fence and writes the lane's journal.
package struct CommitRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// The batch's number on this lane, from 1.
    package var batch: Int64
    /// Sorted by (user, item id, type). Each pair stands here once.
    package var rows: [BatchRow]
    /// Every item that Redis may lack once the batch has committed, including the items of `rows`.
    package var journal: [Item]
    /// The items that this host cannot write to Redis: the transaction notes those that change, so that other hosts
    /// repair them.
    package var cutOff: CutOff
    /// `Generation.server` of the data that the changes are to be written to, of each node, separated by commas; empty:
    /// none.
    package var server: String
    package init(
        fence: LaneFence, batch: Int64, rows: [BatchRow], journal: [Item], cutOff: CutOff, server: String = ""
    ) {
        self.fence = fence
        self.batch = batch
        self.rows = rows
        self.journal = journal
        self.cutOff = cutOff
        self.server = server
    }
}

/// Which items of a batch cannot be written to Redis.
package enum CutOff: Hashable, Sendable {
    case none
    case all
    /// Those of some nodes.
    case some(Set<Item>)

    package func contains(_ item: Item) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .some(let items): items.contains(item)
        }
    }
}

/// One pair of a batch, and the state it should end in.
package struct BatchRow: Hashable, Sendable {
    package var pair: Pair
    /// True: liked.
    package var wanted: Bool
    package init(pair: Pair, wanted: Bool) {
        self.pair = pair
        self.wanted = wanted
    }
}

/// What one committed batch changed.
package struct BatchOutcome: Equatable, Sendable {
    /// For each row of the batch, whether it changed the table.
    package var changed: [Bool]
    /// Every item of which a pair changed, with its count and version after the batch. Sorted by type and id.
    package var counters: [CounterState]
    package init(changed: [Bool], counters: [CounterState]) {
        self.changed = changed
        self.counters = counters
    }
}
