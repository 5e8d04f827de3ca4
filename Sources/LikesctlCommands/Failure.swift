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
    /// PostgreSQL ended the statement because it took too long.
    package var isCancelled = false
    /// A row with the same key was there.
    package var isDuplicate = false
    /// The lines for the terminal, if they are not message and next step.
    private var terminalText: String?

    package init(_ status: ExitStatus, _ message: String, next: String? = nil) {
        self.status = status
        code = status.code ?? ErrorCode.err.rawValue
        self.message = message
        self.next = next
    }

    /// The daemon answered with an error. Its code alone determines the status.
    package init(_ error: ReceivedError) {
        let isAdvised = error.code?.advises ?? false
        let (message, said) = isAdvised ? NextStep.parted(error.message) : (error.message, nil)
        self.init(ExitStatus(error.code), message, next: error.code.map { Self.next($0, said) })
        code = error.word
        // For a wrong request the message is explanation enough; other codes are shown, so that they can be looked up.
        terminalText = error.code == .err ? error.message : error.text
    }

    /// The command line is wrong; `usage` says what is right.
    package init(_ message: String, usage: String) {
        self.init(.usage, message, next: "usage: " + usage)
        terminalText = message + "\nusage: " + usage
    }

    /// What to do about the daemon's error. What its message says fits the case, and the code's own remedy is general.
    /// But where the request is to be repeated, that is the caller's part, and the message speaks to the operator.
    private static func next(_ code: ErrorCode, _ said: String?) -> String {
        let remedy = Markup.plain(code.remedy)
        guard let said else { return remedy }
        return code == .uncertain || code == .busy ? "\(remedy); then: \(said)" : said
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
