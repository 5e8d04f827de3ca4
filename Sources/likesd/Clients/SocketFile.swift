import CSystemd
import Glibc

/// The socket at `LIKESD_SOCKET`, and the lock beside it that keeps a second daemon from taking it over.
final class SocketFile {
    let descriptor: Int32
    private let path: String
    private let lock: LockFile
    /// The file made here: only this one is removed at the end.
    private let identity: FileIdentity?

    /// Makes the socket, and replaces one that a dead daemon left behind.
    init(path: String, mode: UInt32) throws(DaemonError) {
        guard let address = SocketAddress(path: path) else {
            throw DaemonError(
                "LIKESD_SOCKET: '\(path)' is longer than \(SocketAddress.pathBytesMax) bytes: use a shorter path",
                .configuration)
        }
        lock = try LockFile(path: path + ".lock", guarding: path)
        try SocketFile.clear(path, address)
        let made = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard made >= 0 else { throw DaemonError("making a socket: \(DaemonError.text(errno))") }
        descriptor = made
        self.path = path
        // The file has its mode from the start, so nobody slips in before a chmod.
        let previous = umask(~mode & 0o777)
        let status = address.withPointer { bind(made, $0, $1) }
        let code = errno
        umask(previous)
        identity = FileIdentity(path: path)
        guard status == 0 else {
            throw DaemonError("making the socket \(path): \(DaemonError.text(code)): \(SocketFile.advice(code))")
        }
        guard listen(descriptor, EdgeLimits.listenBacklog) == 0 else {
            throw DaemonError("listening on \(path): \(DaemonError.text(errno))")
        }
    }

    /// Closes the socket and removes its file, if it still is the one made here.
    func remove() {
        close(descriptor)
        if let identity, identity == FileIdentity(path: path) { unlink(path) }
        lock.remove()
    }

    /// Removes a socket that a dead daemon left. Refuses one that is in use, and anything that is no socket.
    private static func clear(_ path: String, _ address: SocketAddress) throws(DaemonError) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFSOCK else {
            throw DaemonError("\(path) exists and is not a socket: remove it, or set LIKESD_SOCKET")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw DaemonError("making a socket: \(DaemonError.text(errno))") }
        defer { close(probe) }
        let status = address.withPointer { connect(probe, $0, $1) }
        guard status != 0 && errno == ECONNREFUSED else {
            throw DaemonError(
                "another process listens on \(path): stop it (see 'ss -xlp src \(path)'), or set LIKESD_SOCKET")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw DaemonError("removing the stale socket \(path): \(DaemonError.text(errno)): remove it")
        }
    }

    static func advice(_ code: Int32) -> String {
        switch code {
        case ENOENT, ENOTDIR: "create its directory, or set LIKESD_SOCKET"
        case EACCES, EPERM: "run as a user who may write to its directory, or set LIKESD_SOCKET"
        case EROFS: "its directory is on a read-only file system: set LIKESD_SOCKET"
        case ENOSPC, EDQUOT: "make room on its file system"
        default: "check LIKESD_SOCKET"
        }
    }
}

/// The address of a Unix socket.
struct SocketAddress {
    private var address = sockaddr_un()

    /// The kernel's limit, less the ending NUL.
    static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    init?(path: String) {
        let bytes = Array(path.utf8)
        guard bytes.count <= SocketAddress.pathBytesMax else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    }

    func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// Which file a path or descriptor leads to.
struct FileIdentity: Equatable {
    private let device: dev_t
    let inode: ino_t

    init?(path: String) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return nil }
        device = facts.st_dev
        inode = facts.st_ino
    }

    init?(descriptor: Int32) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { return nil }
        device = facts.st_dev
        inode = facts.st_ino
    }
}
