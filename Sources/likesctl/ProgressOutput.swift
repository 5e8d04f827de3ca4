import Glibc
import LikesProtocol
import LikesctlCommands

/// Prints what a long command finds to standard output, and its progress to standard error. On a terminal the progress
/// is one line that is renewed.
struct ProgressOutput {
    /// Milliseconds between two lines of progress.
    private static let progressEveryMs: Int64 = 500
    private static let terminalEveryMs: Int64 = 100

    private let showsProgress: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var progressMs: Int64 = 0
    private var isLineOpen = false

    /// `showsProgress`: even if standard error is no terminal.
    init(showsProgress: Bool, isQuiet: Bool = false) {
        self.showsProgress = !isQuiet && (isTerminal || showsProgress)
    }

    mutating func print(_ line: String) throws(Failure) {
        closeLine()
        guard SystemCalls.write(ForeignText.escaped(line, lines: true) + "\n", to: STDOUT_FILENO) else {
            throw Failure(.output, "the output could not be written: \(SystemCalls.text(of: errno))")
        }
    }

    mutating func warn(_ warning: Warning) {
        closeLine()
        warning.tell()
    }

    /// Shows how far it is, at a limited rate. `always`: the last line of a part.
    mutating func progress(_ text: () -> String, always: Bool) {
        guard showsProgress else { return }
        let nowMs = SystemCalls.nowMs()
        let everyMs = isTerminal ? Self.terminalEveryMs : Self.progressEveryMs
        guard always || nowMs - progressMs >= everyMs else { return }
        progressMs = nowMs
        // Failing to show progress is no reason to end.
        _ = SystemCalls.write(isTerminal ? "\r\u{1B}[K\(text())" : text() + "\n", to: STDERR_FILENO)
        isLineOpen = isTerminal
    }

    mutating func closeLine() {
        guard isLineOpen else { return }
        isLineOpen = false
        _ = SystemCalls.write("\r\u{1B}[K", to: STDERR_FILENO)
    }
}
