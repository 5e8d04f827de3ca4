/// A request that was understood, whichever of the two forms it came in.
public enum Request: Equatable, Sendable {
    case like(Pair)
    case unlike(Pair)
    case count(Item)
    /// MCOUNT: 1 … `WireLimits.itemsPerRequestMax` items.
    case counts([Item])
    case liked(Pair)
    /// MLIKED: 1 … `WireLimits.itemsPerRequestMax` items.
    case likedMany(user: Int64, items: [Item])
    case health
    /// INFO with the section asked for, lower case; empty for all.
    case info(section: String)
    case metrics
    /// Read the configuration file again and apply it.
    case reload
    case ping([UInt8]?)
    case echo([UInt8])
    case quit
    case reset
    /// What clients send on their own when they connect: HELLO, CLIENT, COMMAND, SELECT, CONFIG; the arguments without
    /// the verb.
    case handshake(HandshakeVerb, [[UInt8]])
    /// Well framed but wrong; answered with the error, the connection stays.
    case invalid(ErrorReply)
}

/// The verbs of `Request.handshake`.
public enum HandshakeVerb: Sendable {
    case hello, client, command, select, config
}
