import LikesProtocol

/// What the process that connected may do beyond what everyone may.
package struct PeerRights: Sendable {
    package var mayReload: Bool
    /// It may connect even when MAX_CONNECTIONS is reached, within `Limits.administratorConnectionsMax` in all.
    package var getsInWhenFull: Bool
    /// Whose share of the connections it counts towards; nil: no share limits it.
    package var sharer: Sharer?

    package static let none = PeerRights(mayReload: false, getsInWhenFull: false)

    package init(mayReload: Bool, getsInWhenFull: Bool, sharer: Sharer? = nil) {
        self.mayReload = mayReload
        self.getsInWhenFull = getsInWhenFull
        self.sharer = sharer
    }
}

/// What a client said about itself in its handshake, and what it is told in return.
package struct ClientFacts: Equatable, Sendable {
    /// Bytes of a name, library name or library version: each connection keeps them.
    package static let nameBytesMax = 256

    /// 1 or more, unique while the daemon runs.
    package let id: Int64
    /// From CLIENT SETNAME or HELLO SETNAME; empty: none.
    package var name = ""
    /// From CLIENT SETINFO LIB-NAME.
    package var libraryName = ""
    /// From CLIENT SETINFO LIB-VER.
    package var libraryVersion = ""
    /// The version in force once earlier replies have gone out.
    package var version = ProtocolVersion.resp2

    /// A new connection, which speaks RESP2 and has no name.
    package init(id: Int64) { self.id = id }

    /// RESET: everything is as for a new connection except the library's name and version, as in Redis.
    package mutating func reset() {
        name = ""
        version = .resp2
    }

    /// The line of CLIENT LIST and CLIENT INFO, with those of Redis' fields that apply to likesd.
    var line: String {
        "id=\(id) addr=unix:0 name=\(name) flags=N db=0 user=default resp=\(version.rawValue)"
            + " lib-name=\(libraryName) lib-ver=\(libraryVersion)\n"
    }

    /// The text of a name; nil when it holds blanks, control bytes or anything but ASCII, which would break `line`, or
    /// is longer than `nameBytesMax`.
    static func nameText(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= nameBytesMax, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
