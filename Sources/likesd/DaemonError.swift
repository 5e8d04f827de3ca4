import Glibc

/// The daemon's exit status; those from 64 up are from sysexits.h.
enum ExitStatus: Int32 {
    case success = 0
    case failure = 1
    case usage = 64
    case configuration = 78
}

/// Why the daemon cannot start or continue: written to standard error, with what to do.
struct DaemonError: Error {
    var message: String
    var status: ExitStatus

    init(_ message: String, _ status: ExitStatus = .failure) {
        self.message = message
        self.status = status
    }

    /// The operating system refused something; `code` is an errno.
    init(doing: String, code: Int32) { self.init("\(doing): \(DaemonError.text(code))") }

    /// An errno in words.
    static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
}
