import CLinux
import Glibc

/// Any number of descriptors in one: a socket whose queue holds them, as messages that nobody has read yet.
///
/// systemd compares each descriptor that it stores with all others: for 4,096 of them it takes 7 s, in which it does
/// nothing else. For one it takes no time.
enum Parcel {
    /// Packs them. The caller owns the returned descriptor; the packed ones stay open.
    static func packed(_ descriptors: [Int32]) throws(DaemonError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard make_packet_pair(&ends) == 0 else { throw DaemonError(doing: "creating a socket", code: errno) }
        // After this end is closed, a reader of the other one sees the end behind the last message.
        defer { close(ends[0]) }
        var rest = descriptors[...]
        while !rest.isEmpty {
            let message = Array(rest.prefix(EdgeLimits.descriptorsPerMessage))
            guard send_descriptors(ends[0], message, message.count) == 0 else {
                let code = errno
                close(ends[1])
                throw DaemonError(doing: "packing descriptors", code: code)
            }
            rest = rest.dropFirst(message.count)
        }
        return ends[1]
    }

    /// Unpacks all of them, in order. The caller owns them. The system closes those for which this process has no room.
    static func unpacked(_ parcel: Int32) throws(DaemonError) -> [Int32] {
        var descriptors: [Int32] = []
        var message = [Int32](repeating: -1, count: EdgeLimits.descriptorsPerMessage)
        while true {
            var count = 0
            let status = receive_descriptors(parcel, &message, &count)
            if status < 0 && errno == EINTR { continue }
            guard status >= 0 else {
                let code = errno
                for descriptor in descriptors { close(descriptor) }
                throw DaemonError(doing: "unpacking descriptors", code: code)
            }
            guard status > 0 else { return descriptors }
            descriptors += message[..<count]
        }
    }
}
