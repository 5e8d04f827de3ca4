extension SchemaMisfit {
    /// What to do, as the owner of the tables.
    package struct Remedy: Equatable, Sendable {
        /// In words: what comes before the statements or replaces them.
        var first: String?
        /// Statements that correct it.
        package var sql: String?
        /// What must follow.
        var then: Sequel?

        enum Sequel: Equatable, Sendable {
            case likesctl(LikesctlTask)
            case words(String)
        }

        // Commands and statements come last: nobody is to copy other words along with them.

        /// The whole remedy as a shell takes it. `statements`: the command that runs them; `likesctl`: how to run one
        /// of its commands with the same settings.
        package func command(
            _ statements: (String) -> String, likesctl: (LikesctlTask) -> LikesctlAdvice
        ) -> String {
            switch then {
            case nil: return text(statements, order: nil)
            case .words(let words): return text(statements, order: "then \(words)")
            case .likesctl(let task):
                let advice = likesctl(task)
                guard let sql else { return text(statements, order: advice.sequel) }
                return [first, advice.text(after: statements(sql))].compactMap { $0 }.joined(separator: " ")
            }
        }

        /// The whole remedy as a report of `likesctl verify` gives it, with plain statements.
        package var text: String {
            text(auditing: { $0 == .repair ? "then verify again with --repair" : "then verify again" })
        }

        /// The same in the report of another command. `auditing`: how that says to run likesctl afterwards.
        package func text(auditing: (LikesctlTask) -> String) -> String {
            switch then {
            case nil: text({ "run: \($0)" }, order: nil)
            case .words(let words): text({ $0 }, order: "then \(words)")
            case .likesctl(let task): text({ $0 }, order: auditing(task))
            }
        }

        /// The statements, if they are the whole remedy.
        package var statementsAlone: String? { first == nil && then == nil ? sql : nil }

        private func text(_ statements: (String) -> String, order: String?) -> String {
            guard let order else { return [first, sql.map(statements)].compactMap { $0 }.joined(separator: " ") }
            guard let sql else { return [first, order].compactMap { $0 }.joined(separator: ", ") }
            return [first, "run this, \(order):", statements(sql)].compactMap { $0 }.joined(separator: " ")
        }
    }

    /// Tables whose content exists nowhere else, or must fit what is elsewhere. Created again they are empty, and
    /// likesd gives wrong answers about likes without anybody noticing. The other tables can be created again without
    /// loss.
    private static let tablesOfWorth: Set<String> = ["user_likes", "counters", "item_types"]

    private var isOfWorth: Bool { Self.tablesOfWorth.contains(name) }

    package var remedy: Remedy {
        var remedy = proposal
        if remedy.sql != nil, ![place, object, detail].allSatisfy(\.isWithinStatement) {
            // A server that says this is no PostgreSQL that anybody should run statements for.
            remedy.sql = nil
            remedy.first = "look at what the server calls \(place)"
        }
        return remedy
    }

    private var proposal: Remedy {
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
        // A restore creates keys one by one, and fails at one that exists.
        case .noKey: return alter("\(detail) (\(object))", first: Schema.unlessRestored)
        case .noRight: return Remedy(sql: "GRANT \(detail) ON \(place) TO \(object)")
        case .trigger: return alter("DISABLE TRIGGER \(object)")
        case .rule: return alter("DISABLE RULE \(object)")
        case .rowSecurity: return alter("DISABLE ROW LEVEL SECURITY")
        case .cascade: return alter("DROP CONSTRAINT \(object)")
        }
    }

    /// The counters can be counted again, the likes cannot.
    private var missingTable: Remedy {
        let sql = making(owner: detail)
        guard isOfWorth else { return Remedy(first: Schema.unlessRestored, sql: sql) }
        let first = Schema.whenLost(name)
        switch name {
        case "user_likes": return Remedy(first: first, then: .likesctl(.verify))
        case "counters": return Remedy(first: "\(first); without one", sql: sql, then: .likesctl(.repair))
        default:
            return Remedy(
                first: "\(first); without one (add the further types, with the numbers that they had)", sql: sql,
                then: .likesctl(.repair))
        }
    }

    /// Creates the table again beside likesd's others, owned by their owner, whoever runs it.
    private func making(owner: String, withRows: Bool = true) -> String {
        let schema = place.hasSuffix(".\(name)") ? String(place.dropLast(name.count + 1)) : "public"
        return (schema == "public" ? "" : "SET search_path = \(schema); ")
            + Schema.statements(making: name, withRows: withRows)
            + (owner.isEmpty ? "" : "; ALTER TABLE \(name) OWNER TO \(owner)")
    }

    /// A table that was moved, or in whose place another one was found.
    private var strayTable: Remedy {
        guard detail.isEmpty else {
            let choice =
                "otherwise name only the schema with the right likes, \(object) or the other one, in the search_path "
                + "of DATABASE_URL, or"
            return Remedy(
                first: "\(Schema.restoreFirst); \(choice)", sql: "ALTER ROLE \(detail) SET search_path = \(object)",
                then: .likesctl(.repair))
        }
        return Remedy(
            first: Schema.unlessRestored, sql: "ALTER TABLE \(place) SET SCHEMA \(object)",
            then: isOfWorth ? .likesctl(.repair) : nil)
    }

    private var missingColumn: Remedy {
        let addition = "ALTER TABLE \(place) ADD \(object) \(column?.definition ?? detail)"
        guard isOfWorth else {
            guard column?.byDefault == nil else { return Remedy(sql: addition) }
            // Existing rows would have no value for the column.
            let saysWhatRedisLacks = name != "likesd_hosts"
            return Remedy(
                sql: "TRUNCATE \(place); \(addition)",
                then: saysWhatRedisLacks
                    ? .words("delete \(RedisKeys.marker) in Redis, of which rows said what it lacks") : nil)
        }
        let first = Schema.whenLost("the column")
        // A column that says what a row is about has no value to begin with.
        guard column?.byDefault != nil else { return Remedy(first: first, then: .likesctl(.verify)) }
        return Remedy(first: "\(first); without one", sql: addition, then: .likesctl(.repair))
    }

    /// Follows the name of a partition whose detaching was begun and not finished. A name that ended so is in quotes.
    static let beingDetached = " FINALIZE"

    /// An empty partition in its place would be as bad as none, and nobody would notice.
    private var missingPartition: Remedy {
        let restore = "restore it from a backup (\(Schema.handbook))"
        guard detail.isEmpty else {
            let isBeingDetached = detail.hasSuffix(Self.beingDetached)
            let partition = isBeingDetached ? String(detail.dropLast(Self.beingDetached.count)) : detail
            let detach = "ALTER TABLE \(place) DETACH PARTITION \(partition) FINALIZE; "
            return Remedy(
                first: "\(Schema.restoreFirst); if the detached partition lost its rows, \(restore); otherwise",
                sql: (isBeingDetached ? detach : "")
                    + "ALTER TABLE \(place) ATTACH PARTITION \(partition) FOR VALUES WITH (\(object))",
                then: .likesctl(.verify))
        }
        let bound = object.isEmpty ? "MODULUS …, REMAINDER …" : object
        let attach = "ALTER TABLE \(place) ATTACH PARTITION … FOR VALUES WITH (\(bound))"
        return Remedy(
            first:
                "\(Schema.restoreFirst); if it was detached, attach it again (\(attach)); otherwise \(restore), since "
                + "an empty one has none of its rows", then: .likesctl(.verify))
    }

    /// Columns by name: the table in its place may have them in another order, and more of them.
    private var otherThanTable: Remedy {
        let old = "\(name)_before"
        let columns = Schema.tables.first { $0.name == name }?.columns.map(\.name).joined(separator: ", ") ?? "*"
        let sql =
            "ALTER TABLE \(place) RENAME TO \(old); \(making(owner: object, withRows: false)); "
            + "INSERT INTO \(name) (\(columns)) SELECT \(columns) FROM \(old)"
        guard isOfWorth else { return Remedy(sql: sql) }
        return Remedy(
            first: "if likesd's own table was renamed or moved to another schema, put it back in its place; otherwise",
            sql: sql, then: .likesctl(.repair))
    }

    private func alter(_ what: String, first: String? = nil) -> Remedy {
        Remedy(first: first, sql: "ALTER TABLE \(place) \(what)")
    }

    /// The column that must be there.
    private var column: Schema.Column? {
        Schema.tables.first { $0.name == name }?.columns.first { $0.name == object }
    }
}

extension Schema {
    package static let handbook = "/usr/share/doc/likesd/operations.md"

    static let restoreFirst = "a restore may be running: wait for it"

    /// Precedes statements that create what a restore creates as well.
    package static let unlessRestored = "\(restoreFirst); otherwise"

    /// Follows a message if migrating is the next step.
    package static let notWhileRestoring = "(while a restore is running, wait for it instead)"

    /// What to do about tables of another version. `found` is nil if no row gives the version.
    static func whenOfOtherVersion(_ found: Int?, migrate: String) -> String {
        guard let found else { return whenLost("likesd_schema") }
        return found < version ? migrate : "upgrade likesd on this host"
    }

    /// What to do if something is gone whose content exists nowhere else. `what`: as the sentence names it.
    package static func whenLost(_ what: String) -> String {
        "\(restoreFirst); if \(what) was renamed or moved to another schema, put it back; "
            + "otherwise restore it from a backup (\(handbook))"
    }

    /// What to do if the version is gone, but other tables exist or existed: migrating would block a restore.
    package static let whenVersionLost =
        "\(whenLost("likesd_schema")); if the tables are not likesd's, name another database in DATABASE_URL"
}
