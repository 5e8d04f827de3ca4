/// The server, the database and the role that a connection to PostgreSQL is about, as libpq names them.
package struct DatabaseTarget: Equatable, Sendable {
    /// A name, an address, or the folder of a Unix socket; empty if unknown.
    package var host: String
    package var port: String
    package var database: String
    package var role: String

    package init(host: String, port: String, database: String, role: String) {
        self.host = host
        self.port = port
        self.database = database
        self.role = role
    }

    private static let defaultFolders: Set<String> = ["", "/var/run/postgresql", "/run/postgresql"]
    private static let defaultPort = "5432"

    /// Where Debian's own server listens.
    var isDefaultServer: Bool {
        (Self.defaultFolders.contains(host) || isLoopback) && (port.isEmpty || port == Self.defaultPort)
    }
    var isUnixSocket: Bool { host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") }
    var isLoopback: Bool { host.isLoopback }
    var isLocal: Bool { isUnixSocket || isLoopback }

    /// The options that lead PostgreSQL's programs to this server. Its administrator is admitted over the Unix socket.
    var administratorOptions: String {
        var options = ""
        if !isLoopback && !Self.defaultFolders.contains(host) { options += " -h \(host.shellWord)" }
        if !port.isEmpty && port != Self.defaultPort { options += " -p \(port.shellWord)" }
        return isLocal ? options : options + " -U postgres"
    }
}
