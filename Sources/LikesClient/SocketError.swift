import LikesProtocol

/// Why a socket of likesd gave no answer. What it means for a request depends on how far that had come.
public enum SocketError: Error, Equatable, Sendable {
    /// The path has this many bytes, more than `UnixSocket.pathBytesMax`. Nothing was sent.
    case pathTooLong(bytes: Int)
    /// The system gave no socket; an `errno`. Nothing was sent.
    case noSocket(Int32)
    /// Nobody could be connected to; the `errno` of connect(2). Nothing was sent.
    case notConnected(Int32)
    /// No answer came in time.
    case timedOut
    /// The other side closed the connection before it had answered.
    case closed
    /// The connection failed; an `errno`.
    case failed(Int32)
    /// What came is no reply, or is too long to be one of likesd's.
    case notUnderstood(ReplyFault)

    /// One word for the kind, for logs and programs: `notConnected`, `timedOut` and so on.
    public var code: String {
        switch self {
        case .pathTooLong: "pathTooLong"
        case .noSocket: "noSocket"
        case .notConnected: "notConnected"
        case .timedOut: "timedOut"
        case .closed: "closed"
        case .failed: "failed"
        case .notUnderstood: "notUnderstood"
        }
    }

    /// The error in words.
    public var text: String {
        switch self {
        case .pathTooLong(let bytes):
            "a socket's path has at most \(UnixSocket.pathBytesMax) bytes, this one has \(bytes)"
        case .noSocket(let code): "cannot create a socket: \(SystemCalls.text(of: code))"
        case .notConnected(let code): SystemCalls.text(of: code)
        case .timedOut: "no answer in time"
        case .closed: "it closed the connection"
        case .failed(let code): SystemCalls.text(of: code)
        case .notUnderstood(let fault): "the answer does not come from likesd: \(fault.text)"
        }
    }
}
