import LikesProtocol

/// An item for which Redis may lack this version and any newer one.
package struct RepairRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The number of the last transaction that noted it.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }
}

/// A position in `cache_repairs`, in the order of the transactions that noted the rows. The numbers are the database's.
package struct RepairCursor: Hashable, Sendable {
    package var notedBy: Int64
    /// The number that `item_types` gives the type.
    package var typeNumber: Int16
    package var itemID: Int64
    package init(notedBy: Int64, typeNumber: Int16, itemID: Int64) {
        self.notedBy = notedBy
        self.typeNumber = typeNumber
        self.itemID = itemID
    }

    /// Before all rows that this transaction or a later one noted.
    package init(begin notedBy: Int64) { self.init(notedBy: notedBy, typeNumber: .min, itemID: .min) }
}

/// Reads one chunk of `cache_repairs`.
package struct RepairSelect: Hashable, Sendable {
    package var after: RepairCursor
    /// Also look for rows noted by transactions before this one; 0: do not look.
    package var settledBefore: Int64
    package init(after: RepairCursor, settledBefore: Int64 = 0) {
        self.after = after
        self.settledBefore = settledBefore
    }
}

/// One chunk of `cache_repairs`, from one snapshot.
package struct RepairRows: Hashable, Sendable {
    package var rows: [RepairRow]
    /// The position of the last row; nil: there are no more.
    package var next: RepairCursor?
    /// The oldest transaction that was still running. Every later note is by this transaction or a later one.
    package var horizon: Int64
    /// There are rows noted before `settledBefore`.
    package var hasSettled: Bool
    package init(rows: [RepairRow], next: RepairCursor?, horizon: Int64, hasSettled: Bool = false) {
        self.rows = rows
        self.next = next
        self.horizon = horizon
        self.hasSettled = hasSettled
    }
}
