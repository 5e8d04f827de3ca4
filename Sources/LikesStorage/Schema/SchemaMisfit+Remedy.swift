extension SchemaMisfit {
    /// What to do, as the tables' owner.
    package struct Remedy: Equatable, Sendable {
        /// In words, what comes before the statements or takes their place.
        var first: String?
        /// Statements that mend it.
        package var sql: String?
        /// In words, what has to follow.
        var then: String?

        /// All of it; `command`: what runs the statements.
        package func text(_ command: (String) -> String) -> String {
            let parts = [first, sql.map(command)].compactMap { $0 }.joined(separator: " ")
            return parts + (then.map { ", then \($0)" } ?? "")
        }
    }

    /// Tables with what is nowhere else, or has to fit what is elsewhere: made anew they are empty, and what is said of
    /// likes is wrong without anybody noticing. The others are made anew without loss.
    private static let tablesOfWorth: Set<String> = ["user_likes", "counters", "item_types"]

    private var isOfWorth: Bool { Self.tablesOfWorth.contains(name) }

    package var remedy: Remedy {
        switch kind {
        case .version: return Remedy(first: Schema.whenOfOtherVersion(Int(object), migrate: "likesctl migrate"))
        case .elsewhere: return strayTable
        case .noTable: return missingTable
        case .noColumn: return missingColumn
        case .noPartition: return missingPartition
        case .noPlainTable: return otherThanTable
        case .inherited: return Remedy(sql: "ALTER TABLE \(object) NO INHERIT \(place)")
        case .foreign: return Remedy(sql: "ALTER TABLE \(detail) DETACH PARTITION \(place)")
        case .unlogged: return alter("SET LOGGED")
        case .columnType: return alter("ALTER \(object) TYPE \(detail)")
        case .nullable: return alter("ALTER \(object) SET NOT NULL")
        case .generated: return alter("ALTER \(object) DROP \(detail)")
        case .noDefault: return alter("ALTER \(object) SET DEFAULT \(column?.byDefault ?? "")")
        case .unknownColumn: return alter("ALTER \(object) DROP NOT NULL")
        // A restore makes them one by one, and fails at one that is there.
        case .noKey: return alter("\(detail) (\(object))", first: Schema.unlessRestored)
        case .noRight: return Remedy(sql: "GRANT \(detail) ON \(place) TO \(object)")
        case .trigger: return alter("DISABLE TRIGGER \(object)")
        case .rule: return alter("DISABLE RULE \(object)")
        case .rowSecurity: return alter("DISABLE ROW LEVEL SECURITY")
        case .cascade: return alter("DROP CONSTRAINT \(object)")
        }
    }

    /// The counters can be counted again, the likes can't.
    private var missingTable: Remedy {
        let sql = making(owner: detail)
        guard isOfWorth else { return Remedy(first: Schema.unlessRestored, sql: sql) }
        let first = Schema.whenLost(name)
        switch name {
        case "user_likes": return Remedy(first: first, then: Self.verify)
        case "counters": return Remedy(first: "\(first); without one", sql: sql, then: Self.repair)
        default:
            return Remedy(
                first: "\(first); without one, with the numbers that further types had:", sql: sql, then: Self.repair)
        }
    }

    /// Makes the table anew where likesd's others are, and whoever runs it, with their owner.
    private func making(owner: String, withRows: Bool = true) -> String {
        let schema = place.hasSuffix(".\(name)") ? String(place.dropLast(name.count + 1)) : "public"
        return (schema == "public" ? "" : "SET search_path = \(schema); ")
            + Schema.statements(making: name, withRows: withRows)
            + (owner.isEmpty ? "" : "; ALTER TABLE \(name) OWNER TO \(owner)")
    }

    /// One that another was taken for, or that was moved.
    private var strayTable: Remedy {
        guard detail.isEmpty else {
            let choice =
                "name only the schema with the right likes, \(object) or the other one, in the search_path of "
                + "DATABASE_URL, or:"
            return Remedy(
                first: "\(Schema.restoreFirst); \(choice)", sql: "ALTER ROLE \(detail) SET search_path = \(object)",
                then: Self.repair)
        }
        return Remedy(
            first: Schema.unlessRestored, sql: "ALTER TABLE \(place) SET SCHEMA \(object)",
            then: isOfWorth ? Self.repair : nil)
    }

    private var missingColumn: Remedy {
        let addition = "ALTER TABLE \(place) ADD \(object) \(column?.definition ?? detail)"
        guard isOfWorth else {
            guard column?.byDefault == nil else { return Remedy(sql: addition) }
            // The rows that are there would have no value of it.
            let saysWhatRedisLacks = name != "likesd_hosts"
            return Remedy(
                sql: "TRUNCATE \(place); \(addition)",
                then: saysWhatRedisLacks ? "delete \(RedisKeys.marker) in Redis, of which rows said what it lacks" : nil
            )
        }
        let first = Schema.whenLost("it")
        // Of what a row is about there is no value that it could begin with.
        guard column?.byDefault != nil else { return Remedy(first: first, then: Self.verify) }
        return Remedy(first: "\(first); without one", sql: addition, then: Self.repair)
    }

    /// An empty one in its place would be as good as none, and nobody would notice.
    private var missingPartition: Remedy {
        let restore = "restore it from a backup (\(Schema.handbook))"
        guard detail.isEmpty else {
            return Remedy(
                first:
                    "\(Schema.restoreFirst); if the detached partition lost its rows, \(restore); otherwise attach it:",
                sql: detail, then: Self.verify)
        }
        let bound = object.isEmpty ? "MODULUS …, REMAINDER …" : object
        let attach = "ALTER TABLE \(place) ATTACH PARTITION … FOR VALUES WITH (\(bound))"
        return Remedy(
            first:
                "\(Schema.restoreFirst); if it was detached, attach it again (\(attach)); otherwise \(restore), since "
                + "an empty one has none of its rows", then: Self.verify)
    }

    /// By name: what is in its place may have them in another order, and more of them.
    private var otherThanTable: Remedy {
        let old = "\(name)_before"
        let columns = Schema.tables.first { $0.name == name }?.columns.map(\.name).joined(separator: ", ") ?? "*"
        let sql =
            "ALTER TABLE \(place) RENAME TO \(old); \(making(owner: object, withRows: false)); "
            + "INSERT INTO \(name) (\(columns)) SELECT \(columns) FROM \(old)"
        guard isOfWorth else { return Remedy(sql: sql) }
        return Remedy(
            first: "if likesd's own table was renamed or moved to another schema, put it back in its place; otherwise",
            sql: sql, then: Self.repair)
    }

    private static let verify = "run likesctl verify"
    private static let repair = "run likesctl verify --repair"

    private func alter(_ what: String, first: String? = nil) -> Remedy {
        Remedy(first: first, sql: "ALTER TABLE \(place) \(what)")
    }

    /// The column that has to be there.
    private var column: Schema.Column? {
        Schema.tables.first { $0.name == name }?.columns.first { $0.name == object }
    }
}

extension Schema {
    package static let handbook = "/usr/share/doc/likesd/operations.md"

    static let restoreFirst = "a restore may be running: wait for it"

    /// Before what makes what a restore makes as well.
    package static let unlessRestored = "\(restoreFirst); otherwise"

    /// Behind what is said where migrate is what comes next.
    package static let notWhileRestoring = "(while a restore is running, wait for it instead)"

    /// What to do about tables of another version; `found`: nil: there is no row that says which.
    static func whenOfOtherVersion(_ found: Int?, migrate: String) -> String {
        guard let found else { return whenLost("it") }
        return found < version ? migrate : "upgrade likesd on this host"
    }

    /// What to do where something is gone that held what is nowhere else; `what`: as the sentence names it.
    package static func whenLost(_ what: String) -> String {
        "\(restoreFirst); if \(what) was renamed or moved to another schema, put it back; "
            + "otherwise restore it from a backup (\(handbook))"
    }

    /// What to do where the version is gone, and other tables are or were there: to migrate would be in a restore's
    /// way.
    package static let whenVersionLost =
        "\(whenLost("likesd_schema")); if the tables are not likesd's, name another database in DATABASE_URL"
}
