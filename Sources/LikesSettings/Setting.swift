/// One setting: its name, how its value is read and shown, and what documents say about it. `allCases` is the table of
/// all.
package struct Setting: RawRepresentable, CaseIterable, Sendable {
    /// The name, in files and in the environment.
    package let rawValue: String
    /// Whether a value may contain a password: messages never repeat it, and it may be a credential.
    package let isSecret: Bool
    /// Whether a reload applies a new value. The others shape what is built at the start: sockets, connections, tables,
    /// and bounds that other bounds are derived from.
    package let isReloadable: Bool
    package let words: SettingWords
    private let field: any SettingField

    /// `path`: the property of `Configuration`, which has the default at first.
    init<Value: Equatable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Configuration, Value> & Sendable, _ codec: SettingCodec<Value>,
        isSecret: Bool = false, isReloadable: Bool = false, _ words: SettingWords
    ) {
        rawValue = name
        self.isSecret = isSecret
        self.isReloadable = isReloadable
        self.words = words
        field = Field(path: path, codec: codec)
    }

    /// nil: there is no such setting.
    package init?(rawValue: String) {
        guard let setting = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = setting
    }

    /// The variable that names the folder of credentials, as systemd sets it.
    package static let credentialsFolderVariable = "CREDENTIALS_DIRECTORY"
}

extension Setting: Hashable {
    package static func == (a: Setting, b: Setting) -> Bool { a.rawValue == b.rawValue }
    package func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

extension Setting {
    /// The allowed values, as documents describe them.
    package var range: String { field.range }

    /// The value without any configuration.
    package var byDefault: String { text(in: Configuration()) }

    /// Checks a value and puts it into `configuration`.
    func apply(_ value: String, to configuration: inout Configuration) throws(RefusedValue) {
        try field.apply(value, to: &configuration)
    }

    /// The value in force, secrets masked. `apply` reads it back to the same value, except for the secrets.
    package func text(in configuration: Configuration) -> String { field.text(in: configuration) }

    /// Copies the value from `other` into `configuration`; true if it was different.
    package func take(from other: Configuration, into configuration: inout Configuration) -> Bool {
        field.take(from: other, into: &configuration)
    }
}

// The settings that code refers to by name.
extension Setting {
    package static let socket = at(\.socketPath)
    package static let databaseURL = at(\.databaseURL)
    package static let databaseReplicaURLs = at(\.databaseReplicaURLs)
    package static let redisURL = at(\.redis)
    package static let itemTypes = at(\.itemTypes)
    package static let requestTimeoutMs = at(\.requestTimeoutMs)
    package static let logLevel = at(\.logLevel)

    private static func at(_ path: PartialKeyPath<Configuration>) -> Setting {
        guard let setting = allCases.first(where: { $0.field.anyPath == path }) else {
            preconditionFailure("no setting has its value at \(path)")
        }
        return setting
    }
}

/// A setting's value, whatever its type.
private protocol SettingField: Sendable {
    var anyPath: PartialKeyPath<Configuration> { get }
    var range: String { get }
    func apply(_ value: String, to configuration: inout Configuration) throws(RefusedValue)
    func text(in configuration: Configuration) -> String
    func take(from other: Configuration, into configuration: inout Configuration) -> Bool
}

private struct Field<Value: Equatable & Sendable>: SettingField {
    let path: any WritableKeyPath<Configuration, Value> & Sendable
    let codec: SettingCodec<Value>

    var anyPath: PartialKeyPath<Configuration> { path }
    var range: String { codec.range }

    func apply(_ value: String, to configuration: inout Configuration) throws(RefusedValue) {
        configuration[keyPath: path] = try codec.read(value)
    }

    func text(in configuration: Configuration) -> String { codec.text(configuration[keyPath: path]) }

    func take(from other: Configuration, into configuration: inout Configuration) -> Bool {
        guard configuration[keyPath: path] != other[keyPath: path] else { return false }
        configuration[keyPath: path] = other[keyPath: path]
        return true
    }
}
