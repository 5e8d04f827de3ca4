import CLinux
import Glibc
import LikesCore
import LikesHost

/// Who is at the other end of a client's socket.
enum Peer {
    /// Root and the daemon's own user may reload. In the unit's user namespace (PrivateUsers=) these two keep their
    /// numbers, and everybody else is `nobody`: no other uid can be told apart there.
    ///
    /// `isActivated`: systemd runs the daemon, as a user of its own. Then no application runs as one of these two
    /// users, so they get in when all connections are taken.
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

    /// The number that the kernel shows for users that the namespace does not know.
    private static let overflowUser: UInt32 = 65_534

    /// Whether there is no user namespace in between. Then the number above is a real user, `nobody`.
    private static let seesAllUsers: Bool = {
        guard let map = try? TextFile.read("/proc/self/uid_map", bytesMax: EdgeLimits.cgroupFileBytesMax) else {
            return true
        }
        let numbers = String(decoding: map, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return numbers == ["0", "0", "4294967295"]
    }()
}
