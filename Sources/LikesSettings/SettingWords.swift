/// What documents say about a setting. Backquotes surround what is written exactly so.
package struct SettingWords: Sendable {
    /// The parts of likesd.conf(5).
    package enum Section: String, CaseIterable, Sendable {
        case clients = "Where clients connect"
        case backends = "Backends"
        case kept = "What is kept, and for how long"
        case limits = "Limits on users and on time"
        case log = "Log"
    }

    package var section: Section
    /// Stands for the value: what it is, or its unit. `,...` at the end marks a list.
    package var argument: String
    /// What the setting does, for those who edit the file.
    package var summary: String
    /// Further facts.
    package var details: String
    /// Values other than the default.
    package var examples: [String]
    /// The section of likesd.conf(5) that says more.
    package var manualSection: String?
    /// The section of docs/configuration.md that says more.
    package var documentSection: String?

    init(
        _ section: Section, _ argument: String, _ summary: String, details: String = "", examples: [String] = [],
        manualSection: String? = nil, documentSection: String? = nil
    ) {
        self.section = section
        self.argument = argument
        self.summary = summary
        self.details = details
        self.examples = examples
        self.manualSection = manualSection
        self.documentSection = documentSection
    }
}
