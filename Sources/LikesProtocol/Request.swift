/// A request that was understood, in either form.
public enum Request: Equatable, Sendable {
    /// LIKE: the user likes the item from now on.
    case like(Pair)
    /// UNLIKE: the user no longer likes the item.
    case unlike(Pair)
    /// COUNT: how many users like the item.
    case count(Item)
    /// MCOUNT: 1 … `WireLimits.itemsPerRequestMax` items. `withCached`: behind each count, whether it came from a
    /// cache.
    case mcount([Item], withCached: Bool = false)
    /// LIKED: whether the user likes the item.
    case liked(Pair)
    /// MLIKED: 1 … `WireLimits.itemsPerRequestMax` items.
    case mliked(user: Int64, items: [Item])
    /// LIKES: what the user likes.
    case likes(LikesQuery)
    /// LIKERS: who likes the item.
    case likers(LikersQuery)
    /// HEALTH: whether likesd and its backends are healthy.
    case health
    /// INFO with the section asked for, lower case; empty for all.
    case info(section: String)
    /// METRICS: all figures in Prometheus' text format.
    case metrics
    /// RELOAD: read the configuration file again and apply it.
    case reload
    /// PING, with the text to answer instead of PONG.
    case ping([UInt8]?)
    /// ECHO: answer these bytes.
    case echo([UInt8])
    /// QUIT: answer `+OK`, then close.
    case quit
    /// RESET: the connection is as if it were new.
    case reset
    /// What clients send on their own when they connect: HELLO, CLIENT, COMMAND, SELECT, CONFIG; the arguments without
    /// the verb.
    case handshake(HandshakeVerb, [[UInt8]])
    /// Well framed but wrong; it is answered with the error, and the connection stays open.
    case invalid(ErrorReply)
}

/// The verbs of `Request.handshake`.
public enum HandshakeVerb: Sendable {
    /// HELLO: which version of RESP to speak.
    case hello
    /// CLIENT: names of the connection and of its library.
    case client
    /// COMMAND: which verbs there are.
    case command
    /// SELECT: chooses the database; there is only one.
    case select
    /// CONFIG: settings, as clients of Redis ask for them.
    case config
}
