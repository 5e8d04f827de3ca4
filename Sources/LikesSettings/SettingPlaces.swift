/// Where settings come from, for messages that say where to correct them.
package struct SettingPlaces: Equatable, Sendable {
    /// Where the package installs the file.
    package static let defaultFile = "/etc/likesd/likesd.conf"

    package enum Origin: Equatable, Sendable {
        /// The file, or the default if the file does not set it.
        case file
        case credential
        case environment
    }

    /// The file that was read; nil if none was.
    package internal(set) var file: String?
    /// What was ignored and may have been meant, for the log.
    package internal(set) var notices: [String] = []
    /// Settings that a stronger source than the file gave.
    var others: [Setting: Origin] = [:]

    /// The service that uses the file, as the units name theirs: /etc/likesd/UNIT.conf.
    package var unit: String {
        guard let file, file.hasPrefix(Self.folder), file.hasSuffix(Self.suffix) else { return "likesd" }
        let name = file.dropFirst(Self.folder.count).dropLast(Self.suffix.count)
        return name.hasPrefix("likesd@") && !name.contains("/") ? String(name) : "likesd"
    }

    private static let folder = "/etc/likesd/"
    private static let suffix = ".conf"

    package func origin(of setting: Setting) -> Origin { others[setting] ?? .file }

    /// A problem with a setting's value, found after the whole file was read.
    package func problem(with setting: Setting, _ message: String) -> ConfigurationProblem {
        let text = "\(setting.rawValue): \(message)"
        return switch origin(of: setting) {
        case .file: ConfigurationProblem(file.map { .file(name: $0) } ?? .environment, text)
        case .credential: ConfigurationProblem(.credential, text)
        case .environment: ConfigurationProblem(.environment, text)
        }
    }

    /// `DATABASE_URL in /etc/likesd/likesd.conf`
    package func text(of setting: Setting) -> String {
        switch origin(of: setting) {
        case .file: file.map { "\(setting.rawValue) in \($0)" } ?? setting.rawValue
        case .credential: "the credential \(setting.rawValue)"
        case .environment: "\(setting.rawValue) in the environment"
        }
    }
}
