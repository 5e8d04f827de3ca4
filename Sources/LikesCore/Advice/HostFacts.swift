/// What commands have to name of the host and of the process.
package struct HostFacts: Equatable, Sendable {
    /// The system user the process runs as.
    package var userName: String
    /// What CREDENTIALS_DIRECTORY holds.
    package var credentialsFolder: String?
    /// Whether the servers' packages are there; one that is there only has to be started.
    package var isPostgresInstalled: Bool
    package var isRedisInstalled: Bool

    /// Debian's places of the servers' programs.
    package static let postgresFolder = "/usr/lib/postgresql"
    package static let redisProgram = "/usr/bin/redis-server"

    package init(userName: String, credentialsFolder: String?, isPostgresInstalled: Bool, isRedisInstalled: Bool) {
        self.userName = userName
        self.credentialsFolder = credentialsFolder
        self.isPostgresInstalled = isPostgresInstalled
        self.isRedisInstalled = isRedisInstalled
    }
}

/// The server, the database and the role that a connection to PostgreSQL is about, as libpq names them.
package struct DatabaseTarget: Equatable, Sendable {
    /// A name, an address, or the folder of a Unix socket; empty: not known.
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

    /// The options that lead PostgreSQL's programs to this server. Its administrator is let in over the Unix socket.
    var administratorOptions: String {
        var options = ""
        if !isLoopback && !Self.defaultFolders.contains(host) { options += " -h \(host.shellWord)" }
        if !port.isEmpty && port != Self.defaultPort { options += " -p \(port.shellWord)" }
        return isLocal ? options : options + " -U postgres"
    }
}

extension String {
    var isLoopback: Bool { self == "localhost" || self == "::1" || hasPrefix("127.") }

    /// The text as a shell takes it for one word.
    package var shellWord: String {
        let isPlain = unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic && scalar.isASCII || "0123456789_-./:@".unicodeScalars.contains(scalar)
        }
        if isPlain && !isEmpty { return self }
        return "'" + replacing("'", by: "'\\''") + "'"
    }

    /// The text as SQL takes it for one name.
    package var sqlName: String {
        "\"" + replacing("\"", by: "\"\"") + "\""
    }

    /// By scalars, as shells and servers read it: a quote and a combining mark behind it are one character.
    private func replacing(_ quote: Unicode.Scalar, by text: String) -> String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar == quote { result += text } else { result.unicodeScalars.append(scalar) }
        }
    }
}
