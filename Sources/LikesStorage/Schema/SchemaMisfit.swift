import LikesProtocol

/// A property of the tables that makes likesd's statements unreliable.
package struct SchemaMisfit: Equatable, Sendable {
    /// The words of `Schema.selectMisfits` for it.
    package enum Kind: String, CaseIterable, Sendable {
        case version, elsewhere
        case noTable = "no-table"
        case noPlainTable = "no-plain-table"
        case noPartition = "no-partition"
        case inherited, foreign, unlogged
        case noColumn = "no-column"
        case columnType = "column-type"
        case nullable, generated
        case noDefault = "no-default"
        case unknownColumn = "unknown-column"
        case noKey = "no-key"
        case noRight = "no-right"
        case trigger, rule
        case rowSecurity = "row-security"
        case cascade
    }

    package var kind: Kind
    /// The table's name in likesd.
    package var name: String
    /// The table, or the partition concerned, as SQL writes it.
    package var place: String
    /// What it is about, as SQL writes it: a column, a trigger, a child …
    package var object: String
    package var detail: String

    /// Columns of a row of `Schema.selectMisfits`, all text.
    package static let columnsCount = 5

    /// Bytes of a column: SQL with four quoted names, which must not be cut, has less.
    private static let columnBytesMax = 4 * 1024

    /// A row of `Schema.selectMisfits`, which contains names that others chose; nil: not such a row.
    package init?(_ texts: [String]) {
        let row = texts.map { ForeignText.shown($0.utf8, bytesMax: Self.columnBytesMax) }
        guard row.count == Self.columnsCount, let kind = Kind(rawValue: row[0]) else { return nil }
        self.kind = kind
        name = row[1]
        place = row[2]
        object = row[3]
        detail = row[4]
    }

    /// It keeps some likes or counters from being found where statements look for them.
    package var hidesRows: Bool {
        switch kind {
        case .elsewhere, .noTable, .noPlainTable, .noPartition, .inherited, .foreign, .noColumn, .columnType,
            .rowSecurity:
            ["user_likes", "counters", "item_types"].contains(name)
        case .version, .unlogged, .nullable, .generated, .noDefault, .unknownColumn, .noKey, .noRight, .trigger, .rule,
            .cascade:
            false
        }
    }

    /// It concerns the role that asked, which is likesd's only if likesd asks.
    package var isOfRole: Bool { kind == .noRight }

    /// What is wrong.
    package var text: String {
        switch kind {
        case .version: Schema.versionMisfit(Int(object))
        case .elsewhere where detail.isEmpty:
            "the table \(place) is not in the schema \(object), where likesd's others are"
        case .elsewhere:
            "\(place) and \(object).\(name) are both on the search path: two schemas have likesd's tables"
        case .noTable: "the table \(name) is missing"
        case .noPlainTable: "\(place) is \(detail), not a plain table"
        case .noPartition:
            "\(place) has no partition for \(object.isEmpty ? "some rows" : object): those rows cannot be found or "
                + "stored"
        case .inherited: "\(object) inherits from \(place), and no key holds for the rows of both"
        case .foreign: "the partition \(place) of \(name) is a foreign table"
        case .unlogged: "\(place) is unlogged: a crash of PostgreSQL empties it"
        case .noColumn: "the column \(place).\(object) is missing"
        case .columnType: "the column \(place).\(object) does not have the type \(detail)"
        case .nullable: "the column \(place).\(object) may be null"
        case .generated: "the column \(place).\(object) is generated: likesd could not write it"
        case .noDefault: "the column \(place).\(object) has no default"
        case .unknownColumn:
            "the column \(place).\(object) may not be null and has no default: likesd does not know it, and no row "
                + "could be written"
        case .noKey where name == "user_likes":
            "\(place) has no unique key (\(object)), so a like may be stored twice (--repair of "
                + "likesctl verify removes those)"
        case .noKey: "\(place) has no unique key (\(object))"
        case .noRight: "the role \(object) lacks the right to \(detail) on \(place)"
        case .trigger: "the trigger \(object) of \(place) fires before each row, and could change or drop it"
        case .rule: "the rule \(object) of \(place) rewrites statements"
        case .rowSecurity: "the row security of \(place) hides rows from likesd"
        case .cascade: "the foreign key \(object) of \(place) deletes or changes rows that are counted"
        }
    }
}

extension [SchemaMisfit] {
    /// Why the tables are refused, and what to run. Only the first misfit, since the next one shows once that is
    /// corrected. Missing rights are granted all at once.
    package func failure(_ advice: Advice, _ target: DatabaseTarget) -> SchemaFailure? {
        guard let first else { return nil }
        if first.kind == .version { return advice.version(Int(first.object)) }
        let others = count > 1 ? " (and \(count - 1) more)" : ""
        var remedy = first.remedy
        if first.kind == .noRight {
            remedy.sql = filter { $0.kind == .noRight }.compactMap(\.remedy.sql).joined(separator: "; ")
        }
        return SchemaFailure(
            first.text + others, next: remedy.command({ advice.schema($0, target) }, likesctl: { advice.likesctl($0) }))
    }
}
