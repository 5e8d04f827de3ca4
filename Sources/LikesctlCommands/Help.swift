import LikesSettings

/// The words of `--help` and `--version`.
package enum Help {
    package static let version = "likesctl \(Release.version)"

    /// Characters of a line.
    private static let columns = 88
    /// The column of the text beside a command, an option or a status.
    private static let textColumn = 22

    /// Help about the whole program.
    package static var overall: String {
        var text = """
            usage: likesctl COMMAND [OPTION…] [ARGUMENT…]

            Talks to the likesd of this host.


            """
        for command in Command.allCases {
            let words = [command.rawValue] + command.description.arguments.map(\.usage)
            text += entry(words.joined(separator: " "), command.description.summary)
        }
        text += """

            A USER is a number from 0 to \(Int64.max). An ITEM is a type and such a
            number, as in post:456; the daemon's ITEM_TYPES says which types there are.


            """
        for option in CommandOption.shared {
            text += entry(
                [option.shortName, option.usage].compactMap { $0 }.joined(separator: ", "), option.explanation)
        }
        text += entry("--", "Everything after this is an argument.")
        text += """

            'likesctl COMMAND --help' tells more about a command.

            Exit status:


            """
        for status in ExitStatus.allCases {
            let code = status.code.map { "\($0): " } ?? ""
            text += entry(String(status.rawValue), code + status.meaning, column: 6)
        }
        return text + "\nThe word in capitals is the code of the error in JSON.\n"
    }

    /// Help about one command.
    package static func of(_ command: Command) -> String {
        let description = command.description
        let summary = Markup.plain(description.summary)
        var parts = [
            Markup.wrapped("usage: " + command.usage, columns: columns).joined(separator: "\n    ") + "\n",
            lines(summary.prefix(1).uppercased() + summary.dropFirst() + ".", indent: 0),
        ]
        for block in description.explanation { parts.append(text(block, description)) }
        return parts.joined(separator: "\n")
    }

    private static func text(_ block: CommandDescription.Block, _ description: CommandDescription) -> String {
        switch block {
        case .text(let text): lines(Markup.plain(text), indent: 0)
        case .lines(let lines): "    \(lines)\n"
        case .terms(let terms): terms.map { entry($0.term, $0.meaning) }.joined()
        case .options: description.ownOptions.map { entry($0.usage, $0.explanation) }.joined()
        }
    }

    private static func lines(_ text: String, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        return Markup.wrapped(text, columns: columns - indent).map { margin + $0 + "\n" }.joined()
    }

    /// A word and its meaning beside it, or below it if the word is too long.
    private static func entry(_ word: String, _ marked: String, column: Int = textColumn) -> String {
        let text = lines(Markup.plain(marked), indent: column)
        let head = "  " + word
        guard head.count < column - 1 else { return head + "\n" + text }
        return head + text.dropFirst(head.count)
    }
}
