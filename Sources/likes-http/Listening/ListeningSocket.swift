import CLinux
import CSystemd
import Glibc
import LikesClient

/// A socket that clients connect to, made here or handed over by systemd.
struct ListeningSocket {
    let descriptor: Int32
    let address: ListenAddress
    /// The file made here, by its inode: only this one is removed at the end. nil: systemd's, or none.
    private let file: (device: dev_t, inode: ino_t)?

    // MARK: Made here

    init(_ address: ListenAddress) throws(GatewayError) {
        switch address {
        case .path(let path, let mode, let group):
            (descriptor, file) = try Self.unix(path, mode: mode, group: group)
            self.address = address
        case .ipv4(let number, let port):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_addr.s_addr = number
            name.sin_port = port.bigEndian
            descriptor = try Self.bound(AF_INET, &name, address.text)
            (file, self.address) = (nil, ListenAddress(of: descriptor) ?? address)
        case .ipv6(let bytes, let port):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: bytes) }
            name.sin6_port = port.bigEndian
            descriptor = try Self.bound(AF_INET6, &name, address.text)
            (file, self.address) = (nil, ListenAddress(of: descriptor) ?? address)
        }
    }

    private static func made(_ family: Int32) throws(GatewayError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw GatewayError(doing: "making a socket", code: errno) }
        return descriptor
    }

    private static func bound<Name>(
        _ family: Int32, _ name: inout Name, _ text: String
    ) throws(GatewayError) -> Int32 {
        let descriptor = try made(family)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        if family == AF_INET6 {
            // Its own family alone: the other one has an address of its own.
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        let status = withUnsafeBytes(of: &name) { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard status == 0 else {
            let code = errno
            let advice =
                switch code {
                case EADDRINUSE: ": stop the program that listens there, or name another port with --listen"
                case EACCES: ": ports below 1024 are root's; name another port with --listen"
                case EADDRNOTAVAIL: ": this host has no such address"
                default: ""
                }
            throw GatewayError("listening at \(text): \(GatewayError.text(code))\(advice)")
        }
        try listen(on: descriptor, text)
        return descriptor
    }

    private static func listen(on descriptor: Int32, _ text: String) throws(GatewayError) {
        guard Glibc.listen(descriptor, GatewayLimits.listenBacklog) == 0 else {
            throw GatewayError(doing: "listening at \(text)", code: errno)
        }
    }

    /// Makes the socket, and replaces one that a dead process left behind.
    private static func unix(
        _ path: String, mode: UInt32, group: String?
    ) throws(GatewayError) -> (Int32, (dev_t, ino_t)?) {
        guard path.utf8.count <= UnixSocket.pathBytesMax else {
            throw Options.wrong("--listen: '\(path)' is longer than \(UnixSocket.pathBytesMax) bytes")
        }
        try clear(path)
        let descriptor = try made(AF_UNIX)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        // Nobody connects before the group is right.
        let previous = umask(0o777)
        let status = withUnsafeBytes(of: &name) { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        let code = errno
        umask(previous)
        guard status == 0 else {
            throw GatewayError("making the socket \(path): \(GatewayError.text(code)): check its directory")
        }
        if let group {
            guard let entry = getgrnam(group) else { throw GatewayError("there is no group '\(group)' for \(path)") }
            guard chown(path, uid_t.max, entry.pointee.gr_gid) == 0 else {
                throw GatewayError(doing: "giving \(path) to the group \(group)", code: errno)
            }
        }
        guard chmod(path, mode) == 0 else { throw GatewayError(doing: "setting the mode of \(path)", code: errno) }
        try listen(on: descriptor, path)
        return (descriptor, identity(of: path))
    }

    /// Removes a socket that a dead process left. Refuses one that is in use, and anything that is no socket.
    private static func clear(_ path: String) throws(GatewayError) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFSOCK else {
            throw GatewayError("\(path) exists and is not a socket: remove it, or name another path")
        }
        do throws(SocketError) {
            close(try UnixSocket.connectedAtOnce(to: path))
        } catch {
            if error == .notConnected(ECONNREFUSED) {
                guard unlink(path) == 0 || errno == ENOENT else {
                    throw GatewayError("removing the stale socket \(path): \(GatewayError.text(errno)): remove it")
                }
                return
            }
        }
        throw GatewayError("another process listens on \(path): stop it (see 'ss -xlp src \(path)')")
    }

    private static func identity(of path: String) -> (device: dev_t, inode: ino_t)? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? (facts.st_dev, facts.st_ino) : nil
    }

    /// Closes the socket and removes its file, if it still is the one made here.
    func end() {
        close(descriptor)
        guard let file, case .path(let path, _, _) = address, let now = Self.identity(of: path) else { return }
        if now == file { unlink(path) }
    }

    // MARK: Handed over

    /// Those that systemd started this process with.
    static func inherited() throws(GatewayError) -> [ListeningSocket] {
        let count = sd_listen_fds(1)
        guard count >= 0 else { throw GatewayError(doing: "taking systemd's sockets", code: -count) }
        var sockets: [ListeningSocket] = []
        for place in 0..<count {
            let descriptor = Int32(SD_LISTEN_FDS_START) + place
            guard sd_is_socket(descriptor, AF_UNSPEC, Int32(SOCK_STREAM.rawValue), 1) > 0,
                let address = ListenAddress(of: descriptor)
            else {
                throw GatewayError("systemd handed over something that is no listening stream socket")
            }
            let flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
                throw GatewayError(doing: "setting up systemd's socket", code: errno)
            }
            sockets.append(ListeningSocket(descriptor: descriptor, address: address, file: nil))
        }
        return sockets
    }

    private init(descriptor: Int32, address: ListenAddress, file: (dev_t, ino_t)?) {
        self.descriptor = descriptor
        self.address = address
        self.file = file
    }
}
