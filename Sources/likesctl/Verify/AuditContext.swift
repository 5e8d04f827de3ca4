import LikesHost
import LikesSettings
import LikesStorage
import LikesctlCommands

/// What all parts of the audit share.
final class AuditContext {
    let database: Database
    let types: StoredTypes
    let options: VerifyOptions
    let report: VerifyReport
    /// What is wrong with the tables themselves.
    let misfits: [SchemaMisfit]

    /// Connects, and makes sure that the audit understands this schema.
    init(_ configuration: Configuration, _ options: VerifyOptions, json: Bool) throws(Failure) {
        var output = ProgressOutput(showsProgress: options.showsProgress, isQuiet: options.isQuiet)
        database = try Database.connected(configuration, for: .verify) { (warning) throws(Failure) in
            if json { try output.print(warning.json.text) } else { output.warn(warning) }
        }
        self.options = options
        try Self.prepare(database, configuration, options)
        misfits = try database.misfits().filter { !$0.isOfRole }
        types = misfits.contains(where: \.hidesRows) ? StoredTypes() : try StoredTypes(database, wanted: options.types)
        report = VerifyReport(options, json: json, types: types, isMendable: misfits.allSatisfy(\.leavesMending))
        report.database.isSideBySide = try database.execute(Schema.isSideBySide).first?.first == "t"
    }

    /// For tables that are being taken over, which have no version yet. `schema`: theirs, as SQL writes it.
    init(
        takingOver configuration: Configuration, schema: String, _ options: VerifyOptions, json: Bool
    ) throws(Failure) {
        // Whoever takes them over has been told what there is to tell.
        database = try Database.connected(configuration, for: .migrate) { (_) throws(Failure) in }
        self.options = options
        try database.execute("SET search_path = \(schema), pg_temp")
        try Self.set(database)
        try Self.keepOthersAway(database)
        misfits = []
        types = try StoredTypes(database, wanted: [])
        report = VerifyReport(options, json: json, types: types, isMendable: true)
    }

    private static func prepare(
        _ database: borrowing Database, _ configuration: Configuration, _ options: VerifyOptions
    ) throws(Failure) {
        try database.checkServer(for: .verify)
        try set(database)
        try database.checkVersion(Advice(configuration, on: HostFacts.measured()))
        guard options.repairs else {
            // Without --repair nothing is written; the server enforces it.
            try database.execute("SET default_transaction_read_only = on")
            return
        }
        try keepOthersAway(database)
    }

    private static func set(_ database: borrowing Database) throws(Failure) {
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
        // Looking through Redis may take long.
        try database.execute("SET idle_session_timeout = 0")
        try database.execute("SET default_transaction_isolation = 'read committed'")
        // Compiling takes longer than any of the short statements.
        try database.execute("SET jit = off")
    }

    /// From all that mend counters.
    private static func keepOthersAway(_ database: borrowing Database) throws(Failure) {
        // A stronger setting stays.
        try database.execute(AuditStatements.commitDurably)
        // If likesctl is killed, the server notices soon, and the next run finds nobody in its way.
        try database.execute("SET client_connection_check_interval = 1000")
        guard try database.execute(AuditStatements.lock).first?.first == "t" else {
            throw Failure(
                .refused, "another 'likesctl verify --repair' is running on the database \(database.name)",
                next: "wait until it ends: two would correct the same difference twice")
        }
    }

    /// The items' ids and types as two array parameters.
    static func parameters(_ items: some Collection<StoredItem>) -> [String] {
        [array(items) { String($0.id) }, array(items) { String($0.type) }]
    }

    /// An array parameter of numbers.
    static func array<Element>(_ elements: some Collection<Element>, _ text: (Element) -> String) -> String {
        "{" + elements.map(text).joined(separator: ",") + "}"
    }
}

extension SchemaMisfit {
    /// It does not stand in the way of `--repair`.
    var leavesMending: Bool { !hidesRows && !["counters", "cache_repairs"].contains(name) }
}

extension QueryResult {
    /// The item in a row's first columns.
    func item(_ row: Int32) -> StoredItem? {
        guard let id = number(row, 0), let type = number(row, 1) else { return nil }
        return StoredItem(id: id, type: Int16(truncatingIfNeeded: type))
    }

    /// The counter in the third and fourth column; nil if there is none.
    func state(_ row: Int32) -> CounterState? {
        guard let count = number(row, 2), let version = number(row, 3) else { return nil }
        return CounterState(count: count, version: version)
    }
}
