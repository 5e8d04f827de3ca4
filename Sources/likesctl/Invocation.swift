/// What the command line asks for.
struct Invocation: Equatable {
    enum Task: Equatable {
        case help(Command?)
        case version
        case run(Command, arguments: [String])
    }
    var task: Task
    var socketPath: String?
    var configFile: String?
    var json = false
    var verify = VerifyOptions()

    /// Takes the arguments behind the program's name. Options may stand anywhere, up to a `--`.
    init(_ words: [String]) throws(Failure) {
        var command: Command?
        var arguments: [String] = []
        var wantsHelp = false
        var wantsVersion = false
        var optionsEnded = false
        task = .help(nil)
        var rest = words[...]

        while let word = rest.popFirst() {
            let (name, attached) = Self.parted(word)
            switch name {
            case _ where optionsEnded || !word.hasPrefix("-") || word == "-":
                if command != nil {
                    arguments.append(word)
                } else if word == "help" {
                    wantsHelp = true
                } else {
                    command = try Self.command(word)
                }
            case "--": optionsEnded = true
            case "-h", "--help": wantsHelp = true
            case "-V", "--version": wantsVersion = true
            case "--json": json = true
            case "--socket": socketPath = try Self.value(of: name, attached, &rest)
            case "--config": configFile = try Self.value(of: name, attached, &rest)
            case _ where VerifyOptions.flags.contains(name): verify.set(flag: name)
            case _ where VerifyOptions.names.contains(name):
                try verify.set(name, to: try Self.value(of: name, attached, &rest))
            default:
                let hint = Int64(word) == nil ? "" : ": ids are whole numbers, 0 or more"
                throw Self.wrong("there is no option '\(word)'\(hint)", command)
            }
            let takesNoValue = ["--help", "--version", "--json"].contains(name) || VerifyOptions.flags.contains(name)
            if attached != nil, takesNoValue {
                throw Self.wrong("\(name) takes no value", command)
            }
        }
        if wantsHelp {
            task = .help(command)
        } else if wantsVersion {
            task = .version
        } else {
            guard let command else {
                throw Failure(.usage, "say what to do: 'likesctl --help' lists the commands")
            }
            try check(command, arguments)
            task = .run(command, arguments: arguments)
        }
    }

    private func check(_ command: Command, _ arguments: [String]) throws(Failure) {
        guard command.argumentCounts.contains(arguments.count) else {
            let what =
                command.argumentCounts.lowerBound > arguments.count ? "an argument is missing" : "too many arguments"
            throw Self.wrong(what, command)
        }
        if command.readsConfiguration, socketPath != nil {
            throw Self.wrong(
                "\(command.rawValue) talks to PostgreSQL, not to the daemon: it takes no --socket", command)
        }
        if !command.readsConfiguration, configFile != nil {
            throw Self.wrong(
                "--config is for migrate and verify alone: name the daemon's socket with --socket", command)
        }
        if command == .verify {
            try verify.check()
        } else if verify != VerifyOptions() {
            throw Self.wrong("\(command.rawValue) takes none of verify's options", command)
        }
        if json, !command.hasJSON {
            throw Self.wrong("\(command.rawValue) prints Prometheus' own format: it takes no --json", command)
        }
    }

    private static func command(_ word: String) throws(Failure) -> Command {
        guard let command = Command(rawValue: word.lowercased()) else {
            let names = Command.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.usage, "there is no command '\(word)': there are \(names)")
        }
        return command
    }

    /// `--name=value` in its two parts.
    private static func parted(_ word: String) -> (name: String, value: String?) {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    private static func value(
        of name: String, _ attached: String?, _ rest: inout ArraySlice<String>
    ) throws(Failure) -> String {
        guard let value = attached ?? rest.popFirst(), !value.isEmpty else {
            throw Failure(.usage, "\(name) needs a value: 'likesctl --help' tells more")
        }
        return value
    }

    private static func wrong(_ what: String, _ command: Command?) -> Failure {
        Failure(.usage, what + "\nusage: " + (command?.usage ?? "likesctl COMMAND [OPTION…] [ARGUMENT…]"))
    }
}
