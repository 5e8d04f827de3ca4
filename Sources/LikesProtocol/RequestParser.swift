/// Cuts a connection's bytes into requests. Owns no socket and no buffer.
public struct RequestParser: Sendable {
    /// What the bytes held.
    public enum Step: Equatable, Sendable {
        /// No whole request yet; call again with the same bytes and more behind them.
        case incomplete
        /// A request, and how many bytes it took: drop them before the next call.
        case request(Request, bytes: Int)
        /// Blank lines and empty arrays, as Redis ignores them: drop the bytes.
        case nothing(bytes: Int)
        /// The framing is broken: answer with the error, then close.
        case broken(ErrorReply)
    }

    private let types: ItemTypes

    /// A parser for one connection.
    public init(types: ItemTypes) { self.types = types }

    /// Parses the request at the start of `bytes`.
    public mutating func next(in bytes: UnsafeRawBufferPointer) -> Step { .incomplete }
}
