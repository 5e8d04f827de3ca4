extension Configuration {
    /// The defaults, overridden by the file, overridden by the credentials, overridden by the environment.
    ///
    /// Only variables named after settings are read, and an empty one counts as unset: some launchers pass on every
    /// variable they know, empty or not. Values are checked even if another source overrides them: a file must not turn
    /// out to be wrong on the day a variable goes away. `willRead` gets the number of each line of the file before it
    /// is read, and 0 after the last one.
    ///
    /// The names of the reference service (`SettingAlias`) are read as well. `environment` may have other variables:
    /// those that look like a misspelt setting are noted.
    package static func load(
        file: (name: String, text: [UInt8])?, credentials: [Setting: [UInt8]] = [:], environment: [String: String],
        willRead: (Int) -> Void = { _ in }
    ) throws(ConfigurationError) -> Configuration {
        var configuration = Configuration()
        var problems: [ConfigurationProblem] = []
        if let file {
            var reader = ConfigurationFileReader(name: file.name)
            reader.read(file.text, into: &configuration, willRead)
            willRead(0)
            problems = reader.problems
            configuration.places.file = file.name
        }
        for setting in Setting.allCases {
            guard let bytes = credentials[setting] else { continue }
            configuration.places.others[setting] = .credential
            do {
                try setting.apply(credential: bytes, to: &configuration)
            } catch {
                problems.append(ConfigurationProblem(.credential, error.rule))
            }
        }
        read(environment, into: &configuration, noting: &problems)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return configuration
    }

    private static func read(
        _ environment: [String: String], into configuration: inout Configuration,
        noting problems: inout [ConfigurationProblem]
    ) {
        var given: [Setting: GivenSetting] = [:]
        for name in Setting.allCases.map(\.rawValue) + SettingAlias.all.map(\.name) {
            guard let value = environment[name], !value.isEmpty else { continue }
            let found: GivenSetting
            do {
                guard let meant = try GivenSetting(name, value) else { continue }
                found = meant
            } catch {
                // Many programs have a DEBUG of their own.
                configuration.places.notices.append("environment: \(error.rule): it is ignored")
                continue
            }
            do throws(RefusedValue) {
                if let other = given[found.setting], !other.agrees(with: found) {
                    throw RefusedValue(rule: "\(name) and \(other.name) differ: keep one of the two")
                }
                given[found.setting] = found
                configuration.places.others[found.setting] = .environment
                try found.apply(to: &configuration)
            } catch {
                problems.append(ConfigurationProblem(.environment, error.rule))
            }
        }
        for (name, meant) in SettingAlias.misspelt(environment.keys) {
            configuration.places.notices.append(
                "environment: \(ConfigurationText.quoted(name)) is no setting and is ignored: is \(meant) meant?")
        }
    }

    /// Every setting as `NAME=value` in the table's order, secrets masked; each line ends in a newline.
    package var effectiveText: String {
        Setting.allCases
            .map { "\($0.rawValue)=\(ConfigurationFileReader.quotedIfNeeded($0.text(in: self)))\n" }
            .joined()
    }
}

extension Setting {
    /// Checks a credential's bytes and puts the value into `configuration`. The rule of a thrown error names the
    /// setting.
    fileprivate func apply(
        credential bytes: [UInt8], to configuration: inout Configuration
    ) throws(RefusedValue) {
        let bytesMax = ConfigurationLimits.credentialBytesMax
        guard bytes.count <= bytesMax else {
            throw RefusedValue(rule: "\(rawValue): more than \(bytesMax) bytes: is it the right file?")
        }
        // Editors and echo end a line; the value is what comes before the end.
        var line = bytes[...]
        if line.last == UInt8(ascii: "\n") {
            line.removeLast()
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
        }
        guard !line.isEmpty else {
            throw RefusedValue(rule: "\(rawValue): it is empty: write the value into it, or remove it")
        }
        guard !line.contains(0) else { throw RefusedValue(rule: "\(rawValue): it contains a NUL byte") }
        guard let value = String(validating: line, as: UTF8.self),
            !line.contains(UInt8(ascii: "\n"))
        else { throw RefusedValue(rule: "\(rawValue): it has to be one line of UTF-8 text") }
        do {
            try apply(value, to: &configuration)
        } catch {
            throw RefusedValue(rule: refusal(of: value, error))
        }
    }

    /// The message for a value that was refused.
    func refusal(of value: String, _ refused: RefusedValue, as name: String? = nil) -> String {
        let shown = isSecret ? "this value" : ConfigurationText.quoted(value)
        return "\(name ?? rawValue): \(shown) is not allowed: \(refused.rule)"
    }
}

/// Reads a file of `NAME=value` lines, and gathers all its problems.
struct ConfigurationFileReader {
    let name: String
    private(set) var problems: [ConfigurationProblem] = []
    private var hasListedNames = false
    private var firstLines: [Setting: (number: Int, given: GivenSetting)] = [:]

    init(name: String) { self.name = name }

    mutating func read(
        _ text: [UInt8], into configuration: inout Configuration, _ willRead: (Int) -> Void
    ) {
        guard text.count <= ConfigurationLimits.fileBytesMax else {
            let limit = ConfigurationLimits.fileBytesMax
            problems.append(ConfigurationProblem(.file(name: name), "more than \(limit) bytes: is it the right file?"))
            return
        }
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            willRead(index + 1)
            do {
                try read(line: bytes, number: index + 1, into: &configuration)
            } catch {
                problems.append(ConfigurationProblem(.line(file: name, number: index + 1), error.rule))
            }
        }
    }

    private mutating func read(
        line bytes: ArraySlice<UInt8>, number: Int, into configuration: inout Configuration
    ) throws(RefusedValue) {
        guard !bytes.contains(0) else { throw RefusedValue(rule: "the line contains a NUL byte") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RefusedValue(rule: "not a line of UTF-8 text")
        }
        let line = ConfigurationText.trimmed(text[...])
        guard !line.isEmpty, !line.hasPrefix("#") else { return }
        guard let equals = line.firstIndex(of: "=") else {
            // The line may contain a secret, so it is not repeated.
            throw RefusedValue(rule: "not a line of the form NAME=value")
        }
        let name = String(ConfigurationText.trimmed(line[..<equals]))
        let value = Self.unquoted(ConfigurationText.trimmed(line[line.index(after: equals)...]))
        guard Setting(rawValue: name) != nil || SettingAlias.named(name) != nil else {
            let names = Setting.allCases.map(\.rawValue).joined(separator: ", ")
            // The list is long, and another service's file has several such names.
            let list = hasListedNames ? "" : ": there are \(names)"
            hasListedNames = true
            throw RefusedValue(rule: "unknown setting \(ConfigurationText.quoted(name))\(list)")
        }
        guard let given = try GivenSetting(name, value) else { return }
        if let first = firstLines[given.setting] {
            guard first.given.name != name else {
                throw RefusedValue(rule: "\(name): already set in line \(first.number): keep one of the two")
            }
            guard first.given.agrees(with: given) else {
                throw RefusedValue(
                    rule: "\(name): line \(first.number) says otherwise with \(first.given.name): keep one of the two")
            }
            return
        }
        firstLines[given.setting] = (number, given)
        try given.apply(to: &configuration)
    }

    /// Removes one pair of matching quotes around the whole value. There are no escapes inside.
    private static func unquoted(_ value: Substring) -> String {
        guard let quote = value.first, quote == "'" || quote == "\"", value.count >= 2, value.last == quote else {
            return String(value)
        }
        return String(value.dropFirst().dropLast())
    }

    /// The value as a line of a file can hold it: quoted if it would otherwise lose blanks or quotes.
    static func quotedIfNeeded(_ value: String) -> String {
        if ConfigurationText.trimmed(value[...]) == value, unquoted(value[...]) == value { return value }
        return "\"\(value)\""
    }
}
