/// A reply before it is encoded for the connection's protocol version.
public enum Reply: Equatable, Sendable {
    /// `:number`. A count is 0 or more; LIKED answers 1 or 0.
    case integer(Int64)
    /// LIKE, UNLIKE: an array of `changed` (1 or 0) and `count`.
    case change(changed: Bool, count: Int64)
    /// An array of integers: MCOUNT and MLIKED, in the order of their items; of `MCOUNT … WITHCACHED` two for
    /// each item.
    case integers([Int64])
    /// `+text`; without CR and LF.
    case simple(String)
    /// A bulk string: any bytes.
    case bulk([UInt8])
    /// No value: `$-1` in RESP2, `_` in RESP3.
    case null
    /// An array of any replies.
    case array([Reply])
    /// Keys and values in turn; a flat array in RESP2, a map in RESP3.
    case map([Reply])
    /// The reply to HELLO: switches the connection to `version`, then is encoded as a map.
    case hello(version: ProtocolVersion, fields: [Reply])
    /// The reply to RESET: `+RESET`, and the connection is back at RESP2.
    case reset
    /// `-CODE message`.
    case error(ErrorReply)

    /// `+OK`.
    public static let ok = Reply.simple("OK")
    /// A bulk string of the text's UTF-8.
    public static func text(_ text: String) -> Reply { .bulk(Array(text.utf8)) }
}

/// The versions of RESP a connection can speak.
public enum ProtocolVersion: UInt8, Sendable {
    /// What every connection starts with.
    case resp2 = 2
    /// What HELLO 3 selects: it has maps and nulls.
    case resp3 = 3
}
