import LikesStorage

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
    /// migrate: print the statements instead of executing them.
    var printsSQL = false
    /// migrate: what `user_likes` is divided into where it is made; nil: nothing.
    var partitions: Partitions?
    var verify = VerifyOptions()
    var bench = BenchOptions()

    /// Takes the arguments behind the program's name. Options may stand anywhere, up to a `--`.
    init(_ words: [String]) throws(Failure) {
        var command: Command?
        var arguments: [String] = []
        var wantsHelp = false
        var wantsVersion = false
        var optionsEnded = false
        // Options that mean something to some commands alone, applied once the command is known.
        var own: [(name: String, value: String?)] = []
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
            case _ where Self.ownFlags.contains(name): own.append((name, nil))
            case _ where Self.ownNames.contains(name):
                own.append((name, try Self.value(of: name, attached, &rest)))
            default:
                let hint = Int64(word) == nil ? "" : ": ids are whole numbers, 0 or more"
                throw Self.wrong("there is no option '\(word)'\(hint)", command)
            }
            let takesNoValue = ["--help", "--version", "--json"].contains(name) || Self.ownFlags.contains(name)
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
            for option in own { try set(option.name, option.value, of: command) }
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
        if printsSQL, json { throw Self.wrong("--sql prints SQL: it takes no --json", command) }
        if command == .verify { try verify.check() }
        if command == .bench { try bench.check() }
        if json, !command.hasJSON {
            throw Self.wrong("\(command.rawValue) prints Prometheus' own format: it takes no --json", command)
        }
    }

    private static let sqlFlag = "--sql"
    private static let ownFlags = VerifyOptions.flags.union(BenchOptions.flags).union([sqlFlag])
    private static let partitionsName = "--partitions"
    private static let ownNames = VerifyOptions.names.union(BenchOptions.names).union([partitionsName])

    /// `value`: nil for a flag.
    private mutating func set(_ name: String, _ value: String?, of command: Command) throws(Failure) {
        switch (command, value) {
        case (.migrate, nil) where name == Self.sqlFlag: printsSQL = true
        case (.migrate, let value?) where name == Self.partitionsName:
            let range = Int64(Partitions.countMin)...Int64(Partitions.countMax)
            partitions = Partitions(Int(try OptionValue.whole(name, value, range)))
        case (.verify, nil) where VerifyOptions.flags.contains(name): verify.set(flag: name)
        case (.verify, let value?) where VerifyOptions.names.contains(name): try verify.set(name, to: value)
        case (.bench, nil) where BenchOptions.flags.contains(name): bench.set(flag: name)
        case (.bench, let value?) where BenchOptions.names.contains(name): try bench.set(name, to: value)
        default: throw Self.wrong("\(command.rawValue) takes no \(name)", command)
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
