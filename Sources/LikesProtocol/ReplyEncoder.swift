/// Writes replies in the connection's protocol version.
public struct ReplyEncoder: Sendable {
    /// The version in force; `Reply.hello` changes it.
    public private(set) var version: ProtocolVersion = .resp2

    /// A new connection speaks RESP2.
    public init() {}

    /// Appends the encoded reply to `out`.
    public mutating func append(_ reply: Reply, to out: inout [UInt8]) {}
}
