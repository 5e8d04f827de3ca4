import Glibc
import LikesHost
import LikesSettings

/// What to do when the daemon's socket can't be connected to.
enum ConnectFailure {
    private static let howToStart = "Start it: systemctl start likesd (in a checkout: make run)."

    /// `code`: errno of connect.
    static func explain(_ code: Int32, path: String, timeoutMs: Int64) -> Failure {
        switch code {
        case ENOENT, ENOTDIR:
            return Failure(
                .unreachable,
                """
                no daemon at \(path): there is no such socket
                \(howToStart)
                If it listens elsewhere: --socket PATH, or LIKESD_SOCKET in the environment.
                """)
        case ECONNREFUSED:
            guard let status = status(of: path), status.st_mode & S_IFMT == S_IFSOCK else {
                return Failure(.unreachable, "\(path) is not a socket: --socket takes the path of likesd's")
            }
            return Failure(
                .unreachable,
                "nobody listens at \(path): a daemon that died left it behind\n"
                    + "\(howToStart) It takes the place of the old socket.")
        case EACCES, EPERM: return permissionDenied(path)
        case EAGAIN:
            return Failure(
                .timedOut,
                "the daemon at \(path) took no connection within \(timeoutMs) ms\n"
                    + "It is overloaded or hangs; its log tells more: journalctl -u likesd")
        default: return Failure(.unreachable, "no connection to \(path): \(SystemCalls.text(of: code))")
        }
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    private static func permissionDenied(_ path: String) -> Failure {
        let user = HostFacts.userName
        guard let status = status(of: path) else {
            return Failure(
                .permissionDenied, "permission denied: \(path) is in a directory that is closed to \(user)")
        }
        let entry = getgrgid(status.st_gid)
        let group = entry.map { String(cString: $0.pointee.gr_name) } ?? String(status.st_gid)
        let mode = String(status.st_mode & 0o777, radix: 8)
        guard status.st_mode & S_IWGRP != 0 else {
            return Failure(
                .permissionDenied,
                """
                permission denied: \(path) has mode 0\(mode), which lets no group in
                Set LIKESD_SOCKET_MODE=0660 for likesd, or run this as the socket's owner.
                """)
        }
        let listed = entry.map { isMember(user, of: $0.pointee) } ?? false
        let remedy =
            listed
            ? "\(user) is in that group since this login began: log in again, or use newgrp \(group)."
            : "Let \(user) in: sudo usermod -aG \(group) \(user), then log in again."
        return Failure(.permissionDenied, "permission denied: \(path) is open to the group \(group)\n\(remedy)")
    }

    private static func isMember(_ user: String, of group: group) -> Bool {
        guard var member = group.gr_mem else { return false }
        while let name = member.pointee {
            if String(cString: name) == user { return true }
            member += 1
        }
        return false
    }
}
