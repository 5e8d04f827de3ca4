import CPostgres
import Glibc
import LikesCore

/// One connection to PostgreSQL, used for one statement after the other.
struct Database: ~Copyable {
    /// Seconds for each host of DATABASE_URL, unless its own connect_timeout says otherwise.
    static let connectTimeoutSeconds = 10
    /// Milliseconds a statement waits for another host's migration, and then for its own work.
    static let statementTimeoutMs: Int64 = 60_000
    /// Milliseconds more until a server that does not even report that is given up.
    static let replyMarginMs: Int64 = 5_000

    /// What a statement returned: rows of text, nil for NULL.
    typealias Rows = [[String?]]

    private let connection: OpaquePointer
    private let url: String

    /// Connects to a libpq URI or conninfo.
    static func connected(to url: String) throws(Failure) -> Database {
        try check(url)
        // Of two values for one name libpq takes the later: the URL may override the timeout, nothing else here.
        let parameters = [
            ("connect_timeout", String(connectTimeoutSeconds)), ("dbname", url),
            ("fallback_application_name", "likesctl migrate"), ("client_encoding", "UTF8"),
        ]
        let opened = CStrings.with(parameters.map(\.0)) { names in
            CStrings.with(parameters.map(\.1)) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let opened else { throw Failure(.unreachable, "out of memory while connecting to PostgreSQL") }
        let database = Database(connection: opened, url: url)
        guard PQstatus(opened) == CONNECTION_OK else {
            throw DatabaseFailure.connecting(database.message, url: url, database: database.name)
        }
        return database
    }

    /// What libpq can't read is told apart from what it can't reach.
    private static func check(_ url: String) throws(Failure) {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(url, &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        guard options == nil else { return }
        let text = message.map { String(cString: $0) } ?? "out of memory"
        throw Failure(
            .configuration,
            "DATABASE_URL: \(DatabaseURL.redacted(oneLine(text), about: url))\n"
                + "It has to be a libpq URI, as in postgresql://user:password@host:5432/likes")
    }

    private static func oneLine(_ text: String) -> String {
        text.split(separator: "\n").joined(separator: " ")
    }

    private init(connection: OpaquePointer, url: String) {
        self.connection = connection
        self.url = url
    }

    deinit { PQfinish(connection) }

    /// The database's name.
    var name: String { PQdb(connection).map { String(cString: $0) } ?? "" }

    /// libpq's words, without the password where they repeat the URL.
    private var message: String {
        var text = Substring(String(cString: PQerrorMessage(connection)))
        while text.last == "\n" { text.removeLast() }
        return DatabaseURL.redacted(String(text), about: url)
    }

    /// Runs one statement and waits for its outcome.
    @discardableResult
    func execute(_ statement: String, _ parameters: [String] = []) throws(Failure) -> Rows {
        let isSent = CStrings.with(parameters) { values in
            PQsendQueryParams(connection, statement, Int32(parameters.count), nil, values, nil, nil, 0)
        }
        guard isSent == 1 else { throw lost() }
        try waitForResult()
        var rows: Rows = []
        var failure: Failure?
        while let result = PQgetResult(connection) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK: rows = Self.rows(of: result)
            case PGRES_COMMAND_OK: break
            default: failure = explain(result)
            }
        }
        if let failure { throw failure }
        return rows
    }

    private func waitForResult() throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + Self.statementTimeoutMs + Self.replyMarginMs
        while PQisBusy(connection) == 1 {
            guard SystemCalls.wait(for: Int16(POLLIN), on: PQsocket(connection), deadlineMs: deadlineMs) else {
                throw Failure(
                    .timedOut,
                    "PostgreSQL did not answer within \(Self.statementTimeoutMs + Self.replyMarginMs) ms; "
                        + "running this again is safe")
            }
            guard PQconsumeInput(connection) == 1 else { throw lost() }
        }
    }

    private func lost() -> Failure {
        Failure(
            .unreachable,
            "the connection to PostgreSQL was lost; running this again is safe\n"
                + message)
    }

    private func explain(_ result: OpaquePointer) -> Failure {
        guard let code = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return lost() }
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? ""
        return DatabaseFailure.statement(
            sqlState: String(cString: code), message, user: String(cString: PQuser(connection)), database: name)
    }

    private static func rows(of result: OpaquePointer) -> Rows {
        (0..<PQntuples(result)).map { row in
            (0..<PQnfields(result)).map { column in
                PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }
}

/// Lists of C strings.
enum CStrings {
    /// Calls `body` with an array of the texts, ended by NULL.
    static func with<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = texts.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        let pointers = copies.map { $0.map { UnsafePointer<CChar>($0) } } + [nil]
        return pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("an array of at least one element") }
            return body(base)
        }
    }
}
