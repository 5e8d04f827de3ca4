import LikesProtocol

/// What one of likesctl's commands takes and does. The parser, `--help`, completions and likesctl(1) all use it.
package struct CommandDescription: Sendable {
    /// One argument, or the last one and its repetitions.
    package struct Argument: Sendable {
        package enum Count: Sendable {
            case one, optional, many
        }
        /// In lower case.
        package let name: String
        package let count: Count
        package let completion: Completion
        /// The only valid values, and further ones that are accepted without being offered; nil: any value.
        package let choices: (offered: [String], further: Set<String>)?

        init(
            _ name: String, _ count: Count = .one, _ completion: Completion = .none,
            choices: (offered: [String], further: Set<String>)? = nil
        ) {
            self.name = name
            self.count = count
            self.completion = choices.map { .words($0.offered) } ?? completion
            self.choices = choices
        }

        /// As the usage shows it.
        package var usage: String {
            switch count {
            case .one: name.uppercased()
            case .optional: "[\(name.uppercased())]"
            case .many: "\(name.uppercased())…"
            }
        }
    }

    /// A part of the explanation.
    package enum Block: Sendable {
        /// A paragraph in the form of `Markup`.
        case text(String)
        /// Lines as they are.
        case lines(String)
        /// Terms and their meanings.
        case terms([(term: String, meaning: String)])
        /// The list of the command's own options.
        case options
    }

    /// A phrase that says what it does, as `Markup`.
    package let summary: String
    package let arguments: [Argument]
    /// In the order of the usage: options of several commands first, then its own.
    package let options: [CommandOption]
    /// Why it takes no option of other commands; nil: each option says so itself.
    package let whyNoOthers: String?
    /// Further explanation.
    package let explanation: [Block]
    /// The section of the manual that explains it; nil: the list of commands does.
    package let manualSection: String?
    /// Checks that concern several options.
    let check: @Sendable (CommandOptions) throws(Failure) -> Void

    init(
        _ summary: String, arguments: [Argument] = [], options: [CommandOption], manualSection: String? = nil,
        whyNoOthers: String? = nil,
        check: @escaping @Sendable (CommandOptions) throws(Failure) -> Void = { (_) throws(Failure) in },
        explanation: [Block]
    ) {
        self.summary = summary
        self.arguments = arguments
        self.options = options
        self.whyNoOthers = whyNoOthers
        self.explanation = explanation
        self.manualSection = manualSection
        self.check = check
    }

    /// Options that no other command explains.
    package var ownOptions: [CommandOption] {
        let shared = Set(CommandOption.shared.map(\.name))
        return options.filter { !shared.contains($0.name) }
    }

    /// How many arguments it takes.
    package var argumentCounts: ClosedRange<Int> {
        let least = arguments.count { $0.count != .optional }
        return least...(arguments.contains { $0.count == .many } ? Int.max : arguments.count)
    }
}
