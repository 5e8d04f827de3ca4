/// One option: its names, its value, its description, and its effect.
package struct CommandOption: Sendable {
    /// `--rate`.
    package let name: String
    /// `-h`.
    package let shortName: String?
    /// The name of its value, in lower case; nil: it takes none.
    package let value: String?
    package let completion: Completion
    /// A phrase for help, manual and completion, as `Markup`.
    package let summary: String
    /// The allowed values; nil: the summary names them.
    package let range: String?
    /// What applies without the option; nil: nothing that could be written as its value.
    package let preset: String?
    /// Whole sentences for help and manual.
    package let details: String?
    /// Options that cannot be combined with this one.
    package let excluded: [String]
    package let mayBeRepeated: Bool
    /// Why it means nothing to other commands, if the name does not say so.
    package let whyNotElsewhere: String?
    let apply: Apply

    /// Applies the option's value, which is empty for an option without one.
    typealias Apply = @Sendable (_ value: String, _ options: inout CommandOptions) throws(Failure) -> Void

    init(
        _ name: String, short shortName: String? = nil, taking value: String? = nil, _ summary: String,
        range: String? = nil, preset: String? = nil, details: String? = nil, excluding excluded: [String] = [],
        mayBeRepeated: Bool = false, whyNotElsewhere: String? = nil, completion: Completion = .none,
        apply: @escaping Apply
    ) {
        self.name = name
        self.shortName = shortName
        self.value = value
        self.completion = completion
        self.summary = summary
        self.range = range
        self.preset = preset
        self.details = details
        self.excluded = excluded
        self.mayBeRepeated = mayBeRepeated
        self.whyNotElsewhere = whyNotElsewhere
        self.apply = apply
    }

    /// As the usage shows it: `--rate N`.
    package var usage: String { value.map { "\(name) \($0.uppercased())" } ?? name }

    /// Everything that help and manual say about it, as `Markup`.
    package var explanation: String {
        let facts = [range, preset.map { "default \($0)" }].compactMap { $0 }.joined(separator: "; ")
        let text =
            summary.prefix(1).uppercased() + summary.dropFirst() + (facts.isEmpty ? "." : " (\(facts)).")
        return details.map { "\(text) \($0)" } ?? text
    }
}

// MARK: The usual kinds

extension CommandOption {
    typealias Path<Value> = WritableKeyPath<CommandOptions, Value> & Sendable

    /// A flag: given or not.
    static func flag(
        _ name: String, short: String? = nil, _ summary: String, details: String? = nil, excluding: [String] = [],
        whyNotElsewhere: String? = nil, _ path: Path<Bool>
    ) -> CommandOption {
        CommandOption(
            name, short: short, summary, details: details, excluding: excluding, whyNotElsewhere: whyNotElsewhere
        ) { (_, options) throws(Failure) in options[keyPath: path] = true }
    }

    /// A whole number that is always there.
    static func whole<Number: BinaryInteger & Sendable>(
        _ name: String, taking value: String, _ summary: String, _ range: ClosedRange<Int64>,
        details: String? = nil, excluding: [String] = [], _ path: Path<Number>
    ) -> CommandOption {
        CommandOption(
            name, taking: value, summary, range: text(of: range), preset: String(CommandOptions()[keyPath: path]),
            details: details, excluding: excluding
        ) { (text, options) throws(Failure) in
            options[keyPath: path] = Number(try OptionValue.whole(name, text, range))
        }
    }

    /// An optional whole number.
    static func whole(
        _ name: String, taking value: String, _ summary: String, _ range: ClosedRange<Int64>,
        details: String? = nil, excluding: [String] = [], _ path: Path<Int64?>
    ) -> CommandOption {
        CommandOption(
            name, taking: value, summary, range: text(of: range), details: details, excluding: excluding
        ) { (text, options) throws(Failure) in options[keyPath: path] = try OptionValue.whole(name, text, range) }
    }

    /// A file.
    static func path(
        _ name: String, taking value: String, _ summary: String, details: String? = nil, whyNotElsewhere: String? = nil,
        _ path: Path<String?>
    ) -> CommandOption {
        CommandOption(
            name, taking: value, summary, details: details, whyNotElsewhere: whyNotElsewhere, completion: .file
        ) { (text, options) throws(Failure) in options[keyPath: path] = text }
    }

    static func text(of range: ClosedRange<Int64>) -> String {
        range.upperBound == Int64.max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
    }
}

/// What a shell offers where a value or an argument is typed.
package enum Completion: Equatable, Sendable {
    /// Nothing that could be guessed.
    case none
    case file
    /// A configured item type.
    case itemType
    /// A configured item type and a colon; the id follows.
    case item
    case words([String])
    /// Words with weights, as in `count=80,like=20`.
    case weights([Weight])

    package struct Weight: Equatable, Sendable {
        package let word: String
        /// A warning to show with it; nil: none.
        package let hint: String?
    }
}
