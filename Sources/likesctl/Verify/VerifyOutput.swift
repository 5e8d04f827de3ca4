import Glibc
import LikesProtocol
import LikesctlCommands

/// Where `verify` says what it finds: lines on standard output, and its progress on standard error, which on a terminal
/// is one line that is renewed.
struct VerifyOutput {
    /// Milliseconds between two words of progress.
    private static let progressEveryMs: Int64 = 500
    private static let terminalEveryMs: Int64 = 100

    private let showsProgress: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var progressMs: Int64 = 0
    private var isLineOpen = false

    init(_ options: VerifyOptions) { showsProgress = !options.isQuiet && (isTerminal || options.showsProgress) }

    mutating func print(_ line: String) throws(Failure) {
        closeLine()
        guard SystemCalls.write(ForeignText.escaped(line, lines: true) + "\n", to: STDOUT_FILENO) else {
            throw Failure(.output, "the output could not be written: \(SystemCalls.text(of: errno))")
        }
    }

    mutating func warn(_ text: String) {
        closeLine()
        // Whoever can't be told here learns it from the exit status.
        _ = SystemCalls.write("likesctl: \(text)\n", to: STDERR_FILENO)
    }

    /// Says how far it is, not more often than is good. `always`: the last word of a part.
    mutating func progress(_ text: () -> String, always: Bool) {
        guard showsProgress else { return }
        let nowMs = SystemCalls.nowMs()
        let everyMs = isTerminal ? Self.terminalEveryMs : Self.progressEveryMs
        guard always || nowMs - progressMs >= everyMs else { return }
        progressMs = nowMs
        // Progress that can't be shown is no reason to end.
        _ = SystemCalls.write(isTerminal ? "\r\u{1B}[K\(text())" : text() + "\n", to: STDERR_FILENO)
        isLineOpen = isTerminal
    }

    mutating func closeLine() {
        guard isLineOpen else { return }
        isLineOpen = false
        _ = SystemCalls.write("\r\u{1B}[K", to: STDERR_FILENO)
    }
}
