/// What a short transaction of a take-over needs of a table.
struct TableLock {
    enum Strength {
        /// Nobody else has it.
        case alone
        /// Nobody writes to it, and transactions that wrote to it have ended.
        case withoutWriters
        /// A statement of the transaction takes the lock by itself; the reference service does not wait for it.
        case implied
    }

    var table: String
    var strength: Strength

    static func alone(_ table: String) -> TableLock { TableLock(table: table, strength: .alone) }
    static func withoutWriters(_ table: String) -> TableLock { TableLock(table: table, strength: .withoutWriters) }
    static func implied(_ table: String) -> TableLock { TableLock(table: table, strength: .implied) }

    /// nil: nothing to run.
    var statement: String? {
        switch strength {
        case .alone: "LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE"
        case .withoutWriters: "LOCK TABLE \(table) IN SHARE MODE"
        case .implied: nil
        }
    }
}

extension [TableLock] {
    /// Two array parameters: the tables that nobody may use, and those to which nobody may write.
    var parameters: [String] {
        [
            AuditContext.array(filter { $0.strength != .withoutWriters }) { $0.table },
            AuditContext.array(filter { $0.strength == .withoutWriters }) { $0.table },
        ]
    }

    /// For a message.
    var names: String {
        let asked = filter { $0.strength != .implied }.map(\.table)
        return (asked + (asked.count < count ? ["likesd's own tables"] : [])).joined(separator: " or ")
    }
}
