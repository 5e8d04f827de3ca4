import CPostgres
import Glibc
import LikesHost
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// One connection to PostgreSQL, used for one statement after the other.
struct Database: ~Copyable {
    /// Seconds to wait for a server, unless the URL's own connect_timeout says otherwise.
    static let connectTimeoutSeconds = 10
    /// Milliseconds that a statement waits for another host's migration, and then for its own work.
    static let statementTimeoutMs: Int64 = 60_000
    /// Attempts at a statement that PostgreSQL gave up in favour of others: a deadlock, a standby's conflict.
    static let statementTriesMax = 5
    /// Milliseconds after which a server that does not even report that is given up.
    static let replyMarginMs: Int64 = 5_000

    /// A statement may take hours without a byte on the way. A path that forgets silent connections, or a server that
    /// vanished, would otherwise be noticed two hours later.
    private static let keepAlive = [
        ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
    ]

    /// What a statement returned: rows of text, nil for NULL.
    typealias Rows = [[String?]]

    let connection: OpaquePointer
    private let url: String
    private let command: Command

    /// Connects to the database of the settings, on behalf of `command`. `warn`: as for `DatabaseChoice.settings`.
    static func connected(
        _ configuration: Configuration, for command: Command, warn: (Warning) throws(Failure) -> Void
    ) throws(Failure) -> Database {
        let server = try DatabaseChoice.settings(configuration, for: command, warn: warn)
        let database = try open(server, configuration, for: command)
        try database.refuseLentSession { () throws(Failure) in try open(server, configuration, for: command) }
        return database
    }

    /// `server`: settings of libpq that take precedence over the URL's.
    static func open(
        _ server: DatabaseHosts.Settings, _ configuration: Configuration, for command: Command
    ) throws(Failure) -> Database {
        let url = configuration.databaseURL
        // Of two values for one name libpq takes the later: the URL may override the timeout, and nothing else here.
        let parameters =
            keepAlive + [("connect_timeout", String(connectTimeoutSeconds)), ("dbname", url)] + server + [
                ("fallback_application_name", "likesctl \(command.rawValue)"), ("client_encoding", "UTF8"),
            ]
        let opened = CStrings.with(parameters.map(\.0)) { names in
            CStrings.with(parameters.map(\.1)) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let opened else { throw Failure(.unreachable, "out of memory while connecting to PostgreSQL") }
        let database = Database(connection: opened, url: url, command: command)
        guard PQstatus(opened) == CONNECTION_OK else {
            throw DatabaseFailure.connecting(database.message, database.target, configuration, command)
        }
        return database
    }

    private init(connection: OpaquePointer, url: String, command: Command) {
        self.connection = connection
        self.url = url
        self.command = command
    }

    deinit { PQfinish(connection) }

    /// Such as 150004 for 15.4.
    var serverVersion: Int32 { PQserverVersion(connection) }

    var name: String { PQdb(connection).map { String(cString: $0) } ?? "" }

    var user: String { PQuser(connection).map { String(cString: $0) } ?? "" }

    private var target: DatabaseTarget {
        func text(_ value: UnsafePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        return DatabaseTarget(
            host: text(PQhost(connection)), port: text(PQport(connection)), database: name,
            role: user)
    }

    /// libpq's words, without the password if they repeat the URL. Lines behind the first are indented, so that a
    /// server cannot write a line that looks like likesctl's own.
    private var message: String {
        let words = PQerrorMessage(connection).map { ForeignText.beginning(of: $0, ConnectRefusal.messageBytesMax) }
        let text = words ?? ""
        return DatabaseURL.redacted(text, about: url).split(separator: "\n").map { ForeignText.shown(String($0)) }
            .joined(separator: "\n    ")
    }

    /// Runs one statement and waits for its outcome.
    @discardableResult
    func execute(
        _ statement: String, _ parameters: [String] = [], timeoutMs: Int64 = statementTimeoutMs
    ) throws(Failure) -> Rows {
        let result = try outcome(of: statement, parameters, isBinary: false, timeoutMs: timeoutMs)
        return result.texts
    }

    /// Refuses if the role may not use the schema with the tables, so that none is found.
    func refuseIfBarred() throws(Failure) {
        guard try execute(Schema.hasVersion).first?.first != "t",
            let schema = try execute(Schema.selectBarredSchema).first?.first??.asSQLName
        else { return }
        throw Failure(
            .permissionDenied, "the role \(user) may not use the schema \(schema) of the database \(name)",
            next: "as its owner, GRANT USAGE ON SCHEMA \(schema) TO \(user.sqlName)")
    }

    /// What is wrong with the tables.
    func misfits() throws(Failure) -> [SchemaMisfit] {
        try execute(Schema.selectMisfits).compactMap { row in
            SchemaMisfit(row.map { $0 ?? "" })
        }
    }

    /// Runs one statement outside of a transaction and returns its numbers. Repeats it if PostgreSQL gave it up in
    /// favour of others.
    func numbers(
        _ statement: String, _ parameters: [String] = [], timeoutMs: Int64 = statementTimeoutMs
    ) throws(Failure) -> QueryResult {
        for _ in 1..<Self.statementTriesMax {
            do {
                return try outcome(of: statement, parameters, isBinary: true, timeoutMs: timeoutMs)
            } catch  where error.isWorthRepeating {
                continue
            }
        }
        return try outcome(of: statement, parameters, isBinary: true, timeoutMs: timeoutMs)
    }

    private func outcome(
        of statement: String, _ parameters: [String], isBinary: Bool, timeoutMs: Int64
    ) throws(Failure) -> QueryResult {
        let isSent = CStrings.with(parameters) { values in
            PQsendQueryParams(
                connection, statement, Int32(parameters.count), nil, values, nil, nil, isBinary ? 1 : 0)
        }
        guard isSent == 1 else { throw lost() }
        try waitForResult(timeoutMs: timeoutMs)
        var outcome: QueryResult?
        var failure: Failure?
        while let pointer = PQgetResult(connection) {
            let result = QueryResult(pointer)
            switch PQresultStatus(pointer) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK: outcome = consume result
            case PGRES_FATAL_ERROR: failure = explain(pointer)
            // A COPY would return the same result again and again.
            default: throw lost()
            }
        }
        if let failure { throw failure }
        guard let outcome else { throw lost() }
        return outcome
    }

    func waitForResult(timeoutMs: Int64) throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + timeoutMs + Self.replyMarginMs
        while PQisBusy(connection) == 1 {
            guard SystemCalls.wait(for: Int16(POLLIN), on: PQsocket(connection), deadlineMs: deadlineMs) else {
                throw Failure(
                    .timedOut,
                    "PostgreSQL did not answer within \(timeoutMs + Self.replyMarginMs) ms; "
                        + "running this again is safe")
            }
            guard PQconsumeInput(connection) == 1 else { throw lost() }
        }
    }

    func lost() -> Failure {
        Failure(
            .unreachable,
            "the connection to PostgreSQL was lost\n\(message)", next: "run this again, which is safe")
    }

    func explain(_ result: OpaquePointer) -> Failure {
        guard let code = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return lost() }
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { ForeignText.shown($0) } ?? ""
        return DatabaseFailure.statement(
            sqlState: ForeignText.shown(code), message, user: String(cString: PQuser(connection)), database: name,
            command)
    }
}
