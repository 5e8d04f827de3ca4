import Glibc
import LikesHost
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// `likesctl import`: loads rows as they are, sorts them, and adds the likes that are missing.
///
/// Each step is a transaction that also stores how far the import has come. So it may end at any moment: run again, it
/// goes on there.
struct Import {
    /// Milliseconds to wait for an import that was just killed: PostgreSQL looks every second whether its client lives.
    private static let lockWaitMs: Int64 = 5_000
    private static let lockPollMs: Int32 = 100

    private let context: ImportContext

    private var database: Database { _read { yield context.database } }
    private var options: DataOptions { context.options }
    private var report: ImportReport { context.report }

    /// `path`: nil or `-` for standard input.
    static func run(
        _ configuration: Configuration, _ path: String?, _ options: DataOptions, json: Bool
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        let readsInput = !options.resumes && !options.abandons
        guard !readsInput || path != nil || isatty(STDIN_FILENO) == 0 else {
            throw Failure(
                .usage, "standard input is a terminal",
                next: "name the file, or send rows through a pipe; likesctl import - reads what is typed")
        }
        // Whoever read the progress may hang up. That is no reason to end.
        signal(SIGPIPE, SIG_IGN)
        let context = try ImportContext(configuration, options, json: json)
        defer { context.report.close() }
        let work = Import(context: context)
        try work.takeTurn()
        if options.abandons { return try work.abandon() }
        return try work.run(path == "-" ? nil : path)
    }

    private func run(_ path: String?) throws(Failure) -> (text: String, status: ExitStatus) {
        var state = try ImportState.stored(in: database)
        if let found = state, try isLost(found) {
            report.tell(
                "PostgreSQL has lost the rows that were loaded, as it does after a crash: they are loaded again")
            state = nil
        }
        // One of which nothing is loaded says nothing about its input.
        if let found = state, found.input.bytes == 0, !found.isSorted { state = nil }
        if options.resumes {
            guard let state else { throw Failure(.refused, "no import is unfinished", next: "name the input") }
            guard state.isSorted else {
                throw Failure(
                    .refused, "the import of \(state.shownSource) was not read to its end",
                    next: "run it again with the same input")
            }
            return try finish(state)
        }
        return try finish(try loaded(path, state))
    }

    // MARK: One at a time

    private func takeTurn() throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + Self.lockWaitMs
        while try database.execute(ImportStatements.lock).first?.first != "t" {
            guard SystemCalls.nowMs() < deadlineMs else { throw try another() }
            SystemCalls.pause(ms: Self.lockPollMs)
        }
    }

    /// Who is at work. A host that vanished leaves its session behind until the network tells PostgreSQL so.
    private func another() throws(Failure) -> Failure {
        let holder = try database.execute(ImportStatements.lockHolder).first?.map { $0.map { ForeignText.shown($0) } }
        let found = holder.flatMap { $0.count == 2 ? $0 : nil }
        guard let process = found?[0] else {
            return Failure(.refused, "another import was running until now", next: "run this again")
        }
        let from = found?[1].map { " from \($0)" } ?? ""
        return Failure(
            .refused,
            "another import is running on the database \(database.name), in PostgreSQL's process \(process)\(from)",
            next: "wait until it ends; if it runs nowhere any more, end what is left of it: "
                + "SELECT pg_terminate_backend(\(process))")
    }

    /// Whether the tables without a log are empty although they were filled.
    private func isLost(_ state: ImportState) throws(Failure) -> Bool {
        let (table, count) =
            state.isSorted
            ? (ImportStatements.likes, state.likes - state.merged) : (ImportStatements.rowsTable, state.input.rows)
        guard count > 0 else { return false }
        return try database.execute(ImportStatements.holdsRows(table)).first?.first != "t"
    }

    private func abandon() throws(Failure) -> (text: String, status: ExitStatus) {
        guard let state = try ImportState.stored(in: database) else {
            throw Failure(.refused, "no import is unfinished: there is nothing to give up")
        }
        try dropTables()
        return (report.abandoned(state), .ok)
    }

    private func dropTables() throws(Failure) {
        // A dump may be reading them.
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
        try database.transaction { () throws(Failure) in
            for table in [ImportStatements.rowsTable, ImportStatements.likes, ImportStatements.state] {
                try database.execute(ImportStatements.dropTable(table))
            }
        }
    }

    // MARK: Its parts

    /// The input, loaded and sorted.
    private func loaded(_ path: String?, _ stored: ImportState?) throws(Failure) -> ImportState {
        var input = try InputRows(path, options.format)
        try input.readBeginning()
        var state =
            stored ?? ImportState(source: path.map { SystemCalls.absolute($0) } ?? "", format: options.format.rawValue)
        if stored == nil {
            // What is there is of no use.
            try dropTables()
            try database.transaction { () throws(Failure) in
                try database.execute(ImportStatements.createState)
                try database.execute(ImportStatements.insertState, [state.source, state.format])
                try database.execute(ImportStatements.createRows)
            }
        } else {
            try checkIsSame(&input, state)
        }
        guard !state.isSorted else { return state }
        try ImportLoad(context: context).load(&input, &state)
        try ImportSort(context: context).sort(&state)
        return state
    }

    /// Reads the input as far as it was loaded. With other bytes, likes would be passed over.
    private func checkIsSame(_ input: inout InputRows, _ state: ImportState) throws(Failure) {
        report.begin(.reading)
        var isSame = state.format == options.format.rawValue
        if isSame { isSame = try input.skip(to: state.input) }
        if isSame, state.isSorted { isSame = try input.isExhausted() }
        guard isSame else {
            let next =
                "run that one again" + (state.isSorted ? " or, without its input, likesctl import --resume" : "")
                + "; or give it up first: likesctl import --abandon (what it added stays)"
            throw Failure(
                .refused,
                "\(input.name) does not begin with what was loaded of an unfinished import of \(state.shownSource)",
                next: next)
        }
        report.goesOn(state)
    }

    private func finish(_ state: ImportState) throws(Failure) -> (text: String, status: ExitStatus) {
        var state = state
        try ImportMerge(context: context).merge(&state)
        try dropTables()
        return (report.finished(state), state.left.count > 0 ? .incomplete : .ok)
    }
}

/// What all parts of an import share.
final class ImportContext {
    let database: Database
    let options: DataOptions
    let report: ImportReport

    init(_ configuration: Configuration, _ options: DataOptions, json: Bool) throws(Failure) {
        let report = ImportReport(options, json: json)
        self.report = report
        self.options = options
        database = try Database.connected(configuration, for: .import) { report.warn($0) }
        try database.prepare(configuration, for: .import)
        if !options.abandons { try Self.checkRights(database) }
    }
}

extension ImportContext {
    /// Hours later it would be too late to learn that the likes may not be added.
    private static func checkRights(_ database: borrowing Database) throws(Failure) {
        let missing = try database.execute(ImportStatements.missingRights).compactMap { $0.first.flatMap { $0 } }
        guard missing.isEmpty else {
            throw Failure(
                .permissionDenied, "the role \(database.user) lacks \(missing.joined(separator: ", "))",
                next: "run this as the owner of the tables")
        }
    }
}

extension ImportState {
    var shownSource: String { source.isEmpty ? "standard input" : ForeignText.shown(source) }
}

extension Database {
    /// A failure ends the transaction, and with it the command.
    func transaction(_ body: () throws(Failure) -> Void) throws(Failure) {
        try execute("BEGIN")
        try body()
        try execute("COMMIT")
    }
}
