import CLinux
import Glibc

/// Who is at the other end of a client's socket.
enum Peer {
    /// Whether it was root or the daemon's own user who connected. In the unit's user namespace (PrivateUsers=) these
    /// two keep their numbers, and everybody else is `nobody`: no other uid can be told apart there.
    static func isAdministrator(_ descriptor: Int32) -> Bool {
        var peer = peer_credentials()
        guard get_peer_credentials(descriptor, &peer) == 0 else { return false }
        return peer.uid == 0 || peer.uid == geteuid()
    }
}
