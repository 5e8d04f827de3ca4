/// What the tables must be for likesd's statements to work correctly.
extension Schema {
    struct Column: Equatable, Sendable {
        var name: String
        var type: String
        /// nil: whoever inserts a row supplies it.
        var byDefault: String?

        var definition: String { "\(type) NOT NULL" + (byDefault.map { " DEFAULT \($0)" } ?? "") }
    }

    struct Table: Equatable, Sendable {
        var name: String
        /// The columns that statements read, write, or leave to their default.
        var columns: [Column]
        /// Each must be unique: `ON CONFLICT` names them, and look-ups expect one row at most.
        var keys: [[String]]
        /// Its rows are found by key alone. Rows of the other tables are found by place (ctid), which is unique only in
        /// a single table.
        var mayBePartitioned = false
        /// What statements do with its rows. Locking a row takes the right to update.
        var changes: Set<Change> = [.insert, .update, .delete]
        /// Whether the role must have the rights for it, and not only the right to read. A row is added to the item
        /// types only if a configured type is missing.
        var isAlwaysWritten = true

        /// The rights that likesd's statements need, in the order in which they are reported.
        var rights: [String] {
            ["SELECT"] + Change.allCases.filter { isAlwaysWritten && changes.contains($0) }.map(\.right)
        }
    }

    /// Numbered by PostgreSQL's bits for what a trigger fires before.
    enum Change: Int, Sendable, CaseIterable {
        case insert = 4
        case update = 16
        case delete = 8

        var right: String {
            switch self {
            case .insert: "INSERT"
            case .update: "UPDATE"
            case .delete: "DELETE"
            }
        }
    }

    static let tables = [
        Table(
            name: "user_likes",
            columns: [
                Column(name: "user_id", type: "bigint"), Column(name: "item_id", type: "bigint"),
                Column(name: "item_type", type: "smallint"),
                Column(name: "created_at", type: "timestamptz", byDefault: "now()"),
            ],
            keys: [["user_id", "item_id", "item_type"]], mayBePartitioned: true, changes: [.insert, .delete]),
        Table(
            name: "counters",
            columns: [
                Column(name: "item_id", type: "bigint"), Column(name: "item_type", type: "smallint"),
                Column(name: "like_count", type: "bigint", byDefault: "0"),
                Column(name: "version", type: "bigint", byDefault: "1"),
                Column(name: "updated_at", type: "timestamptz", byDefault: "now()"),
            ],
            keys: [["item_id", "item_type"]], mayBePartitioned: true, changes: [.insert, .update]),
        Table(
            name: "lanes",
            columns: [
                Column(name: "lane", type: "bigint"), Column(name: "epoch", type: "bigint", byDefault: "1"),
                Column(name: "batch", type: "bigint", byDefault: "0"),
                Column(name: "changed", type: "text", byDefault: "''"),
                Column(name: "item_ids", type: "bigint[]", byDefault: "'{}'"),
                Column(name: "item_types", type: "smallint[]", byDefault: "'{}'"),
                Column(name: "server", type: "text", byDefault: "''"),
                Column(name: "written_by", type: "xid8", byDefault: "'0'"),
            ],
            keys: [["lane"]]),
        Table(
            name: "cache_repairs",
            columns: [
                Column(name: "item_id", type: "bigint"), Column(name: "item_type", type: "smallint"),
                Column(name: "version", type: "bigint"),
                Column(name: "noted_by", type: "xid8", byDefault: "pg_current_xact_id()"),
            ],
            keys: [["item_type", "item_id"]]),
        Table(
            name: "likesd_hosts",
            columns: [
                Column(name: "lane", type: "bigint"),
                Column(name: "generation", type: "text", byDefault: "''"),
                Column(name: "since", type: "bigint", byDefault: "0"),
                Column(name: "beat", type: "bigint", byDefault: "0"),
                Column(name: "seen_at", type: "timestamptz", byDefault: "now()"),
            ],
            keys: [["lane"]]),
        Table(
            name: "likesd_secret",
            columns: [
                Column(name: "secret", type: "text"),
                Column(name: "made_at", type: "timestamptz", byDefault: "now()"),
                Column(name: "only_row", type: "boolean", byDefault: "true"),
            ],
            keys: [["only_row"]], changes: []),
        Table(
            name: "item_types",
            columns: [Column(name: "id", type: "smallint"), Column(name: "name", type: "text")],
            keys: [["id"], ["name"]], changes: [.insert], isAlwaysWritten: false),
    ]

    /// What creates the table again, on one line. `withRows`: including the rows that it begins with.
    static func statements(making table: String, withRows: Bool = true) -> String {
        let beginnings =
            ["CREATE TABLE \(table) ", "ALTER TABLE \(table) "] + (withRows ? ["INSERT INTO \(table) "] : [])
        return migrations.flatMap(\.statements)
            .filter { statement in
                beginnings.contains { statement.hasPrefix($0) }
                    || (statement.hasPrefix("CREATE INDEX ") && statement.contains(" ON \(table) "))
            }
            .map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
            .joined(separator: "; ")
    }
}
