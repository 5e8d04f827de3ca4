import LikesSettings
import LikesctlCommands

/// The parts that come from the table of settings.
func settingsParts() -> [GeneratedPart] {
    [
        GeneratedPart(path: "packaging/likesd.conf", name: "settings", lines: SettingsFile.lines),
        GeneratedPart(path: "packaging/man/likesd.conf.5", name: "settings", lines: SettingsManual.lines),
        GeneratedPart(path: "docs/configuration.md", name: "settings", lines: SettingsTable.lines),
    ]
}

/// The settings as the commented file that the package installs has them.
enum SettingsFile {
    private static let columns = 118

    static var lines: [String] {
        Setting.allCases.flatMap { setting -> [String] in
            let words = setting.words
            let summary = Markup.pieces(words.summary).map(\.unmarked).joined()
            let text = Markup.wrapped(summary, columns: columns)
            let examples = words.examples.map { "Example: \($0)" }
            let appliedBy = setting.isReloadable ? "reload" : "restart"
            let comments: [String] = text + examples + ["Range: \(setting.range). Applied by: \(appliedBy)."]
            return [""] + comments.map { "# " + $0 } + ["#\(setting.rawValue)=\(setting.byDefault)"]
        } + [""]
    }
}

/// The settings as the table of docs/configuration.md.
enum SettingsTable {
    static var lines: [String] {
        [
            "| name | default | allowed | applied by | what it does |",
            "|---|---|---|---|---|",
        ] + Setting.allCases.map(row)
    }

    private static func row(_ setting: Setting) -> String {
        let words = setting.words
        var text = words.summary + (words.details.isEmpty ? "" : " " + words.details)
        if let section = words.documentSection { text += " See \"\(section)\"." }
        let byDefault = setting.byDefault
        let cells = [
            "`\(setting.rawValue)`", byDefault.isEmpty ? "" : "`\(byDefault)`", setting.range,
            setting.isReloadable ? "reload" : "restart", text,
        ]
        return "| " + cells.joined(separator: " | ").replacing(" |  | ", with: " | | ") + " |"
    }
}
