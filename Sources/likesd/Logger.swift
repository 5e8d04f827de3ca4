import Glibc
import LikesProtocol
import LikesSettings

/// Writes the log to standard error, one line for each event.
struct Logger {
    private let level: LogLevel
    private let isPrefixed = Logger.isPrefixed

    init(level: LogLevel) { self.level = level }

    /// Whether lines begin with syslog's number, which the journal reads. At a terminal they do not.
    static var isPrefixed: Bool { getenv("JOURNAL_STREAM") != nil || isatty(STDERR_FILENO) == 0 }

    func log(_ level: LogLevel, _ text: String) {
        guard level <= self.level else { return }
        var line = Array((isPrefixed ? "<\(level.rawValue)>" : "\(level): ").utf8)
        line.append(contentsOf: ForeignText.escaped(text).utf8)
        line.append(UInt8(ascii: "\n"))
        StandardError.write(line)
    }
}

/// Standard error without buffers: what was written is out, whatever happens next.
enum StandardError {
    static func write(_ bytes: [UInt8]) {
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

    static func write(_ text: String) { write(Array(text.utf8)) }
}
