import Glibc
import LikesSettings

/// Where the settings come from on this host: a file, the service manager's credentials, the environment. Read anew
/// with every `load`.
struct ConfigurationSource {
    /// nil: none was named, the settings are the defaults where nothing else says otherwise.
    let file: String?

    /// All settings, checked.
    func load() throws(ConfigurationError) -> Configuration {
        Reading.settings(file ?? "")
        defer { Reading.ended() }
        var problems: [ConfigurationProblem] = []
        var text: (name: String, text: [UInt8])?
        if let file {
            do {
                text = (file, try TextFile.read(file, bytesMax: ConfigurationLimits.fileBytesMax))
            } catch {
                problems.append(
                    ConfigurationProblem(
                        .file(name: file), "can't be read: \(error.text): check the path given to --config"))
            }
        }
        let credentials = credentials(noting: &problems)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        let configuration = try Configuration.load(
            file: text, credentials: credentials, environment: environment(), willRead: Reading.line)
        try check(configuration)
        return configuration
    }

    /// What libpq would not take, said now and not with every attempt to connect.
    private func check(_ configuration: Configuration) throws(ConfigurationError) {
        let urls =
            [(Setting.databaseURL, configuration.databaseURL)]
            + configuration.databaseReplicaURLs.map { (Setting.databaseReplicaURLs, $0) }
        let problems = urls.compactMap { setting, url in
            ConnectionStart.problem(of: url).map { configuration.places.problem(with: setting, "libpq: \($0)") }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    /// The same once more, while the daemon runs: without a file nothing of it can have changed.
    func reload() throws(ConfigurationError) -> Configuration {
        guard file != nil else {
            throw ConfigurationError([
                ConfigurationProblem(
                    .file(name: "--config"), "none was given at the start: there is no file to read again")
            ])
        }
        return try load()
    }

    private func credentials(noting problems: inout [ConfigurationProblem]) -> [Setting: [UInt8]] {
        guard let folder = variable(Setting.credentialsFolderVariable), !folder.isEmpty else { return [:] }
        var found: [Setting: [UInt8]] = [:]
        for setting in Setting.allCases where setting.isSecret {
            do {
                found[setting] = try TextFile.read(
                    "\(folder)/\(setting.rawValue)", bytesMax: ConfigurationLimits.credentialBytesMax)
            } catch  where error.code == ENOENT {
                // Not given, unless all of the folder is missing: then what was meant is not what is read.
                if access(folder, F_OK) != 0 {
                    problems.append(.noCredentials(in: folder, DaemonError.text(ENOENT)))
                    return [:]
                }
            } catch {
                problems.append(.unreadableCredential(setting, in: folder, error.text))
            }
        }
        return found
    }

    private func environment() -> [String: String] {
        var values: [String: String] = [:]
        for name in Setting.allCases.map(\.rawValue) { values[name] = variable(name) }
        return values
    }

    private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
