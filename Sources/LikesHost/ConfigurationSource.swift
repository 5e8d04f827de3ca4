import Glibc
import LikesSettings

/// Where this host's settings come from: a file, the service manager's credentials, the environment. Each `load` reads
/// them again.
package struct ConfigurationSource: Sendable {
    package enum File: Equatable, Sendable {
        /// No file was named: a setting has its default unless another source gives it.
        case none
        case named(String)
        /// The package's file, which may be missing.
        case packaged
    }

    package let file: File

    package init(_ file: File) { self.file = file }

    /// The file's path; nil if there is none to read.
    package var path: String? {
        switch file {
        case .none: nil
        case .named(let path): path
        case .packaged: SettingPlaces.defaultFile
        }
    }

    /// All settings, checked; `willRead`: as for `Configuration.load`.
    package func load(willRead: (Int) -> Void = { _ in }) throws(ConfigurationError) -> Configuration {
        var problems: [ConfigurationProblem] = []
        let text = text(noting: &problems)
        let credentials = credentials(noting: &problems)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        let configuration = try Configuration.load(
            file: text, credentials: credentials, environment: Environment.all,
            willRead: willRead)
        try check(configuration)
        return configuration
    }

    private func text(noting problems: inout [ConfigurationProblem]) -> (name: String, text: [UInt8])? {
        guard let path else { return nil }
        do {
            return (path, try TextFile.read(path, bytesMax: ConfigurationLimits.fileBytesMax))
        } catch {
            if file == .packaged, error.code == ENOENT { return nil }
            let message = "cannot be read: \(error.text)\(hint(error))"
            problems.append(ConfigurationProblem(.file(name: path), message, closedFile: error.closedFile(path)))
            return nil
        }
    }

    /// What to do about a file that cannot be read; empty where the error says enough.
    private func hint(_ error: TextFile.Unreadable) -> String {
        switch error.code {
        case EACCES: ": let the user \(HostFacts.userName) read it and search the folders above it"
        case EIO, EMFILE, ENFILE, ENOMEM: ""
        default: file == .packaged ? "" : ": check the path given to --config"
        }
    }

    private func credentials(noting problems: inout [ConfigurationProblem]) -> [Setting: [UInt8]] {
        guard let folder = Environment.value(Setting.credentialsFolderVariable), !folder.isEmpty else { return [:] }
        var found: [Setting: [UInt8]] = [:]
        for setting in Setting.allCases where setting.isSecret {
            let path = "\(folder)/\(setting.rawValue)"
            do {
                found[setting] = try TextFile.read(path, bytesMax: ConfigurationLimits.credentialBytesMax)
            } catch  where error.code == ENOENT {
                // The credential was not given. If the whole folder is missing, however, its settings would be lost
                // silently.
                if access(folder, F_OK) != 0 {
                    problems.append(.noCredentials(in: folder, error.text))
                    return [:]
                }
            } catch {
                problems.append(
                    .unreadableCredential(setting, at: path, error.text, closedFile: error.closedFile(path)))
            }
        }
        return found
    }

    /// Reports what libpq would refuse now, rather than with every attempt to connect.
    private func check(_ configuration: Configuration) throws(ConfigurationError) {
        let urls =
            [(Setting.databaseURL, configuration.databaseURL)]
            + configuration.databaseReplicaURLs.map { (Setting.databaseReplicaURLs, $0) }
        let problems = urls.compactMap { setting, url in
            DatabaseURL.libpqProblem(with: url).map { configuration.places.problem(with: setting, "libpq: \($0)") }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }
}

extension TextFile.Unreadable {
    /// The path if this user may not read it; nil if something else is wrong.
    fileprivate func closedFile(_ path: String) -> String? { code == EACCES ? path : nil }
}
