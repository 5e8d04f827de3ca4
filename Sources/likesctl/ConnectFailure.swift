import Glibc
import LikesHost
import LikesSettings
import LikesStorage
import LikesctlCommands

/// What to do if the daemon's socket cannot be connected to.
enum ConnectFailure {
    private static let howToStart = "start it: systemctl start likesd (in a checkout: make run)"
    /// What to do if something else than likesd answers, or nothing could.
    static let nameSocket = "name likesd's socket with --socket or LIKESD_SOCKET"

    /// `code`: errno of connect.
    static func explain(_ code: Int32, path: String, timeoutMs: Int64) -> Failure {
        switch code {
        case ENOENT, ENOTDIR:
            return Failure(
                .unreachable, "no daemon at \(path): there is no such socket",
                next: "\(howToStart); if it listens elsewhere, \(nameSocket)")
        case ECONNREFUSED:
            guard let status = status(of: path), status.st_mode & S_IFMT == S_IFSOCK else {
                return Failure(.unreachable, "\(path) is not a socket", next: nameSocket)
            }
            return Failure(
                .unreachable, "nobody listens at \(path): a dead daemon left it behind",
                next: "\(howToStart); it replaces the old socket")
        case EACCES, EPERM: return permissionDenied(path)
        case EAGAIN:
            return Failure(
                .timedOut, "the daemon at \(path) took no connection within \(timeoutMs) ms: it is overloaded or hangs",
                next: "read its log: journalctl -u likesd")
        default:
            let isWrongPath = code == EPROTOTYPE || code == ELOOP || code == ENAMETOOLONG
            return Failure(
                .unreachable, "no connection to \(path): \(SystemCalls.text(of: code))",
                next: isWrongPath ? nameSocket : nil)
        }
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    private static func permissionDenied(_ path: String) -> Failure {
        let user = HostFacts.userName
        guard let status = status(of: path) else {
            let folder = closedFolder(above: path)
            return Failure(
                .permissionDenied, "permission denied: the folder \(folder) of \(path) is closed to \(user)",
                next: "let the user '\(user)' search that folder, or let likesd listen in another one (LIKESD_SOCKET)")
        }
        let entry = getgrgid(status.st_gid)
        let group = entry.map { String(cString: $0.pointee.gr_name) } ?? String(status.st_gid)
        let mode = String(status.st_mode & 0o777, radix: 8)
        guard status.st_mode & S_IWGRP != 0 else {
            return Failure(
                .permissionDenied, "permission denied: \(path) has mode 0\(mode), which gives no group access",
                next: "set LIKESD_SOCKET_MODE=0660 for likesd, or run this as the socket's owner")
        }
        guard status.st_gid != 0 else {
            // Nobody should join root's group for the sake of a socket.
            return Failure(
                .permissionDenied, "permission denied: \(path) is open to the group \(group) only",
                next: intoClientsGroup(user, folder(of: path))
                    ?? "run likesd as a user of its own, or give its socket a folder of its own (LIKESD_SOCKET) whose "
                    + "group is the clients' and which has the setgid bit")
        }
        let listed = entry.map { isMember(user, of: $0.pointee) } ?? false
        return Failure(
            .permissionDenied, "permission denied: \(path) is open to the group \(group)",
            next: listed
                ? "log in again, or use newgrp \(group): \(user) joined that group after this login"
                : "give the user '\(user)' access, from the next login on: "
                    + "sudo usermod -aG \(group.shellWord) \(user.shellWord)")
    }

    /// The package's group of those who may use the socket.
    private static let clientsGroup = "likesd-clients"

    /// Only for the package's own folder and group: others may share the folder, and would get its group as well.
    private static func intoClientsGroup(_ user: String, _ folder: String) -> String? {
        guard folder == Self.folder(of: Configuration().socketPath), getgrnam(clientsGroup) != nil else { return nil }
        return "put the user '\(user)' into the group \(clientsGroup), and give new sockets there that group before "
            + "likesd is restarted: sudo chgrp \(clientsGroup) \(folder) && sudo chmod g+s \(folder)"
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The first of the folders on the way to the file that this user may not search.
    private static func closedFolder(above path: String) -> String {
        var folders = [folder(of: path)]
        while let last = folders.last, last.contains("/"), last != "/" { folders.append(folder(of: last)) }
        return folders.last { access($0, X_OK) != 0 } ?? folders[0]
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
