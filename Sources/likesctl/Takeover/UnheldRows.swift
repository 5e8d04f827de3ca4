import LikesProtocol
import LikesctlCommands

/// Rows of the reference's tables that likesd cannot hold as they are. None is changed without a word.
struct UnheldRows {
    enum Kind: String, CaseIterable {
        case negativeID = "negative-id"
        case unnamedType = "unnamed-type"
        case nullTime = "null-time"
        case nullCount = "null-count"
        case nullKey = "null-key"
    }

    var table: String
    var kind: Kind
    var rows: Int64
    /// One of them; for `unnamedType`, the number.
    var example: String

    /// Whether somebody who knows the rows has to correct them first.
    var isObstacle: Bool {
        switch kind {
        case .nullTime, .nullKey: true
        case .negativeID, .unnamedType, .nullCount: false
        }
    }

    private var timeColumn: String { table == "counters" ? "updated_at" : "created_at" }
    private var keyColumns: [String] { (table == "counters" ? [] : ["user_id"]) + ["item_id", "item_type"] }

    var message: String {
        let count = Counted.text(rows, "row")
        return switch kind {
        case .negativeID: "\(count) with a negative id, such as (\(keyColumns.joined(separator: ", "))) = (\(example))"
        case .unnamedType: "\(count) of the item type \(example), which has no name"
        case .nullTime: "\(count) without \(timeColumn), such as (\(keyColumns.joined(separator: ", "))) = (\(example))"
        case .nullCount: "\(count) without like_count, such as (item_id, item_type) = (\(example))"
        case .nullKey: "\(count) without a user, an item or a type"
        }
    }

    /// What corrects an obstacle.
    var sql: String? {
        switch kind {
        case .nullTime:
            "UPDATE \(table) SET \(timeColumn) = " + (table == "counters" ? "now()" : "'epoch'")
                + " WHERE \(timeColumn) IS NULL"
        case .nullKey:
            "DELETE FROM \(table) WHERE " + keyColumns.map { "\($0) IS NULL" }.joined(separator: " OR ")
        case .negativeID, .unnamedType, .nullCount: nil
        }
    }

    var next: String {
        switch kind {
        case .negativeID:
            "none: they stay, and likesd "
                + (table == "counters" ? "" : "counts them with other likes of their items, and otherwise ")
                + "answers nothing about them; to remove them: DELETE FROM \(table) WHERE "
                + keyColumns.dropLast().map { "\($0) < 0" }.joined(separator: " OR ") + "; then run this again"
        // No option takes it.
        case .unnamedType where example.hasPrefix("-"): "none: they stay, and likesd answers nothing about them"
        case .unnamedType:
            "they stay, and likesd answers nothing about them; to have it answer: likesctl migrate --type "
                + "\(example)=NAME, with NAME in ITEM_TYPES of each host"
        case .nullCount: "none: their likes are counted again"
        case .nullTime, .nullKey: [self].remedy
        }
    }

    /// `user_likes null-time: 3 rows …; next: …`
    var text: String { "\(table) \(kind.rawValue): \(message); next: \(next)" }

    var json: JSON {
        .object([
            ("table", .string(table)), ("kind", .string(kind.rawValue)), ("rows", .integer(rows)),
            ("example", .string(example)), ("message", .string(message)), ("next", .string(next)),
        ])
    }
}

extension [UnheldRows] {
    /// What corrects all of them, which are obstacles.
    var remedy: String {
        [UnheldRows.Kind.nullKey, .nullTime].compactMap { kind in
            let statements = filter { $0.kind == kind }.compactMap(\.sql)
            guard !statements.isEmpty else { return nil }
            let words =
                kind == .nullKey
                ? "rows without a user, an item or a type mean nothing: "
                : "give rows without a time the one that is right, as in: "
            return words + statements.joined(separator: "; ")
        }.joined(separator: "; ")
    }

    /// Why nothing can be done with them: `user_likes has 3 rows …, and counters has 1 row …`.
    var obstacle: String { map { "\($0.table) has \($0.message)" }.joined(separator: ", and ") }
}

/// What a look at all rows found.
struct UnheldSums {
    private var sums: [String: UnheldRows] = [:]
    /// Rows of each table by their item types.
    private(set) var types: [String: [Int16: Int64]] = [:]

    /// A row of `TakeoverStatements.look`.
    mutating func add(_ row: [String?], of table: String) {
        if let type = row[0].flatMap({ Int16($0) }) {
            types[table, default: [:]][type, default: 0] += row[1].flatMap { Int64($0) } ?? 0
        }
        for (place, kind) in [UnheldRows.Kind.nullKey, .negativeID, .nullTime, .nullCount].enumerated() {
            guard let count = row[2 + 2 * place].flatMap({ Int64($0) }), count > 0 else { continue }
            let example = row[3 + 2 * place] ?? ""
            sums["\(table) \(kind.rawValue)", default: UnheldRows(table: table, kind: kind, rows: 0, example: example)]
                .rows += count
        }
    }

    /// The numbers of the types in both tables.
    var allTypes: Set<Int16> { Set(types.values.flatMap(\.keys)) }

    /// All but the types, the obstacles last.
    var rows: [UnheldRows] {
        sums.sorted { $0.key < $1.key }.map(\.value).sorted { !$0.isObstacle && $1.isObstacle }
    }

    func rows(_ kind: UnheldRows.Kind, of table: String) -> Int64 { sums["\(table) \(kind.rawValue)"]?.rows ?? 0 }

    /// Types that `names` lacks.
    func unnamed(_ names: [Int16: String]) -> [UnheldRows] {
        types.sorted { $0.key > $1.key }.flatMap { table, counts in
            counts.sorted { $0.key < $1.key }.filter { names[$0.key] == nil }.map { number, rows in
                UnheldRows(table: table, kind: .unnamedType, rows: rows, example: String(number))
            }
        }
    }
}
