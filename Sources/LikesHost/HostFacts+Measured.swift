import Glibc
import LikesSettings

extension HostFacts {
    /// Measured each time: an operator may have just installed what was missing.
    package static func measured() -> HostFacts {
        HostFacts(
            userName: userName, isUnderSudo: Environment.value("SUDO_UID") != nil,
            credentialsFolder: Environment.value(Setting.credentialsFolderVariable),
            isPostgresInstalled: access(postgresFolder, F_OK) == 0,
            isRedisInstalled: access(redisProgram, F_OK) == 0)
    }

    /// The name of the user that this process acts for, or its number. Looked up once: that may take the network, and
    /// the name does not change.
    package static let userName: String = {
        guard let entry = getpwuid(geteuid()) else { return String(geteuid()) }
        return String(cString: entry.pointee.pw_name)
    }()
}
