/// An error as the caller sees it: the code says what it may assume, the message what to do.
public struct ErrorReply: Error, Equatable, Sendable {
    /// What the caller may assume.
    public var code: ErrorCode
    /// One line of text without CR and LF.
    public var message: String

    /// Joins a code and a message.
    public init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// The first word of an error reply. Clients decide by it alone: messages may change.
public enum ErrorCode: String, Sendable, CaseIterable {
    /// The request is wrong. Nothing was stored.
    case err = "ERR"
    /// Over the rate limit. Nothing was stored.
    case rateLimited = "RATELIMITED"
    /// likesd is at a limit of its own. Nothing was stored.
    case busy = "BUSY"
    /// PostgreSQL can't be reached or takes no writes. Nothing was stored.
    case unavailable = "UNAVAILABLE"
    /// The caller may not do this. Nothing was done.
    case noPermission = "NOPERM"
    /// RELOAD found the configuration wrong. Nothing was changed.
    case configuration = "CONFIG"
    /// Sent to PostgreSQL, no outcome known: repeat, or ask LIKED.
    case uncertain = "UNCERTAIN"
    /// HELLO with a protocol version that does not exist.
    case noProto = "NOPROTO"
}

/// An error reply as a client received it: the code may be one that this version does not know.
package struct ReceivedError: Equatable, Sendable {
    /// The first word.
    package let word: String
    /// What follows it.
    package let message: String

    /// Both, as they came.
    package var text: String { message.isEmpty ? word : word + " " + message }

    /// The code; nil: this version knows no such code.
    package var code: ErrorCode? { ErrorCode(rawValue: word) }

    /// Takes `CODE message`, without the dash; bytes that are not UTF-8 are replaced.
    package init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let end = text.firstIndex(of: " ") ?? text.endIndex
        word = String(text[..<end])
        message = String(text[end...].dropFirst())
    }
}
