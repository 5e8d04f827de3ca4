import CLinux
import Glibc
import LikesCore

/// Who is at the other end of a client's socket.
enum Peer {
    /// Root and the daemon's own user may reload. In the unit's user namespace (PrivateUsers=) these two keep their
    /// numbers, and everybody else is `nobody`: no other uid can be told apart there.
    ///
    /// `isActivated`: systemd runs the daemon, as a user that is nobody else. Then these two are no applications, and
    /// get in when all connections are taken.
    static func rights(_ descriptor: Int32, isActivated: Bool) -> PeerRights {
        var peer = peer_credentials()
        guard get_peer_credentials(descriptor, &peer) == 0, peer.uid == 0 || peer.uid == geteuid() else { return .none }
        return PeerRights(mayReload: true, getsInWhenFull: isActivated)
    }
}
