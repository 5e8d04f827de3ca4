import Glibc
import LikesHost
import LikesSettings
import LikesctlCommands

/// What to do if the daemon's socket cannot be connected to.
enum ConnectFailure {
    private static let howToStart = "start it: systemctl start likesd (in a checkout: make run)"

    /// `code`: errno of connect.
    static func explain(_ code: Int32, path: String, timeoutMs: Int64) -> Failure {
        switch code {
        case ENOENT, ENOTDIR:
            return Failure(
                .unreachable, "no daemon at \(path): there is no such socket",
                next: "\(howToStart); if it listens elsewhere, name its socket with --socket or LIKESD_SOCKET")
        case ECONNREFUSED:
            guard let status = status(of: path), status.st_mode & S_IFMT == S_IFSOCK else {
                return Failure(.unreachable, "\(path) is not a socket", next: "name likesd's socket with --socket")
            }
            return Failure(
                .unreachable, "nobody listens at \(path): a dead daemon left it behind",
                next: "\(howToStart); it replaces the old socket")
        case EACCES, EPERM: return permissionDenied(path)
        case EAGAIN:
            return Failure(
                .timedOut, "the daemon at \(path) took no connection within \(timeoutMs) ms: it is overloaded or hangs",
                next: "read its log: journalctl -u likesd")
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
                .permissionDenied, "permission denied: \(path) has mode 0\(mode), which lets no group in",
                next: "set LIKESD_SOCKET_MODE=0660 for likesd, or run this as the socket's owner")
        }
        let listed = entry.map { isMember(user, of: $0.pointee) } ?? false
        return Failure(
            .permissionDenied, "permission denied: \(path) is open to the group \(group)",
            next: listed
                ? "log in again, or use newgrp \(group): \(user) joined that group after this login"
                : "let \(user) in: sudo usermod -aG \(group) \(user), then log in again")
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
