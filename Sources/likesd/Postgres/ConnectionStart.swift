import CPostgres
import Glibc
import LikesProtocol
import LikesStorage

/// The settings of libpq that a connection begins with.
enum ConnectionStart {
    typealias Settings = DatabaseHosts.Settings

    /// Begins to connect without waiting; nil: no memory. `overrides` win over what the URL says.
    static func begin(_ name: String, url: String, _ overrides: Settings) -> OpaquePointer? {
        // What stands before the conninfo, whose place libpq takes from `dbname`, the conninfo may override.
        let defaults = [
            ("application_name", name),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
        ]
        let connection = start(defaults + [("dbname", url)] + overrides)
        // With the server's codes, and its places: what it refuses is told apart by them.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        return connection
    }

    /// What libpq takes these keywords for, from the URL, the environment or a service file; nothing where it cannot
    /// read the URL.
    static func values(of keywords: Set<String>, url: String) -> [String: String] {
        // libpq fills in all settings, finds that this one has no such value, and goes no further.
        let connection = start([("dbname", url), ("sslmode", "?")])
        defer { PQfinish(connection) }
        let options = PQconninfo(connection)
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let current = option, let keyword = current.pointee.keyword.map({ String(cString: $0) }) {
            option = current + 1
            guard keywords.contains(keyword), let value = current.pointee.val else { continue }
            values[keyword] = String(cString: value)
        }
        return values
    }

    private static func start(_ settings: Settings) -> OpaquePointer? {
        CStrings.with(settings.map(\.keyword)) { keywords in
            CStrings.with(settings.map(\.value)) { values in PQconnectStartParams(keywords, values, 1) }
        }
    }
}

extension DatabaseHosts {
    /// The servers that DATABASE_URL names, or the environment, or a service file.
    init(of url: String) { self.init(ConnectionStart.values(of: Self.keywords, url: url)) }

    /// Those that libpq would wait for the network to look up.
    var names: [String] { hosts.filter(NameLookup.isName) }
}

/// Arrays of C strings, ended by a null.
private enum CStrings {
    static func with<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}
