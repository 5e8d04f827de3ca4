import LikesctlCommands

/// What likesctl's bash completion knows about its commands. The functions set variables of their caller.
enum CommandsBash {
    private static let columns = 118

    static var lines: [String] {
        var lines = ["# shellcheck disable=SC2034 # the caller's", "_likesctl_table() {"]
        lines += assignment("commands", Command.allCases.map(\.rawValue))
        lines += assignment("everywhere", CommandOption.everywhere.map(\.name))
        lines += assignment("takes_value", options.filter { $0.value != nil }.map(\.name))
        lines += ["    case $1 in"] + ownOptions + ["    esac", "}", ""]
        lines += ["_likesctl_offer_value() {", "    case $1 in"] + valuesOffered + ["    esac", "}", ""]
        lines += ["# $1: the command, $2: how many of its arguments are typed."]
        lines += ["_likesctl_offer_argument() {", "    case $1:$2 in"] + argumentsOffered + ["    esac", "}"]
        return lines
    }

    /// The options of all commands, each once.
    private static var options: [CommandOption] {
        var known: Set<String> = []
        return Command.allCases.flatMap(\.description.options).filter { known.insert($0.name).inserted }
    }

    private static var ownOptions: [String] {
        var lines: [String] = []
        for command in Command.allCases {
            lines.append("        \(command.rawValue))")
            lines += assignment("own", command.description.options.map(\.name)).map { "        " + $0 }
            lines.append("            ;;")
        }
        return lines + ["        *) own=\"--socket\" ;;"]
    }

    private static var valuesOffered: [String] {
        options.compactMap { option in
            offer(option.completion, suffix: "\"\"").map { "        \(option.name)) \($0) ;;" }
        }
    }

    private static var argumentsOffered: [String] {
        var lines: [String] = []
        for command in Command.allCases {
            for (place, argument) in command.description.arguments.enumerated() {
                guard let offer = offer(argument.completion, suffix: ":") else { continue }
                let first = String(place)
                let pattern =
                    argument.count != .many ? first : place == 0 ? "*" : "[\(first)-9]*"
                lines += ["        \(command.rawValue):\(pattern)) \(offer) ;;"]
            }
        }
        return lines
    }

    private static func offer(_ completion: Completion, suffix: String) -> String? {
        switch completion {
        case .none: nil
        case .file: "_likesctl_offer_files"
        case .itemType: "_likesctl_offer_types \"\""
        case .item: "_likesctl_offer_types :"
        case .words(let words): "_likesctl_offer " + words.joined(separator: " ")
        case .weights(let weights): "_likesctl_offer_weights " + weights.map(\.word).joined(separator: " ")
        }
    }

    private static func assignment(_ name: String, _ words: [String]) -> [String] {
        let text = "\(name)=\"\(words.joined(separator: " "))\""
        return Markup.wrapped(text, columns: columns - 8).enumerated().map { place, line in
            (place == 0 ? "    " : "        ") + line
        }
    }
}
