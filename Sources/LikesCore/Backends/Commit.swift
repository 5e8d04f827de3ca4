import LikesSettings
import LikesProtocol
import LikesStorage

/// One batch to be committed, in one transaction that also fences it and keeps its journal.
package struct CommitRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// Its number on this lane, from 1.
    package var batch: Int64
    /// Sorted by (user, item id, type), each pair once.
    package var rows: [BatchRow]
    /// Every item that Redis may not have once this is committed, those of `rows` included.
    package var journal: [Item]
    /// Redis is out of reach of this host: note what changes for the others to repair.
    package var isCutOff: Bool
    /// `Generation.server` of the data to which what changes is to be written; empty: none.
    package var server: String
    package init(
        fence: LaneFence, batch: Int64, rows: [BatchRow], journal: [Item], isCutOff: Bool, server: String = ""
    ) {
        self.fence = fence
        self.batch = batch
        self.rows = rows
        self.journal = journal
        self.isCutOff = isCutOff
        self.server = server
    }
}

/// One pair of a batch, with the state it is to end in.
package struct BatchRow: Hashable, Sendable {
    package var pair: Pair
    package var wanted: Bool
    package init(pair: Pair, wanted: Bool) {
        self.pair = pair
        self.wanted = wanted
    }
}

/// What one batch changed, as committed.
package struct BatchOutcome: Equatable, Sendable {
    /// For each row of the batch, whether it changed the table.
    package var changed: [Bool]
    /// Every item of which a pair changed, with its count and version after the batch; sorted by type and id.
    package var counters: [CounterState]
    package init(changed: [Bool], counters: [CounterState]) {
        self.changed = changed
        self.counters = counters
    }
}
