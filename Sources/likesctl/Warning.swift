import Glibc
import LikesProtocol
import LikesctlCommands

/// Something that kept a command from looking at everything, although it went on.
struct Warning: Equatable {
    var message: String
    var next: String?

    /// For people, on one line.
    var text: String { NextStep.joined(message, next) }

    /// For programs: like an error, but without a code.
    var json: JSON {
        .object([("warning", members)])
    }

    var members: JSON {
        .object([("message", .string(message)), ("next", next.map { .string($0) } ?? .null)])
    }

    /// Tells people at once. If it cannot be written, the exit status or the summary still says it.
    func tell() {
        _ = SystemCalls.write("likesctl: \(ForeignText.escaped(text))\n", to: STDERR_FILENO)
    }
}

extension [Warning] {
    /// The error of a command whose result they make incomplete.
    var incompleteness: Failure {
        let steps = compactMap(\.next)
        return Failure(
            .incomplete, map(\.message).joined(separator: "\n"),
            next: steps.isEmpty ? nil : steps.joined(separator: "; "))
    }
}
