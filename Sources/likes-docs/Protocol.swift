import LikesProtocol
import LikesctlCommands

/// The parts of likesd-protocol(7) and docs/protocol.md that come from the tables.
enum ProtocolDocuments {
    // MARK: likesd-protocol(7)

    static func manual(_ section: VerbDescription.Section) -> [String] {
        Mdoc.list(
            verbs(in: section).map { verb in
                let command = verb.description
                let tag = "Cm \(verb.name)" + syntax(command.parameters)
                guard command.forms.count > 1 else {
                    return (tag, command.forms.flatMap { Mdoc.sentence($0.reply) })
                }
                let forms = command.forms.flatMap { form in
                    [".It Ql \(Mdoc.argument(form.request))"] + Mdoc.sentence(form.reply)
                }
                return (tag, [".Bl -tag -width 4n -compact"] + forms + [".El"])
            })
    }

    static var manualErrors: [String] {
        Mdoc.list(
            ErrorCode.allCases.map { code in
                let stored = code.mayHaveStored ? "It may have been stored or not:" : "Nothing was changed:"
                return (
                    "Sy \(code.rawValue)", Mdoc.sentence(code.meaning) + Mdoc.paragraph("\(stored) \(code.remedy).")
                )
            })
    }

    /// Parameters as mdoc(7) writes them: words in capitals stand for themselves.
    private static func syntax(_ parameters: String) -> String {
        var text = ""
        var word = ""
        func endWord() {
            guard !word.isEmpty else { return }
            let isKeyword = word.allSatisfy { $0.isUppercase || $0.isNumber || $0 == "-" }
            text += (isKeyword ? " Cm " : " Ar ") + word
            word = ""
        }
        for letter in parameters {
            switch letter {
            case "[":
                endWord()
                text += " Oo"
            case "]":
                endWord()
                text += " Oc"
            case "|":
                endWord()
                text += " |"
            case " ": endWord()
            default: word.append(letter)
            }
        }
        endWord()
        return text
    }

    // MARK: docs/protocol.md

    static func table(_ section: VerbDescription.Section) -> [String] {
        ["| request | reply |", "|---|---|"]
            + verbs(in: section).flatMap(\.description.forms).map { row(["`\($0.request)`", $0.reply]) }
    }

    static var errorTable: [String] {
        ["| code | meaning | stored? | what to do |", "|---|---|---|---|"]
            + ErrorCode.allCases.map { code in
                row(["`\(code.rawValue)`", code.meaning, code.mayHaveStored ? "unknown" : "no", code.remedy])
            }
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    private static func verbs(in section: VerbDescription.Section) -> [Verb] {
        Verb.allCases.filter { $0.description.section == section }
    }
}
