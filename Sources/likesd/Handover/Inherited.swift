import CSystemd
import Glibc

/// The descriptors that systemd started this process with, by their kinds.
struct Inherited {
    /// The sockets of likesd.socket.
    var listening: [Int32] = []
    /// From the descriptor store: the previous process' clients, packed.
    var kept: Int32?

    /// The descriptor of this name, untouched: `taken` returns it again.
    static func descriptor(named wanted: String) -> Int32? {
        named().first { $0.name == wanted }?.descriptor
    }

    /// The sockets that clients connect to, also untouched.
    static func listeningSockets() -> [Int32] {
        named().map(\.descriptor).filter { sd_is_socket($0, AF_UNIX, Int32(SOCK_STREAM.rawValue), 1) > 0 }
    }

    private static func named() -> [(descriptor: Int32, name: String)] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(0, &names)
        guard count > 0 else { return [] }
        defer {
            for place in 0..<Int(count) { free(names?[place]) }
            free(names)
        }
        return (0..<count).map { place in
            (Int32(SD_LISTEN_FDS_START) + place, names?[Int(place)].map { String(cString: $0) } ?? "")
        }
    }

    /// Takes over all descriptors. Those of no known kind are closed.
    static func taken() throws(DaemonError) -> Inherited {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        guard count >= 0 else { throw DaemonError("taking systemd's sockets: \(DaemonError.text(-count))") }
        defer {
            for place in 0..<Int(count) { free(names?[place]) }
            free(names)
        }
        var inherited = Inherited()
        var hasOthers = false
        for place in 0..<count {
            let descriptor = Int32(SD_LISTEN_FDS_START) + place
            let name = names?[Int(place)].map { String(cString: $0) } ?? ""
            if name == DescriptorStore.name, inherited.kept == nil {
                inherited.kept = descriptor
            } else if name == CrashRecord.name {
                // In use since the start.
                close(descriptor)
            } else if sd_is_socket(descriptor, AF_UNIX, Int32(SOCK_STREAM.rawValue), 1) > 0 {
                inherited.listening.append(descriptor)
            } else {
                hasOthers = true
                close(descriptor)
            }
        }
        guard !hasOthers || !inherited.listening.isEmpty else {
            throw DaemonError("none of systemd's sockets is a Unix stream socket: set ListenStream= to a path")
        }
        return inherited
    }
}
