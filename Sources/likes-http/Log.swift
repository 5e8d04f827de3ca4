import Glibc
import LikesProtocol
import LikesSettings

/// Writes the log to standard error, one line for each event.
enum Log {
    /// Whether lines begin with syslog's number, which the journal reads. At a terminal they do not.
    private static let isPrefixed = getenv("JOURNAL_STREAM") != nil || isatty(STDERR_FILENO) == 0

    static func write(_ level: LogLevel, _ text: String) {
        line((isPrefixed ? "<\(level.rawValue)>" : "\(level): ") + ForeignText.escaped(text))
    }

    static func line(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        bytes.withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
            while let start = rest.baseAddress, !rest.isEmpty {
                let written = Glibc.write(STDERR_FILENO, start, rest.count)
                // If the log cannot be written, there is nowhere to report it.
                guard written > 0 || errno == EINTR else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[max(0, written)...])
            }
        }
    }
}

/// A line of the log that may repeat: written at once, then at most every `GatewayLimits.logEveryMs`, with how often it
/// came in between.
struct RepeatedLine {
    private var nextAtMs: Int64 = .min
    private var unwritten = 0

    mutating func write(_ level: LogLevel, _ text: String, nowMs: Int64) {
        guard nowMs >= nextAtMs else {
            unwritten += 1
            return
        }
        Log.write(level, unwritten > 0 ? "\(text) (and \(unwritten) times since the last such line)" : text)
        unwritten = 0
        nextAtMs = nowMs + GatewayLimits.logEveryMs
    }
}
