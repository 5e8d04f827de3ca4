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

    /// A row of `Schema.selectSpareIndexes`; nil: not such a row.
    init?(_ row: [String?]) {
        guard row.count == 7, let table = row[0], let name = row[1], let bytes = row[2].flatMap({ Int64($0) }),
            let definition = row[3], name.split(separator: ".").allSatisfy({ String($0).asSQLName != nil })
        else { return nil }
        self.table = table
        self.name = name
        self.bytes = bytes
        self.definition = definition
        constraint = row[4]
        isUnique = row[5] == "t"
        isPartitioned = row[6] == "t"
    }

    /// Whether `--drop-indexes` drops it. A key, or a unique index, may be what other tables, or a replication, refer
    /// to. What partitions have parts of is dropped only by a statement for which all wait.
    var isDispensable: Bool { constraint == nil && !isUnique && !isPartitioned }

    var sql: String {
        if let constraint { return "ALTER TABLE \(table) DROP CONSTRAINT \(constraint)" }
        return isPartitioned ? "DROP INDEX \(name)" : "DROP INDEX CONCURRENTLY \(name)"
    }

    func text(isDropped: Bool) -> String {
        let size = Quantity.bytes(Double(bytes))
        if isDropped { return "index \(name) of \(table) dropped: \(size)" }
        let what = constraint == nil ? isUnique ? "unique index" : "index" : "key"
        return "\(what) \(name) of \(table): \(size), used by no statement of likesd; to drop it: \(sql)"
    }

    func json(isDropped: Bool) -> JSON {
        .object([
            ("index", .string(name)), ("table", .string(table)), ("bytes", .integer(bytes)), ("sql", .string(sql)),
            ("dropped", .bool(isDropped)),
        ])
    }
}
