import Glibc
import LikesHost
import LikesProtocol
import LikesSettings

/// The system's log, by syslog(3), which also works where there is no journal of systemd's.
enum SystemJournal {
    private static let socket = "/dev/log"

    /// Who runs this: the user, and whoever became that user.
    static var asker: String {
        let user = "\(HostFacts.userName) (uid \(getuid()))"
        guard let before = Environment.value("SUDO_USER"), !before.isEmpty else { return user }
        return "\(user), through sudo by \(ForeignText.shown(before))"
    }

    /// Writes a line. False: nobody takes it.
    static func note(_ line: String) -> Bool {
        guard access(socket, W_OK) == 0 else { return false }
        // The name has to stay in memory.
        let name: StaticString = "likesctl"
        name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { openlog($0.baseAddress, LOG_PID, LOG_USER) }
        }
        line.withCString { text in
            withVaList([text]) { vsyslog(LOG_NOTICE, "%s", $0) }
        }
        closelog()
        return true
    }
}
