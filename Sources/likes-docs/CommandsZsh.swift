import LikesctlCommands

/// What likesctl's zsh completion knows about its commands.
enum CommandsZsh {
    static var lines: [String] {
        var lines = ["_likesctl_commands() {", "    local -a commands=("]
        for command in Command.allCases {
            lines.append("        " + quoted("\(command.rawValue):\(described(command.description.summary))"))
        }
        lines += ["    )", "    _describe -t commands 'command' commands", "}", ""]
        lines += ["# The options of all commands, and those that may stand before the command, into the caller's."]
        lines += ["_likesctl_options() {"] + array("everywhere", CommandOption.everywhere.flatMap(everywhere))
        let shared = CommandOption.shared.filter { !CommandOption.everywhere.map(\.name).contains($0.name) }
        lines += array("shared", shared.map { option($0, beside: []) }) + ["}", ""]
        lines += ["# $1: the command.", "_likesctl_arguments() {", "    case $1 in"]
        lines += Command.allCases.flatMap(arm)
        lines += ["        help) _arguments '1: : _likesctl_commands' ;;"]
        return lines + ["        *) _message 'no such command' ;;", "    esac", "}"]
    }

    private static func array(_ name: String, _ specifications: [String]) -> [String] {
        ["    \(name)=("] + specifications.map { "        " + $0 } + ["    )"]
    }

    private static func arm(_ command: Command) -> [String] {
        let description = command.description
        var specifications = ["$everywhere"]
        specifications += description.options.map { option($0, beside: description.options) }
        for (place, described) in description.arguments.enumerated() {
            specifications.append(argument(described, place: place + 1))
        }
        let lines = arguments(specifications, indent: "            ", command: "_arguments")
        return ["        \(command.rawValue))"] + lines + ["            ;;"]
    }

    /// One call, with one specification a line.
    private static func arguments(_ specifications: [String], indent: String, command: String) -> [String] {
        let lines = [indent + command] + specifications.map { "\(indent)    \($0)" }
        return lines.dropLast().map { $0 + " \\" } + lines.suffix(1)
    }

    /// It ends all completion.
    private static func everywhere(_ option: CommandOption) -> [String] {
        [option.shortName, option.name].compactMap { $0 }
            .map { quoted("(- *)\($0)[\(described(option.summary))]") }
    }

    /// - Parameter others: the options of the same command, which may exclude it.
    private static func option(_ option: CommandOption, beside others: [CommandOption]) -> String {
        let excluding = others.filter { $0.excluded.contains(option.name) }.map(\.name)
        let excluded = (option.excluded + excluding.filter { !option.excluded.contains($0) }).joined(separator: " ")
        let repeated = option.mayBeRepeated ? "*" : ""
        let head = (excluded.isEmpty ? "" : "(\(excluded))") + repeated + option.name
        guard let value = option.value else { return quoted("\(head)[\(described(option.summary))]") }
        let action = action(option.completion, items: false).map { ":\($0)" } ?? ""
        return quoted("\(head)=[\(described(option.summary))]:\(described(value))\(action)")
    }

    private static func argument(_ argument: CommandDescription.Argument, place: Int) -> String {
        let place = argument.count == .many ? "*" : String(place)
        let action = action(argument.completion, items: true).map { ":\($0)" } ?? ""
        return quoted("\(place):\(argument.name)\(action)")
    }

    private static func action(_ completion: Completion, items: Bool) -> String? {
        switch completion {
        case .none: nil
        case .file: "_files"
        case .itemType: " _likesctl_types \"\""
        case .item: " _likesctl_items"
        case .words(let words): "(\(words.map { $0.replacing(":", with: "\\:") }.joined(separator: " ")))"
        case .weights(let weights):
            " _likesctl_weights "
                + weights.map { weight in
                    "\"\(weight.word)\(weight.hint.map { "[\($0)]" } ?? "")\""
                }.joined(separator: " ")
        }
    }

    /// A phrase in which no character has a meaning for zsh's completion.
    private static func described(_ marked: String) -> String {
        var text = ""
        for letter in Markup.plain(marked) {
            if "[]:\\".contains(letter) { text.append("\\") }
            text.append(letter)
        }
        return text
    }

    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}
