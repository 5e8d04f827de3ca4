import LikesStorage
import LikesctlCommands

/// An index of the reference's that no statement of likesd uses. Each like writes it all the same.
struct SpareIndex {
    var table: String
    /// As SQL writes it.
    var name: String
    var bytes: Int64
    var definition: String
    /// The key that it holds; nil: it is only an index.
    var constraint: String?
    /// No two rows may be equal by it: a rule of somebody's.
    var isUnique: Bool
    /// The table's partitions have parts of it.
    var isPartitioned: Bool
    /// Whoever made it, or dropped it, was interrupted.
    var isUnfinished: Bool

    /// What became of it.
    enum Fate {
        /// The reference may use it.
        case inUse
        /// The reference is gone.
        case spare
        /// It was to be dropped, but the reference may be there.
        case left
        case dropped
    }

    /// A row of `Schema.selectSpareIndexes`; nil: not such a row.
    init?(_ row: [String?]) {
        guard row.count == 8, let table = row[0], let name = row[1], let bytes = row[2].flatMap({ Int64($0) }),
            let definition = row[3], name.split(separator: ".").allSatisfy({ String($0).asSQLName != nil })
        else { return nil }
        self.table = table
        self.name = name
        self.bytes = bytes
        self.definition = definition
        constraint = row[4]
        isUnique = row[5] == "t"
        isPartitioned = row[6] == "t"
        isUnfinished = row[7] != "t"
    }

    /// Whether `--drop-indexes` drops it. A key, or a unique index, may be what other tables, or a replication, refer
    /// to. What partitions have parts of is dropped only by a statement for which all wait.
    var isDispensable: Bool { constraint == nil && !isUnique && !isPartitioned }

    var sql: String {
        if let constraint { return "ALTER TABLE \(table) DROP CONSTRAINT \(constraint)" }
        return isPartitioned ? "DROP INDEX \(name)" : "DROP INDEX CONCURRENTLY \(name)"
    }

    func text(_ fate: Fate) -> String {
        let size = Quantity.bytes(Double(bytes))
        if case .dropped = fate { return "index \(name) of \(table) dropped: \(size)" }
        let what = constraint == nil ? isUnique ? "unique index" : "index" : "key"
        let use = isUnfinished ? "unfinished, so nobody uses it" : "used by no statement of likesd"
        return "\(what) \(name) of \(table): \(size), \(use)\(next(fate))"
    }

    /// What drops it. No statement where that would be too early, and none beside the option whose drops can be undone.
    private func next(_ fate: Fate) -> String {
        switch fate {
        case .dropped: ""
        case .left: "; not dropped"
        case .inUse, .spare:
            isDispensable
                ? "; likesctl migrate --adopt-finish --drop-indexes drops it"
                : sql(fate).map { "; it stays; to drop it for good: \($0)" } ?? "; it stays"
        }
    }

    /// What drops what no option drops.
    private func sql(_ fate: Fate) -> String? {
        if case .spare = fate, !isDispensable { sql } else { nil }
    }

    func json(_ fate: Fate) -> JSON {
        var isDropped = false
        if case .dropped = fate { isDropped = true }
        return .object([
            ("index", .string(name)), ("table", .string(table)), ("bytes", .integer(bytes)),
            ("unfinished", .bool(isUnfinished)), ("sql", sql(fate).map { .string($0) } ?? .null),
            ("droppable", .bool(isDispensable)), ("dropped", .bool(isDropped)),
        ])
    }
}
