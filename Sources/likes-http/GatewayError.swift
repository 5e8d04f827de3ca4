import Glibc

/// How the program ends; statuses from 64 up are from sysexits.h.
enum ExitStatus: Int32 {
    case success = 0
    case failure = 1
    case usage = 64
}

/// Why the program cannot start or go on: written to standard error, with what to do.
struct GatewayError: Error {
    var message: String
    var status: ExitStatus

    init(_ message: String, _ status: ExitStatus = .failure) {
        self.message = message
        self.status = status
    }

    /// The operating system refused something; `code` is an errno.
    init(doing: String, code: Int32) { self.init("\(doing): \(Self.text(code))") }

    /// An errno in words.
    static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
}
