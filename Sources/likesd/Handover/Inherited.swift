import CSystemd
import Glibc

/// The descriptors that systemd started this process with, by what they are.
struct Inherited {
    /// The sockets of likesd.socket.
    var listening: [Int32] = []
    /// From the descriptor store: the clients of the process before, packed.
    var kept: Int32?

    /// Takes over all of them; what is nothing of these is closed.
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
