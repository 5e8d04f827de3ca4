import Glibc

/// Connects to likesd's socket.
public enum UnixSocket {
    /// Bytes of a Unix socket's path: `sun_path` without its ending zero.
    public static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// A connected socket, which the caller must close. While likesd's backlog is full this waits for up to `timeoutMs`
    /// milliseconds.
    /// - Throws: `pathTooLong`, `noSocket` or `notConnected`.
    public static func connected(to path: String, timeoutMs: Int64) throws(SocketError) -> Int32 {
        try connected(to: path, flags: 0) { descriptor in
            var wait = timeval(tv_sec: Int(timeoutMs / 1_000), tv_usec: Int(timeoutMs % 1_000) * 1_000)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// The same without waiting, for a loop of the caller's: if the backlog is full, it throws `notConnected` with
    /// `EAGAIN`. Neither reading nor writing the socket ever waits.
    /// - Throws: `pathTooLong`, `noSocket` or `notConnected`.
    public static func connectedAtOnce(to path: String) throws(SocketError) -> Int32 {
        try connected(to: path, flags: Int32(SOCK_NONBLOCK.rawValue)) { _ in }
    }

    private static func connected(
        to path: String, flags: Int32, prepare: (Int32) -> Void
    ) throws(SocketError) -> Int32 {
        guard path.utf8.count <= pathBytesMax else { throw .pathTooLong(bytes: path.utf8.count) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw .noSocket(errno) }
        prepare(descriptor)
        let code = connect(descriptor, to: path)
        guard code == 0 else {
            close(descriptor)
            throw .notConnected(code)
        }
        return descriptor
    }

    /// 0, or the `errno` of connect(2).
    private static func connect(_ descriptor: Int32, to path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return outcome == 0 ? 0 : errno
    }
}
