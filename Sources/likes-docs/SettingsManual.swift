import LikesSettings

/// The settings as mdoc(7) has them, for likesd.conf(5).
enum SettingsManual {
    static var lines: [String] {
        SettingWords.Section.allCases.flatMap { section in
            [".Ss \(section.rawValue)", ".Bl -tag -width 4n"]
                + Setting.allCases.filter { $0.words.section == section }.flatMap(item) + [".El"]
        }
    }

    private static func item(_ setting: Setting) -> [String] {
        let words = setting.words
        let argument = words.argument.hasSuffix(",...") ? "\(words.argument.dropLast(4)) , Ns Ar ..." : words.argument
        var lines = [".It Ev \(setting.rawValue) Ns = Ns Ar \(argument)"]
        lines += paragraph(words.summary) + paragraph(words.details)
        if let section = words.manualSection { lines += ["See", ".Sx \(section) ."] }
        let byDefault = setting.byDefault
        return lines + [
            ".Pp", "Default: \(byDefault.isEmpty ? "empty" : byDefault).", "Range: \(setting.range).",
            "Applied by: \(setting.isReloadable ? "reload" : "restart").",
        ]
    }

    // MARK: Text

    private static let columns = 80
    private static let closing = Set(".,:;)")

    /// Each sentence, and each literal with the marks around it, begins a line of its own.
    private static func paragraph(_ marked: String) -> [String] {
        var lines: [String] = []
        var line = ""
        func endLine() {
            if !line.isEmpty { lines.append(line) }
            line = ""
        }
        var opening = ""
        for piece in SettingsMarkup.pieces(marked) {
            switch piece {
            case .literal(let literal):
                endLine()
                lines.append(".\(macro(literal, behind: opening))")
                opening = ""
            case .text(let text):
                var rest = text[...]
                // A mark right behind a literal belongs to its macro.
                if let last = lines.indices.last, line.isEmpty, lines[last].hasPrefix(".") {
                    let marks = rest.prefix { closing.contains($0) }
                    lines[last] += marks.map { " \($0)" }.joined()
                    rest = rest.dropFirst(marks.count)
                }
                for word in rest.split(separator: " ") {
                    if word == "(" {
                        opening = "( "
                        continue
                    }
                    if !line.isEmpty, line.count + 1 + word.count > columns { endLine() }
                    line += (line.isEmpty ? "" : " ") + word
                    if word.hasSuffix(".") { endLine() }
                }
            }
        }
        endLine()
        return lines
    }

    private static func macro(_ literal: String, behind opening: String) -> String {
        let name =
            if Setting(rawValue: literal) != nil {
                "Ev"
            } else if literal == "likesctl" {
                "Nm"
            } else if literal.allSatisfy(\.isUppercase) {
                "Sy"
            } else if literal.hasSuffix("=") {
                "Li"
            } else if literal.contains("."), !literal.contains(" ") {
                "Pa"
            } else {
                "Ql"
            }
        let argument = literal.contains(" ") && name != "Ql" ? "\"\(literal)\"" : literal
        return "\(name) \(opening)\(argument)"
    }
}
