import LikesProtocol
import LikesStorage
import LikesctlCommands

/// The columns that the reference's tables and likesd's share: what they must be, and what can be made of them.
struct SharedColumns {
    private struct Column {
        var table: String
        var name: String
        var type: String
        /// A default that likesd needs and the column lacks.
        var byDefault: String?
        /// nil: there is no such column.
        var actualType: String?
        var mayBeNull: Bool
        var fits: Bool

        /// nil: not a row of `Schema.selectSharedColumns`.
        init?(_ row: [String?]) {
            guard row.count == 7, let table = row[0], let name = row[1], let type = row[2] else { return nil }
            self.table = table
            self.name = name
            self.type = type
            byDefault = row[4] == nil ? nil : row[3]
            actualType = row[4]
            mayBeNull = row[5] == "t"
            fits = row[6] == "t"
        }

        var constraint: String { "likesd_\(name)_not_null" }
    }

    private let session: TakeoverSession
    private let columns: [Column]

    init(_ session: TakeoverSession) throws(Failure) {
        self.session = session
        columns = try session.database.execute(Schema.selectSharedColumns).compactMap { Column($0) }
    }

    private var database: Database { _read { yield session.database } }

    /// Refuses what cannot be made to fit in place.
    func check() throws(Failure) {
        for column in columns where !column.fits {
            let place = "\(column.table).\(column.name)"
            guard let actual = column.actualType else {
                throw Failure(
                    .refused, "the column \(place) is missing: nothing was changed",
                    next: "name the database of the reference service in DATABASE_URL")
            }
            throw Failure(
                .refused,
                "the column \(place) has the type \(ForeignText.shown(actual)), likesd needs \(column.type): nothing "
                    + "was changed",
                next: "ALTER TABLE \(column.table) ALTER \(column.name) TYPE \(column.type), which rewrites the table: "
                    + "nobody can use it meanwhile")
        }
        for row in try database.execute(Schema.selectMissingKeys) {
            guard let table = row[0], let columns = row[1] else { continue }
            throw Failure(
                .refused, "\(table) has no unique key (\(columns)): nothing was changed",
                next: "CREATE UNIQUE INDEX CONCURRENTLY ON \(table) (\(columns)), then run this again")
        }
    }

    /// Adds the defaults and NOT NULLs that likesd needs. `look`: says which rows are in the way.
    func adapt(_ look: () throws(Failure) -> Void) throws(Failure) {
        for column in columns {
            if let byDefault = column.byDefault { try setDefault(of: column, byDefault) }
            if column.mayBeNull { try forbidNull(in: column, look) }
        }
    }

    private func setDefault(of column: Column, _ byDefault: String) throws(Failure) {
        try session.briefly([.alone(column.table)]) { () throws(Failure) in
            try database.execute(TakeoverStatements.record, ["default", column.table, column.name, ""])
            try database.execute("ALTER TABLE \(column.table) ALTER \(column.name) SET DEFAULT \(byDefault)")
        }
        try session.report.done("\(column.table).\(column.name) has the default \(byDefault)")
    }

    /// PostgreSQL takes a valid check as proof, so no scan holds the lock.
    private func forbidNull(in column: Column, _ look: () throws(Failure) -> Void) throws(Failure) {
        let (table, name, constraint) = (column.table, column.name, column.constraint)
        if try isValid(column) == nil {
            try session.briefly([.alone(table)]) { () throws(Failure) in
                guard try isValid(column) == nil else { return }
                try database.execute(TakeoverStatements.record, ["not-null", table, name, ""])
                try database.execute(
                    "ALTER TABLE \(table) ADD CONSTRAINT \(constraint) CHECK (\(name) IS NOT NULL) NOT VALID")
            }
        }
        if try isValid(column) == false { try validate(column, look) }
        try session.briefly([.alone(table)]) { () throws(Failure) in
            try database.execute(
                "ALTER TABLE \(table) ALTER \(name) SET NOT NULL, DROP CONSTRAINT IF EXISTS \(constraint)")
        }
        try session.report.done("\(table).\(name) can no longer be null")
    }

    /// nil: there is no such check.
    private func isValid(_ column: Column) throws(Failure) -> Bool? {
        let rows = try database.execute(TakeoverStatements.constraint, [column.table, column.constraint])
        return rows.first.map { $0.first == "t" }
    }

    /// Reads the whole table, and keeps nobody from writing. What waits for another validation or a vacuum keeps
    /// nobody waiting either.
    private func validate(_ column: Column, _ look: () throws(Failure) -> Void) throws(Failure) {
        session.report.progress("\(column.table).\(column.name): validating, which nobody waits for")
        try database.execute("SET statement_timeout = 0")
        try database.execute("SET lock_timeout = \(session.waitSeconds * 1_000)")
        do {
            try database.execute(
                "ALTER TABLE \(column.table) VALIDATE CONSTRAINT \(column.constraint)",
                timeoutMs: TakeoverSession.longMs)
        } catch  where error.status == .refused {
            // A row has come since they were looked at. The reference must go on writing it.
            try setUsualTimeouts()
            try session.briefly([.alone(column.table)]) { () throws(Failure) in
                try database.execute("ALTER TABLE \(column.table) DROP CONSTRAINT IF EXISTS \(column.constraint)")
                try database.execute(TakeoverStatements.forget, ["not-null", column.table, column.name])
            }
            try look()
            throw error
        }
        try setUsualTimeouts()
    }

    private func setUsualTimeouts() throws(Failure) {
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
    }

    // MARK: The way back

    /// What gives the columns back as they were: `records` are rows of `TakeoverStatements.records`.
    static func undoing(_ records: [[String?]]) -> [String] {
        records.compactMap { row in
            guard row.count == 4, let table = row[1], let name = row[2]?.asSQLName,
                Schema.sharedTables.contains(table)
            else { return nil }
            switch row[0] {
            case "not-null":
                return "ALTER TABLE \(table) ALTER \(name) DROP NOT NULL, "
                    + "DROP CONSTRAINT IF EXISTS likesd_\(name)_not_null"
            case "default": return "ALTER TABLE \(table) ALTER \(name) DROP DEFAULT"
            default: return nil
            }
        }
    }
}
