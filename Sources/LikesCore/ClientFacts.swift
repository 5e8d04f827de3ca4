import LikesProtocol

/// What the one who connected may do beyond what everybody may.
package struct PeerRights: Sendable {
    package var mayReload: Bool
    /// Over MAX_CONNECTIONS, too, by `Limits.administratorConnectionsMax` connections in all.
    package var getsInWhenFull: Bool
    /// Whose share of the connections it takes; nil: it is bound by none.
    package var sharer: Sharer?

    package static let none = PeerRights(mayReload: false, getsInWhenFull: false)

    package init(mayReload: Bool, getsInWhenFull: Bool, sharer: Sharer? = nil) {
        self.mayReload = mayReload
        self.getsInWhenFull = getsInWhenFull
        self.sharer = sharer
    }
}

/// What a client told about itself during its handshake, and what it is told back.
package struct ClientFacts: Equatable, Sendable {
    /// Bytes of a name, library name or library version: it is kept for every connection.
    package static let nameBytesMax = 256

    /// 1 or more, unique while the daemon runs.
    package let id: Int64
    /// From CLIENT SETNAME or HELLO SETNAME; empty: none.
    package var name = ""
    /// From CLIENT SETINFO LIB-NAME.
    package var libraryName = ""
    /// From CLIENT SETINFO LIB-VER.
    package var libraryVersion = ""
    /// The version in force once the replies before have gone out.
    package var version = ProtocolVersion.resp2

    /// A new connection, which speaks RESP2 and has no name.
    package init(id: Int64) { self.id = id }

    /// RESET: the connection is as new, but for what its library is, as in Redis.
    package mutating func reset() {
        name = ""
        version = .resp2
    }

    /// The line of CLIENT LIST and CLIENT INFO, in Redis' fields as far as they mean something here.
    var line: String {
        "id=\(id) addr=unix:0 name=\(name) flags=N db=0 user=default resp=\(version.rawValue)"
            + " lib-name=\(libraryName) lib-ver=\(libraryVersion)\n"
    }

    /// The text of a name, nil when it holds blanks, control bytes or what is not ASCII (it would break `line`), or is
    /// over `nameBytesMax`.
    static func nameText(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= nameBytesMax, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
