import LikesProtocol

/// What must outlive this process, apart from batches.
package struct TendRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// Items that Redis may lack, for all hosts to repair.
    package var repairs: [Item]
    package var mended: [MendedRow]
    /// The lane's new journal.
    package var journal: [Item]
    /// Repairs noted by transactions from `from` on and before `before` are no longer needed, and some of them are
    /// deleted. nil: none.
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

/// Rows of `cache_repairs`, by the numbers of the transactions that noted them.
package struct SettledRepairs: Hashable, Sendable {
    package var from: Int64
    package var before: Int64
    package init(from: Int64 = 0, before: Int64) {
        self.from = from
        self.before = before
    }
}

/// Redis was seen to have this version of an item. A row of `cache_repairs` that asks for this version or an older one
/// can go.
package struct MendedRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The row that this transaction noted goes whatever its version. It was seen before PostgreSQL was asked, and
    /// PostgreSQL had no newer version than this one, so the row belongs to a past that is over. 0: no row was seen.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64 = 0) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }

    /// Whether the row can go.
    package func covers(_ row: RepairRow) -> Bool { row.version <= version || row.notedBy == notedBy }
}
