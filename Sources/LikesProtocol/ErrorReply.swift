/// An error as the caller sees it: the code says what the caller may assume, the message what to do.
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
    /// likesd has reached one of its own limits. Nothing was stored.
    case busy = "BUSY"
    /// PostgreSQL cannot be reached or takes no writes. Nothing was stored.
    case unavailable = "UNAVAILABLE"
    /// The caller may not do this. Nothing was done.
    case noPermission = "NOPERM"
    /// RELOAD found the configuration wrong. Nothing was changed.
    case configuration = "CONFIG"
    /// Sent to PostgreSQL, but the outcome, or only the count, is unknown: repeat, or ask LIKED.
    case uncertain = "UNCERTAIN"
    /// HELLO with a protocol version that does not exist.
    case noProto = "NOPROTO"

    /// What happened. In this text and the next, backquotes surround what is written exactly so.
    package var meaning: String {
        switch self {
        case .err: "the request is wrong; the message names what was wrong and what is allowed"
        case .rateLimited:
            "the user has made more LIKE and UNLIKE requests than `RATE_LIMIT_REQUESTS` in the window; the message "
                + "says how many seconds to wait"
        case .busy: "the daemon has reached one of its limits: requests waiting, connections, or memory for clients"
        case .unavailable: "PostgreSQL cannot be reached or takes no writes"
        case .noPermission: "the caller may not do this; RELOAD is for root and the user likesd runs as"
        case .configuration: "RELOAD found the configuration wrong; the message names file and line of each problem"
        case .uncertain:
            "LIKE and UNLIKE only: the change was sent to PostgreSQL, but its outcome, or only its count, is unknown"
        case .noProto: "HELLO asked for a protocol version other than 2 and 3"
        }
    }

    /// What to do about it.
    package var remedy: String {
        switch self {
        case .err: "correct the request; the same request fails again"
        case .rateLimited: "wait as many seconds as the message says, then repeat"
        case .busy, .unavailable: "repeat a little later"
        case .noPermission: "do it as root or as the user likesd runs as"
        case .configuration: "correct the file and reload again"
        case .uncertain: "repeat the request, or ask LIKED"
        case .noProto: "use `HELLO 2` or `HELLO 3`"
        }
    }

    /// Whether the message may end in a `NextStep`. Those of the other codes are about the request, and repeat its
    /// words.
    package var advises: Bool {
        switch self {
        case .err, .noProto: false
        case .rateLimited, .busy, .unavailable, .noPermission, .configuration, .uncertain: true
        }
    }

    /// Whether the request may have stored something.
    package var mayHaveStored: Bool { self == .uncertain }
}

/// An error reply as a client received it. This version may not know the code.
package struct ReceivedError: Equatable, Sendable {
    /// The first word.
    package let word: String
    /// What follows it.
    package let message: String

    /// Both, as received.
    package var text: String { message.isEmpty ? word : word + " " + message }

    /// The code; nil: this version knows no such code.
    package var code: ErrorCode? { ErrorCode(rawValue: word) }

    /// Takes `CODE message`, without the dash. Bytes that are not UTF-8 are replaced.
    package init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let end = text.firstIndex(of: " ") ?? text.endIndex
        word = String(text[..<end])
        message = String(text[end...].dropFirst())
    }
}
