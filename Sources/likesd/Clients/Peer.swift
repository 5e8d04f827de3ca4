import CLinux
import Glibc
import LikesCore
import LikesHost

/// Who is at the other end of a client's socket.
enum Peer {
    /// Root and the daemon's own user may reload. In the unit's user namespace (PrivateUsers=) these two keep their
    /// numbers, and everybody else is `nobody`: no other uid can be told apart there.
    ///
    /// `isActivated`: systemd runs the daemon, as a user that is nobody else. Then these two are no applications, and
    /// get in when all connections are taken.
    static func rights(_ descriptor: Int32, isActivated: Bool) -> PeerRights {
        var peer = peer_credentials()
        guard get_peer_credentials(descriptor, &peer) == 0 else { return .none }
        guard peer.uid == 0 || peer.uid == geteuid() else {
            let isKnown = peer.uid != overflowUser || seesAllUsers
            let sharer = isKnown ? Sharer.user(peer.uid) : .process(peer.pid)
            return PeerRights(mayReload: false, getsInWhenFull: false, sharer: sharer)
        }
        return PeerRights(mayReload: true, getsInWhenFull: isActivated)
    }

    /// The number that the kernel gives for those whom the namespace does not know.
    private static let overflowUser: UInt32 = 65_534

    /// Whether no user namespace stands between: then the number above is a user of its own, `nobody`.
    private static let seesAllUsers: Bool = {
        guard let map = try? TextFile.read("/proc/self/uid_map", bytesMax: EdgeLimits.cgroupFileBytesMax) else {
            return true
        }
        let numbers = String(decoding: map, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return numbers == ["0", "0", "4294967295"]
    }()
}
