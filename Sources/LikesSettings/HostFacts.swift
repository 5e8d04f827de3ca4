/// Facts about the host and the process that commands contain.
package struct HostFacts: Equatable, Sendable {
    /// The system user that the process runs as.
    package var userName: String
    /// Whether somebody became that user with sudo, for this command alone.
    package var isUnderSudo: Bool
    /// The value of CREDENTIALS_DIRECTORY.
    package var credentialsFolder: String?
    /// Whether the servers' packages are installed; an installed server only has to be started.
    package var isPostgresInstalled: Bool
    package var isRedisInstalled: Bool

    /// Where Debian installs the servers' programs.
    package static let postgresFolder = "/usr/lib/postgresql"
    package static let redisProgram = "/usr/bin/redis-server"

    package init(
        userName: String, isUnderSudo: Bool = false, credentialsFolder: String?, isPostgresInstalled: Bool,
        isRedisInstalled: Bool
    ) {
        self.userName = userName
        self.isUnderSudo = isUnderSudo
        self.credentialsFolder = credentialsFolder
        self.isPostgresInstalled = isPostgresInstalled
        self.isRedisInstalled = isRedisInstalled
    }
}
