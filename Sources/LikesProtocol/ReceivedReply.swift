/// A RESP2 reply as a client reads it off the wire.
public enum ReceivedReply: Equatable, Sendable {
    /// `+text`.
    case simple([UInt8])
    /// `-CODE message`, without the dash.
    case error([UInt8])
    /// `:number`.
    case integer(Int64)
    /// `$length`, then the bytes.
    case bulk([UInt8])
    /// `$-1` and `*-1`.
    case null
    /// `*count`, then the elements.
    case array([ReceivedReply])

    /// The text of a simple or bulk reply, with bytes that are not UTF-8 replaced; nil for any other reply.
    public var text: String? {
        switch self {
        case .simple(let bytes), .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .error, .integer, .null, .array: nil
        }
    }
}
