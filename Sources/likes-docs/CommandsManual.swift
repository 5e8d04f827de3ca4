import LikesctlCommands

/// The parts of likesctl(1) that come from the tables.
enum CommandsManual {
    /// With more options than these, the synopsis does not list them.
    private static let ownOptionsInSynopsisMax = 3

    static var synopsis: [String] {
        var lines: [String] = []
        for command in Command.allCases {
            let description = command.description
            let own = description.ownOptions.map(\.name)
            lines += [".Nm", ".Cm \(command.rawValue)"]
            if own.count <= ownOptionsInSynopsisMax {
                lines += description.options.map { ".Op \(tag($0))" }
            } else {
                lines += description.options.filter { !own.contains($0.name) }.map { ".Op \(tag($0))" }
                lines.append(".Op Ar option ...")
            }
            lines += description.arguments.map { "." + tag($0) }
        }
        return lines
    }

    /// Options that several commands have.
    static var sharedOptions: [String] { Mdoc.list(CommandOption.shared.map(item)) }

    static var commands: [String] { Mdoc.list(Command.allCases.map(item)) }

    private static func item(_ command: Command) -> (tag: String, body: [String]) {
        let description = command.description
        let summary = Mdoc.sentence(description.summary)
        if let section = description.manualSection {
            return ("Cm \(command.rawValue)", summary + ["See", ".Sx \(section) ."])
        }
        var tags = ["Cm \(command.rawValue)"]
        tags += description.ownOptions.map { "Oo \(tag($0)) Oc" }
        tags += description.arguments.map { tag($0) }
        return (tags.joined(separator: " "), summary + body(description))
    }

    /// The section of a command that has its own.
    static func section(_ command: Command) -> [String] { body(command.description) }

    static var exitStatuses: [String] {
        var lines = [".Bl -tag -width 4n -compact"]
        for status in ExitStatus.allCases {
            lines.append(".It \(status.rawValue)")
            if let code = status.code {
                lines.append(".Sy \(code) :")
                lines += Mdoc.paragraph(status.meaning + ".")
            } else {
                lines += Mdoc.sentence(status.meaning)
            }
        }
        return lines + [".El"]
    }

    private static func body(_ description: CommandDescription) -> [String] {
        var lines: [String] = []
        var isAfterParagraph = false
        for block in description.explanation {
            switch block {
            case .text(let text):
                if isAfterParagraph { lines.append(".Pp") }
                lines += Mdoc.paragraph(text)
            case .lines(let text): lines += Mdoc.example(text)
            case .terms(let terms):
                let items = terms.map { term in
                    ("Li " + term.term.replacing(", ", with: " , "), Mdoc.paragraph(term.meaning))
                }
                lines += Mdoc.list(items, offset: "2n")
            case .options: lines += Mdoc.list(description.ownOptions.map(item))
            }
            isAfterParagraph = true
        }
        return lines
    }

    private static func item(_ option: CommandOption) -> (tag: String, body: [String]) {
        (
            option.shortName.map { "Fl \($0.dropFirst()) , \(option.name.dropFirst())" } ?? tag(option),
            Mdoc.paragraph(option.explanation)
        )
    }

    private static func tag(_ option: CommandOption) -> String {
        "Fl \(option.name.dropFirst())" + (option.value.map { " Ar " + $0.replacing("|", with: " | ") } ?? "")
    }

    private static func tag(_ argument: CommandDescription.Argument) -> String {
        switch argument.count {
        case .one: "Ar \(argument.name)"
        case .optional: "Op Ar \(argument.name)"
        case .many: "Ar \(argument.name) ..."
        }
    }
}
