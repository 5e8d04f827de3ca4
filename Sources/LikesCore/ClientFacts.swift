import LikesProtocol

/// What the connecting process may do beyond what everyone may.
package struct PeerRights: Sendable {
    package var mayReload: Bool
    /// It may connect even if MAX_CONNECTIONS is reached, up to `Limits.administratorConnectionsMax` such clients.
    package var getsInWhenFull: Bool
    /// The sharer that the connection is counted for; nil: no share limits it.
    package var sharer: Sharer?

    package static let none = PeerRights(mayReload: false, getsInWhenFull: false)

    package init(mayReload: Bool, getsInWhenFull: Bool, sharer: Sharer? = nil) {
        self.mayReload = mayReload
        self.getsInWhenFull = getsInWhenFull
        self.sharer = sharer
    }
}

/// What a client said about itself in its handshake, and what it was given.
package struct ClientFacts: Equatable, Sendable {
    /// The most bytes in a name, library name or library version: each connection keeps them.
    package static let nameBytesMax = 256

    /// 1 or more, unique while the daemon runs.
    package let id: Int64
    /// From CLIENT SETNAME or HELLO SETNAME; empty: none.
    package var name = ""
    /// From CLIENT SETINFO LIB-NAME.
    package var libraryName = ""
    /// From CLIENT SETINFO LIB-VER.
    package var libraryVersion = ""
    /// The version in force once all earlier replies have been sent.
    package var version = ProtocolVersion.resp2

    /// A new connection, which speaks RESP2 and has no name.
    package init(id: Int64) { self.id = id }

    /// RESET: everything is as on a new connection, except the library's name and version, as in Redis.
    package mutating func reset() {
        name = ""
        version = .resp2
    }

    /// The line of CLIENT LIST and CLIENT INFO, with the fields of Redis that apply to likesd.
    var line: String {
        "id=\(id) addr=unix:0 name=\(name) flags=N db=0 user=default resp=\(version.rawValue)"
            + " lib-name=\(libraryName) lib-ver=\(libraryVersion)\n"
    }

    /// The text of a name; nil if it has blanks, control bytes or anything but ASCII, which would break `line`, or if
    /// it is longer than `nameBytesMax`.
    static func nameText(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= nameBytesMax, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
