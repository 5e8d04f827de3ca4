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
        lines += Mdoc.paragraph(words.summary, macro) + Mdoc.paragraph(words.details, macro)
        if let section = words.manualSection { lines += ["See", ".Sx \(section) ."] }
        let byDefault = setting.byDefault
        return lines + [
            ".Pp", "Default: \(byDefault.isEmpty ? "empty" : byDefault).", "Range: \(setting.range).",
            "Applied by: \(setting.isReloadable ? "reload" : "restart").",
        ]
    }

    /// What is written exactly so, by what it is.
    private static func macro(_ literal: String) -> Mdoc.Macro {
        let argument = Mdoc.argument(literal)
        if Setting(rawValue: literal) != nil { return ("Ev", argument) }
        if literal == "likesctl" { return ("Nm", argument) }
        if literal.allSatisfy(\.isUppercase) { return ("Sy", argument) }
        if literal.hasSuffix("=") { return ("Li", argument) }
        if literal.contains("."), !literal.contains(" ") { return ("Pa", argument) }
        return ("Ql", literal)
    }
}
