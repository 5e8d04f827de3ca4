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
