import CPostgres
import LikesHost
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

    private static func start(_ settings: Settings) -> OpaquePointer? {
        CStrings.with(settings.map(\.keyword)) { keywords in
            CStrings.with(settings.map(\.value)) { values in PQconnectStartParams(keywords, values, 1) }
        }
    }
}

extension DatabaseHosts {
    /// Those that libpq would wait for the network to look up.
    var names: [String] { hosts.filter(NameLookup.isName) }
}
