import LikesSettings
import LikesStorage
import LikesProtocol

/// What has to outlive this process, apart from batches.
package struct TendRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// Items that Redis may not have, for all hosts to repair.
    package var repairs: [Item]
    package var mended: [MendedRow]
    /// The lane's new journal.
    package var journal: [Item]
    /// Repairs noted by transactions from `from` on and before `before` need none: some of them are to go. nil: none.
    package var settled: SettledRepairs?
    package init(
        fence: LaneFence, repairs: [Item], mended: [MendedRow], journal: [Item], settled: SettledRepairs? = nil
    ) {
        self.fence = fence
        self.repairs = repairs
        self.mended = mended
        self.journal = journal
        self.settled = settled
    }
}

/// Rows in the table of repairs, by the numbers of the transactions that noted them.
package struct SettledRepairs: Hashable, Sendable {
    package var from: Int64
    package var before: Int64
    package init(from: Int64 = 0, before: Int64) {
        self.from = from
        self.before = before
    }
}

/// Redis was seen to have this version of an item: a row in the table of repairs that asks for no more can go.
package struct MendedRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The row of this transaction goes whatever its version: it was seen before PostgreSQL was asked, which had no
    /// newer version than this. So the row is of a past that is over. 0: none was seen.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64 = 0) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }

    package func covers(_ row: RepairRow) -> Bool { row.version <= version || row.notedBy == notedBy }
}
