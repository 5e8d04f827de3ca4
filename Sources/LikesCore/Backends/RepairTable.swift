import LikesSettings
import LikesStorage
import LikesProtocol

/// An item that Redis may not have at this version or a newer one.
package struct RepairRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The number of the transaction that noted it last.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }
}

/// A place in the table of repairs, in the order of the transactions that noted them. The numbers are the database's.
package struct RepairCursor: Hashable, Sendable {
    package var notedBy: Int64
    package var typeNumber: Int16
    package var itemID: Int64
    package init(notedBy: Int64, typeNumber: Int16, itemID: Int64) {
        self.notedBy = notedBy
        self.typeNumber = typeNumber
        self.itemID = itemID
    }

    /// Before all rows that this transaction, or a later one, noted.
    package init(begin notedBy: Int64) { self.init(notedBy: notedBy, typeNumber: .min, itemID: .min) }
}

/// A page of the table of repairs to be read.
package struct RepairSelect: Hashable, Sendable {
    package var after: RepairCursor
    /// Whether there are rows noted by earlier transactions than this is to be looked for; 0: no need.
    package var settledBefore: Int64
    package init(after: RepairCursor, settledBefore: Int64 = 0) {
        self.after = after
        self.settledBefore = settledBefore
    }
}

/// A page of the table of repairs, as one snapshot had it.
package struct RepairRows: Hashable, Sendable {
    package var rows: [RepairRow]
    /// The last of the rows; nil: there are no more.
    package var next: RepairCursor?
    /// The least transaction that was still running: whatever is noted later was noted by it or a later one.
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
