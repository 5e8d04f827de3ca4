import CPostgres
import Foundation
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

@testable import TestSupport
@testable import likesd

/// A private PostgreSQL; each test has a database of its own.
final class PostgresServer: Sendable {
    static let shared = Result { try PostgresServer() }
    /// For tests of what transactions that are still running hold back, in whatever database: nothing runs there but
    /// what they run themselves, one test after the other.
    static let quiet = Result { try PostgresServer(["-c", "autovacuum=off"]) }
    /// For tests with standbys, each of which copies all databases that there are.
    static let followed = Result { try PostgresServer() }

    private let folder: String
    private let lock = NSLock()
    private nonisolated(unsafe) let server: PrivateServer

    private init(_ settings: [String] = []) throws {
        let programs = try Self.programs()
        server = try PrivateServer(
            Self.command(programs) + settings,
            setUp: [
                "\(programs)/initdb", "-D", "{folder}/data", "-U", "postgres", "-A", "trust", "-N", "--locale=C",
                "-EUTF8",
            ],
            isUnprivileged: true)
        folder = server.folder
        let url = Self.url("postgres", in: folder)
        _ = try server.wait(for: "PostgreSQL") { PostgresTester(url) }
    }

    /// A new database with likesd's tables; `partitions`: of `user_likes`, 0 for none.
    func database(partitions: Int = 0) throws -> TestDatabase {
        let name = "likes_\(UUID().uuidString.prefix(8).lowercased())"
        guard let connection = PostgresTester(Self.url("postgres", in: folder)) else {
            throw Failure(text: "no connection to PostgreSQL")
        }
        // Two copies of the template at once refuse each other.
        try lock.withLock { _ = try connection.run("CREATE DATABASE \(name)") }
        let database = TestDatabase(name: name, folder: folder)
        let setUp = try database.connect()
        for migration in Schema.migrations(partitions: Partitions(partitions)) {
            for statement in migration.statements { try setUp.run(statement) }
        }
        try setUp.run("UPDATE likesd_schema SET version = \(Schema.version)")
        return database
    }

    /// A new standby of this server.
    func standby(_ settings: [String] = []) throws -> PostgresStandby {
        let programs = try Self.programs()
        let server = try PrivateServer(
            Self.command(programs) + settings,
            setUp: [
                "\(programs)/pg_basebackup", "-h", folder, "-U", "postgres", "-D", "{folder}/data", "-R", "-c", "fast",
                "--no-sync",
            ],
            isUnprivileged: true)
        let url = Self.url("postgres", in: server.folder)
        _ = try server.wait(for: "the standby") { PostgresTester(url) }
        return PostgresStandby(server)
    }

    private static func command(_ programs: String) -> [String] {
        [
            "\(programs)/postgres", "-D", "{folder}/data", "-c", "unix_socket_directories={folder}",
            "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=32MB",
            // For standbys that are being made at once.
            "-c", "wal_keep_size=512MB",
        ]
    }

    fileprivate static func url(_ database: String, in folder: String) -> String {
        "postgresql://postgres@/\(database)?host=\(folder)"
    }

    /// Where Debian keeps the server's programs, else where the PATH leads.
    private static func programs() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.compactMap(Double.init).max().map { $0.formatted(.number.grouping(.never)) }
        let candidates =
            [newest.map { "\(root)/\($0)/bin" }].compactMap { $0 }
            + (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let found = candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") }
        guard let found else { throw Failure(text: "PostgreSQL's server is not installed: run 'make install-deps'") }
        return found
    }
}

/// Follows a `PostgresServer`.
struct PostgresStandby {
    private let server: PrivateServer

    fileprivate init(_ server: PrivateServer) { self.server = server }

    /// The same database here.
    func database(_ primarys: TestDatabase) -> TestDatabase {
        TestDatabase(name: primarys.name, folder: server.folder)
    }

    /// Until it has replayed all that the primary has now.
    func wait(for primary: PostgresTester) throws {
        let end = try primary.run("SELECT pg_current_wal_lsn()")[0][0]
        let connection = try TestDatabase(name: "postgres", folder: server.folder).connect()
        try connection.wait(for: "the standby to follow") {
            try $0.run("SELECT pg_last_wal_replay_lsn() >= '\(end)'::pg_lsn") == [["t"]]
        }
    }
}

/// A database with likesd's tables.
struct TestDatabase {
    let name: String
    let url: String

    fileprivate init(name: String, folder: String) {
        self.name = name
        url = PostgresServer.url(name, in: folder)
    }

    func connect() throws -> PostgresTester {
        guard let connection = PostgresTester(url) else { throw Failure(text: "no connection to PostgreSQL") }
        return connection
    }

    /// With the session and the statements of the daemon's connections.
    func lane(_ types: ItemTypes = .standard) throws -> LaneTester { try LaneTester(connect(), types: types) }
}

/// A connection that waits for what it asks.
final class PostgresTester {
    let connection: OpaquePointer

    /// nil: nobody is there yet.
    init?(_ url: String) {
        guard let connection = PQconnectdb(url) else { return nil }
        guard PQstatus(connection) == CONNECTION_OK else {
            PQfinish(connection)
            return nil
        }
        self.connection = connection
    }

    deinit { PQfinish(connection) }

    var processID: Int32 { PQbackendPID(connection) }

    /// The rows as text, nulls as nothing.
    @discardableResult
    func run(_ text: String) throws -> [[String]] {
        guard let raw = PQexec(connection, text) else { throw Failure(text: "no result") }
        let result = StatementResult(raw)
        guard result.status == PGRES_TUPLES_OK || result.status == PGRES_COMMAND_OK else {
            throw Failure(text: "\(text): \(result.message)")
        }
        return try (0..<result.rowCount).map { row in
            try result.texts(row)
        }
    }

    /// Does not wait for the answer.
    func send(_ text: String) throws {
        if PQsendQuery(connection, text) == 0 { throw Failure(text: "not sent: \(text)") }
    }

    /// Asks until it holds; fails after what even a slow machine needs.
    func wait(for what: String, until holds: (PostgresTester) throws -> Bool) throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while try !holds(self) {
            guard ContinuousClock.now < deadline else { throw Failure(text: "waited in vain for \(what)") }
        }
    }
}

/// A lane's connection, which sends what the daemon would send.
final class LaneTester {
    let connection: PostgresTester
    let types: TypeNumbers
    private var parameters = StatementParameters()

    init(_ connection: PostgresTester, types: ItemTypes) throws {
        self.connection = connection
        let names = "{" + types.names.joined(separator: ",") + "}"
        let addition = Schema.addItemTypes.replacingOccurrences(of: "$1", with: "'\(names)'")
        try connection.run(addition.replacingOccurrences(of: "$2", with: "'\(Schema.noNumbers)'"))
        let rows = try connection.run(Schema.selectItemTypes)
        self.types = TypeNumbers(types: types, rows: rows.compactMap { row in Int16(row[0]).map { ($0, row[1]) } })
        try connection.run(ConnectionSetup.sessionText(Configuration()))
        for statement in PreparedStatement.allCases {
            guard let raw = PQprepare(connection.connection, statement.rawValue, statement.text, 0, nil) else {
                throw Failure(text: "no result")
            }
            let result = StatementResult(raw)
            if result.status != PGRES_COMMAND_OK { throw Failure(text: "\(statement): \(result.message)") }
        }
    }

    func send(_ call: LaneCall) throws {
        call.write(to: &parameters, types: types)
        try send(call.statement)
    }

    private func send(_ statement: PreparedStatement) throws {
        let status = parameters.withPointers { count, values, lengths in
            let binary = [Int32](repeating: 1, count: Int(count))
            return PQsendQueryPrepared(
                connection.connection, statement.rawValue, count, values, lengths, binary, 1)
        }
        if status == 0 { throw Failure(text: "not sent") }
    }

    /// Waits for the answer to `call`, the one sent last.
    func answer(_ call: LaneCall) throws -> LaneAnswer {
        try result { try call.answer($0, types: types) { $0.isEmpty ? nil : .schema("misfits") } }
    }

    func perform(_ request: LaneRequest) throws -> LaneAnswer { try perform(LaneCall(1, request, types: types)) }

    func perform(_ request: ReaderRequest) throws -> ReaderAnswer {
        request.write(to: &parameters, types: types)
        try send(request.statement)
        return try result { try request.answer($0, types: types) }
    }

    func perform(_ call: LaneCall) throws -> LaneAnswer {
        try send(call)
        return try answer(call)
    }

    func repairs(_ select: RepairSelect) throws -> RepairRows {
        let answer = try perform(.selectRepairs(select))
        guard case .repairsSelected(let chunk) = answer else { throw Failure(text: "no repairs: \(answer)") }
        return chunk
    }

    func result<Value>(_ body: (borrowing StatementResult) throws -> Value) throws -> Value {
        var value: Value?
        var failure: StatementFailure?
        while let raw = PQgetResult(connection.connection) {
            let result = StatementResult(raw)
            if result.status == PGRES_TUPLES_OK {
                value = try body(result)
            } else {
                failure = StatementFailure(result, permission: "")
            }
        }
        guard let value, failure == nil else { throw Failure(text: failure.map { "\($0)" } ?? "no result") }
        return value
    }

    // MARK: The daemon's calls

    func fence(_ lane: Int64, former: Int64? = nil, rows: [BatchRow] = []) throws -> LaneAnswer {
        try perform(fenceCall(lane, former: former, rows: rows))
    }

    func fenceCall(_ lane: Int64, former: Int64? = nil, rows: [BatchRow] = []) -> LaneCall {
        LaneCall(1, .fence(FenceRequest(lane: lane, former: former, rows: rows)), types: types)
    }

    /// `since`: all that had ended by then is in the data.
    func survey(
        _ lane: Int64 = 99, tokens: [String] = [], servers: [String] = [], since: DatabaseSnapshot = .unknown,
        signOfLife: Int64 = 1
    ) throws -> Survey {
        let request = SurveyRequest(
            lane: lane, tokens: tokens, servers: servers, snapshot: since, since: since.next, signOfLife: signOfLife)
        guard case .surveyed(let survey) = try perform(.survey(request)) else { throw Failure(text: "no survey") }
        return survey
    }

    func commit(_ request: CommitRequest) throws -> LaneAnswer { try perform(commitCall(request)) }

    func commitCall(_ request: CommitRequest) -> LaneCall {
        LaneCall(1, .commit(request), types: types)
    }
}
