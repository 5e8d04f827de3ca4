/// A name by which the reference service knows a setting, so that its file and environment serve likesd as they are.
package struct SettingAlias: Sendable {
    package let name: String
    package let setting: Setting
    /// The setting's value for one of this name's; nil: it says nothing about the setting.
    private let meaning: @Sendable (String) throws(RefusedValue) -> String?

    private init(
        _ name: String, _ setting: String,
        _ meaning: @escaping @Sendable (String) throws(RefusedValue) -> String? = { (value) throws(RefusedValue) in
            value
        }
    ) {
        guard let setting = Setting(rawValue: setting) else { preconditionFailure("no setting \(setting)") }
        self.name = name
        self.setting = setting
        self.meaning = meaning
    }

    package static let all = [
        SettingAlias("RECENT_LIKES_TTL_SECONDS", "RECENT_LIKES_TTL"),
        SettingAlias("RECENT_LIKES_MAX_SIZE", "RECENT_LIKES_MAX"),
        SettingAlias("DEBUG", "LOG_LEVEL") { (value) throws(RefusedValue) in
            switch value.lowercased() {
            case "true", "1", "yes", "on", "t", "y": "debug"
            case "false", "0", "no", "off", "f", "n": nil
            default: throw RefusedValue(rule: "true or false")
            }
        },
    ]

    static func named(_ name: String) -> SettingAlias? { all.first { $0.name == name } }

    func value(for value: String) throws(RefusedValue) -> String? { try meaning(value) }
}

/// A setting's value under one of its names.
struct GivenSetting {
    let name: String
    let setting: Setting
    let value: String

    /// What is given under `name`; nil: nothing about any setting. An unknown name is for the caller.
    init?(_ name: String, _ value: String) throws(RefusedValue) {
        self.name = name
        if let setting = Setting(rawValue: name) {
            self.setting = setting
            self.value = value
        } else if let alias = SettingAlias.named(name) {
            let meant: String?
            do {
                meant = try alias.value(for: value)
            } catch {
                throw RefusedValue(rule: "\(name): \(ConfigurationText.quoted(value)) is not allowed: \(error.rule)")
            }
            guard let meant else { return nil }
            setting = alias.setting
            self.value = meant
        } else {
            return nil
        }
    }

    /// Checks the value and puts it into `configuration`. The rule of a thrown error names the variable.
    func apply(to configuration: inout Configuration) throws(RefusedValue) {
        do {
            try setting.apply(value, to: &configuration)
        } catch {
            throw RefusedValue(rule: setting.refusal(of: value, error, as: name))
        }
    }

    /// Whether two names of one setting say the same. What is not allowed is reported by itself.
    func agrees(with other: GivenSetting) -> Bool {
        var (left, right) = (Configuration(), Configuration())
        do throws(RefusedValue) {
            try apply(to: &left)
            try other.apply(to: &right)
        } catch {
            return true
        }
        return !setting.take(from: right, into: &left)
    }
}

extension SettingAlias {
    /// The names of variables that are no settings but look as if one was meant, each with the setting's name.
    static func misspelt(_ names: some Sequence<String>) -> [(name: String, meant: String)] {
        // DEBUG is too short, and too common, to guess it.
        let known = Setting.allCases.map(\.rawValue) + all.map(\.name)
        let guessed = known.filter { $0.utf8.count > 5 }
        return names.filter { !known.contains($0) }.sorted().compactMap { name in
            guard name.utf8.count <= ConfigurationText.quotedCharactersMax else { return nil }
            let bare = bare(name)
            let meant = guessed.first { self.bare($0) == bare } ?? guessed.first { looksLike(bare, self.bare($0)) }
            return meant.map { (name, $0) }
        }
    }

    private static func bare(_ name: String) -> [UInt8] {
        name.uppercased().utf8.filter { $0 != UInt8(ascii: "_") }
    }

    private static func looksLike(_ name: [UInt8], _ known: [UInt8]) -> Bool {
        let slips = known.count < 9 ? 1 : 2
        guard abs(name.count - known.count) <= slips else { return false }
        return distance(name, known) <= slips
    }

    /// How many characters have to be added, removed, replaced, or swapped with their neighbour.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var above = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var line = [row + 1]
            for (column, other) in right.enumerated() {
                var least = min(above[column + 1] + 1, line[column] + 1, above[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    least = min(least, before[column - 1] + 1)
                }
                line.append(least)
            }
            (before, above) = (above, line)
        }
        return above[right.count]
    }
}
