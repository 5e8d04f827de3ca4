import CPostgres
import LikesHost
import LikesStorage

/// The settings of libpq that a connection begins with.
enum ConnectionStart {
    typealias Settings = DatabaseHosts.Settings

    /// Begins to connect without waiting; nil: no memory. `overrides` take precedence over the URL.
    static func begin(_ name: String, url: String, _ overrides: Settings) -> OpaquePointer? {
        // libpq takes the conninfo from `dbname`. It may override the parameters before it.
        let defaults = [
            ("application_name", name),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
        ]
        let connection = start(defaults + [("dbname", url)] + overrides)
        // Verbose errors contain the server's codes and source locations, which tell its refusals apart.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        return connection
    }

    private static func start(_ settings: Settings) -> OpaquePointer? {
        CStrings.with(settings.map(\.keyword)) { keywords in
            CStrings.with(settings.map(\.value)) { values in PQconnectStartParams(keywords, values, 1) }
        }
    }
}
