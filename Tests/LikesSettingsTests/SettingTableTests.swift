import LikesSettings
import Testing

/// The table of settings.
@Suite struct SettingTableTests {
    @Test("Each property of a configuration is one setting's value.")
    func properties() {
        // All but where the values come from.
        let properties = Mirror(reflecting: Configuration()).children.compactMap(\.label).filter { $0 != "places" }
        #expect(properties.count == Setting.allCases.count)
        #expect(Set(Setting.allCases).count == Setting.allCases.count)
    }

    @Test("Every text is one or more sentences, and its backquotes pair up.", arguments: Setting.allCases)
    func texts(_ setting: Setting) {
        for text in [setting.words.summary, setting.words.details] where !text.isEmpty {
            #expect(text.hasSuffix("."))
            #expect(text.filter { $0 == "`" }.count.isMultiple(of: 2))
        }
        #expect(!setting.words.summary.isEmpty)
    }

    @Test("A setting is found by its name alone.")
    func names() {
        #expect(Setting.allCases.allSatisfy { Setting(rawValue: $0.rawValue) == $0 })
        #expect(Setting(rawValue: "database_url") == nil)
    }
}
