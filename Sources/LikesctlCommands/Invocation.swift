import LikesProtocol

/// What the command line asks for.
package struct Invocation: Equatable, Sendable {
    package enum Task: Equatable, Sendable {
        case help(Command?)
        case version
        case run(Command, arguments: [String])
    }
    package let task: Task
    package let options: CommandOptions

    /// A command line that cannot be followed.
    package struct Refusal: Error {
        package let failure: Failure
        /// JSON was asked for: the failure is printed as JSON too.
        package let json: Bool
    }

    /// Takes the arguments behind the program's name. Options may stand anywhere before a `--`.
    package init(_ words: [String]) throws(Refusal) {
        var line = CommandLine()
        do throws(Failure) {
            try line.read(words)
            task = try line.task()
            options = line.options
        } catch {
            throw Refusal(failure: error, json: line.asksForJSON)
        }
    }
}

/// The words of a command line, as far as they are read.
private struct CommandLine {
    private var command: Command?
    /// Where a command must be, there is another word.
    private var commandIsUnknown = false
    private var arguments: [String] = []
    private var startsWithHelp = false
    /// In the order given. Which of them apply is known once the command is.
    private var given: [(option: CommandOption, value: String)] = []
    private(set) var options = CommandOptions()

    var asksForJSON: Bool { has(.json) && command?.takes(.json) ?? true }

    private func has(_ option: CommandOption) -> Bool { given.contains { $0.option.name == option.name } }

    /// Reads all words, also behind a mistake: `--json` may stand there. The first mistake is the one that is told.
    mutating func read(_ words: [String]) throws(Failure) {
        var rest = words[...]
        var optionsEnded = false
        var mistake: Failure?
        while let word = rest.popFirst() {
            do throws(Failure) {
                if optionsEnded || !word.hasPrefix("-") || word == "-" {
                    try readArgument(word)
                } else if word == "--" {
                    optionsEnded = true
                } else {
                    try readOption(word, &rest)
                }
            } catch {
                mistake = mistake ?? error
            }
        }
        if let mistake { throw mistake }
    }

    private mutating func readArgument(_ word: String) throws(Failure) {
        if command != nil || commandIsUnknown {
            arguments.append(word)
        } else if word == "help" {
            startsWithHelp = true
        } else {
            command = Command(rawValue: word.lowercased())
            guard command == nil else { return }
            commandIsUnknown = true
            let names = Command.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.usage, "there is no command '\(word)': there are \(names)")
        }
    }

    mutating func task() throws(Failure) -> Invocation.Task {
        if startsWithHelp || has(.help) { return .help(command) }
        if has(.version) { return .version }
        guard let command else { throw Failure(.usage, "say what to do: 'likesctl --help' lists the commands") }
        for (option, value) in given { try options.set(option.name, to: value, of: command) }
        try check(command)
        return .run(command, arguments: arguments)
    }

    private mutating func readOption(_ word: String, _ rest: inout ArraySlice<String>) throws(Failure) {
        let (name, attached) = Self.parted(word)
        guard let option = CommandOption.named(name) else {
            let hint = Int64(word) == nil ? "" : ": ids are whole numbers, 0 or more"
            throw wrong("there is no option '\(word)'\(hint)")
        }
        guard option.value != nil else {
            guard attached == nil else { throw wrong("\(name) takes no value") }
            given.append((option, ""))
            return
        }
        guard let value = attached ?? rest.popFirst(), !value.isEmpty else {
            throw Failure(.usage, "\(name) needs a value: 'likesctl --help' tells more")
        }
        given.append((option, value))
    }

    private func check(_ command: Command) throws(Failure) {
        let description = command.description
        let counts = description.argumentCounts
        guard counts.contains(arguments.count) else {
            throw wrong(counts.lowerBound > arguments.count ? "an argument is missing" : "too many arguments")
        }
        if let last = description.arguments.last, case .many = last.count {
            let count = arguments.count - (description.arguments.count - 1)
            let countMax = WireLimits.itemsPerRequestMax
            guard count <= countMax else {
                throw Failure(
                    .usage, "\(command.rawValue) takes up to \(countMax) items, not \(count)", next: "ask in parts")
            }
        }
        for (argument, word) in zip(description.arguments, arguments) {
            guard let choices = argument.choices, !choices.offered.contains(word.lowercased()),
                !choices.further.contains(word.lowercased())
            else { continue }
            let offered = choices.offered.joined(separator: ", ")
            throw Failure(.usage, "there is no \(argument.name) '\(word)': there are \(offered)")
        }
        // Another command may have an option of this name, with exclusions of its own.
        let names = Set(given.map(\.option.name))
        for option in description.options where names.contains(option.name) {
            if let other = given.first(where: { option.excluded.contains($0.option.name) }) {
                throw wrong("\(option.name) and \(other.option.name) exclude each other")
            }
        }
        try description.check(options)
    }

    /// Splits `--name=value` in two.
    private static func parted(_ word: String) -> (name: String, value: String?) {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    private func wrong(_ what: String) -> Failure { Self.wrong(what, command) }

    static func wrong(_ what: String, _ command: Command?) -> Failure {
        Failure(what, usage: command?.usage ?? "likesctl COMMAND [OPTION…] [ARGUMENT…]")
    }
}

extension CommandOptions {
    /// Applies one of the command's options; `value` is empty for one without.
    package mutating func set(_ name: String, to value: String, of command: Command) throws(Failure) {
        guard let option = command.description.options.first(where: { $0.name == name }) else {
            let why = CommandOption.named(name).flatMap { command.description.whyNoOthers ?? $0.whyNotElsewhere }
            throw CommandLine.wrong("\(command.rawValue) takes no \(name)" + (why.map { ": \($0)" } ?? ""), command)
        }
        try option.apply(value, &self)
    }
}

extension CommandOption {
    /// The options of all commands by their names. An option takes a value either in all commands that have it or in
    /// none.
    private static let byName: [String: CommandOption] = {
        var found: [String: CommandOption] = [:]
        for option in everywhere + Command.allCases.flatMap(\.description.options) {
            for name in [option.name, option.shortName].compactMap({ $0 }) where found[name] == nil {
                found[name] = option
            }
        }
        return found
    }()

    fileprivate static func named(_ name: String) -> CommandOption? { byName[name] }
}
