import LikesProtocol

/// Why the command failed.
package struct Failure: Error, Equatable {
    package var status: ExitStatus
    /// What went wrong, in one word: a code from the daemon, or the status' own.
    package var code: String
    /// What happened; may have several lines.
    package var message: String
    /// What to do about it.
    package var next: String?
    /// PostgreSQL gave the statement up in favour of others: repeating it may well succeed.
    package var isWorthRepeating = false
    /// Somebody held a lock for longer than the statement was allowed to wait.
    package var isLocked = false
    /// The lines for the terminal, if they are not message and next step.
    private var terminalText: String?

    package init(_ status: ExitStatus, _ message: String, next: String? = nil) {
        self.status = status
        code = status.code ?? ErrorCode.err.rawValue
        self.message = message
        self.next = next
    }

    /// `text`: a message that may say behind it what to do.
    package init(_ status: ExitStatus, said text: String) {
        let (message, next) = Self.parted(text)
        self.init(status, message, next: next)
    }

    /// The daemon answered with an error. Its code alone determines the status. What the message says is to be done
    /// fits the case; the code's own remedy is general.
    package init(_ error: ReceivedError) {
        let (message, next) = Self.parted(error.message)
        self.init(ExitStatus(error.code), message, next: next ?? error.code.map { Markup.plain($0.remedy) })
        code = error.word
        // For a wrong request the message is explanation enough; other codes are shown, so that they can be looked up.
        terminalText = error.code == .err ? error.message : error.text
    }

    /// The command line is wrong; `usage` says what is right.
    package init(_ message: String, usage: String) {
        self.init(.usage, message, next: "usage: " + usage)
        terminalText = message + "\nusage: " + usage
    }

    /// What happened, and what to do: `message; next: what to do`.
    private static func parted(_ text: String) -> (message: String, next: String?) {
        guard let mark = text.firstRange(of: "; next: ") else { return (text, nil) }
        return (String(text[..<mark.lowerBound]), String(text[mark.upperBound...]))
    }

    /// What to print for people.
    package var text: String { terminalText ?? message + (next.map { "\nNext: \($0)" } ?? "") }

    /// What to print for programs: every error has this shape.
    package var json: JSON {
        .object([
            (
                "error",
                .object([
                    ("code", .string(code)), ("message", .string(message)), ("next", next.map { .string($0) } ?? .null),
                ])
            )
        ])
    }
}
