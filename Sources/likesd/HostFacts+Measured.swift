import Glibc
import LikesSettings

extension HostFacts {
    /// As it is now: an operator may have installed what was missing a moment ago.
    static func measured() -> HostFacts {
        HostFacts(
            userName: userName,
            credentialsFolder: getenv(Setting.credentialsFolderVariable).map { String(cString: $0) },
            isPostgresInstalled: access(postgresFolder, F_OK) == 0,
            isRedisInstalled: access(redisProgram, F_OK) == 0)
    }

    /// Looked up once: it may take the network, and does not change.
    private static let userName: String = {
        guard let entry = getpwuid(geteuid()) else { return String(geteuid()) }
        return String(cString: entry.pointee.pw_name)
    }()
}
