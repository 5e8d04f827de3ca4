/// Why a configuration was refused: everything that is wrong with it, in the order it was read.
package struct ConfigurationError: Error, Equatable, Sendable {
    package var problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    /// One line for each problem, without an ending newline.
    package var text: String { problems.map(\.text).joined(separator: "\n") }
}

/// One thing wrong with a configuration, and where.
package struct ConfigurationProblem: Equatable, Sendable {
    /// Where a value came from.
    package enum Origin: Equatable, Sendable {
        /// The file as a whole.
        case file(name: String)
        /// A line of the file, counted from 1.
        case line(file: String, number: Int)
        case environment
    }
    package var origin: Origin
    /// What is wrong and what is allowed; one line, and never a secret.
    package var message: String

    package init(_ origin: Origin, _ message: String) {
        self.origin = origin
        self.message = message
    }

    /// `/etc/likesd/likesd.conf:12: RATE_LIMIT_REQUESTS: 'abc' is not allowed: …`
    package var text: String {
        switch origin {
        case .file(let name): "\(name): \(message)"
        case .line(let file, let number): "\(file):\(number): \(message)"
        case .environment: "environment: \(message)"
        }
    }
}

/// Why one value was refused.
struct RefusedValue: Error, Equatable {
    /// What a value has to look like, or what is wrong with this one; never a part of a secret.
    var rule: String
}
