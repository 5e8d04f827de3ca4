import LikesSettings

/// What likesctl can be told to do with the settings of the daemon.
package enum LikesctlTask: Sendable {
    case migrate, verify
    /// `migrate --adopt`
    case adopt
    /// `verify --repair`
    case repair

    var words: String {
        switch self {
        case .migrate: "migrate"
        case .adopt: "migrate --adopt"
        case .verify: "verify"
        case .repair: "verify --repair"
        }
    }

    /// The settings that it uses. Only verify looks into Redis, and only migrate adds item types.
    var settings: [Setting] {
        switch self {
        case .migrate, .adopt: [.databaseURL, .itemTypes]
        case .verify, .repair: [.databaseURL, .redisURL]
        }
    }
}

/// A command of likesctl to copy, and in words what its environment must hold: passwords are never repeated.
package struct LikesctlAdvice: Equatable, Sendable {
    let command: String
    private let environment: String?

    /// `secrets`: variables that the command needs and does not show.
    init(_ command: String, secrets: [String] = []) {
        self.command = command
        environment =
            secrets.isEmpty ? nil : "with the same \(secrets.joined(separator: " and ")) in the environment"
    }

    // The command comes last: nobody is to copy other words along with it.

    package var text: String { text(command) }

    /// Behind a command that has to come first.
    func text(after other: String) -> String { text("\(other) && \(command)") }

    private func text(_ command: String) -> String { environment.map { "\($0), run \(command)" } ?? command }

    /// As what is to follow something else.
    package var sequel: String {
        environment.map { "then, \($0), run \(command)" } ?? "then run \(command)"
    }
}
