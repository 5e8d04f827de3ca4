/// A reply before it is encoded for the connection's protocol version.
public enum Reply: Equatable, Sendable {
    case integer(Int64)
    /// LIKE, UNLIKE: an array of `changed` (1 or 0) and `count`.
    case change(changed: Bool, count: Int64)
    case integers([Int64])
    /// `+text`; without CR and LF.
    case simple(String)
    case bulk([UInt8])
    case null
    case array([Reply])
    /// Keys and values in turn; a flat array in RESP2, a map in RESP3.
    case map([Reply])
    /// The answer to HELLO: switches the connection to `version`, then is encoded as a map.
    case hello(version: ProtocolVersion, fields: [Reply])
    /// The answer to RESET: `+RESET`, and the connection is back at RESP2.
    case reset
    case error(ErrorReply)

    /// `+OK`.
    public static let ok = Reply.simple("OK")
    /// A bulk string of the text's UTF-8.
    public static func text(_ text: String) -> Reply { .bulk(Array(text.utf8)) }
}

/// The versions of RESP a connection can speak.
public enum ProtocolVersion: UInt8, Sendable {
    case resp2 = 2
    case resp3 = 3
}
