import LikesProtocol

/// What one of likesctl's commands takes and does. Parser, `--help`, completions and likesctl(1) all come from it.
package struct CommandDescription: Sendable {
    /// One argument, or the last one and its repetitions.
    package struct Argument: Sendable {
        package enum Count: Sendable {
            case one, optional, many
        }
        /// In small letters.
        package let name: String
        package let count: Count
        package let completion: Completion
        /// The only values there are, and others that mean something without being offered; nil: any value.
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
        /// Words and what each means.
        case terms([(term: String, meaning: String)])
        /// The list of the command's own options.
        case options
    }

    /// A phrase that says what it does, in the form of `Markup`.
    package let summary: String
    package let arguments: [Argument]
    /// In the order of the usage; its own ones behind those of several commands.
    package let options: [CommandOption]
    /// What more there is to say.
    package let explanation: [Block]
    /// The section of the manual that explains it; nil: the list of commands does.
    package let manualSection: String?
    /// What can't be seen option by option.
    let check: @Sendable (CommandOptions) throws(Failure) -> Void

    init(
        _ summary: String, arguments: [Argument] = [], options: [CommandOption], manualSection: String? = nil,
        check: @escaping @Sendable (CommandOptions) throws(Failure) -> Void = { (_) throws(Failure) in },
        explanation: [Block]
    ) {
        self.summary = summary
        self.arguments = arguments
        self.options = options
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
