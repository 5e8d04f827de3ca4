import Glibc
import LikesSettings

/// Where settings come from on this host: a file, credentials, the environment.
enum ConfigurationSource {
    /// Read where no file is named; it need not be there.
    static let defaultFile = SettingPlaces.defaultFile

    /// All settings, from `file` or the default one, from credentials, and from the environment.
    static func load(file: String?) throws(Failure) -> Configuration {
        let environment = SystemCalls.environment(Setting.allCases.map(\.rawValue))
        let text = try contents(of: file ?? defaultFile, isOptional: file == nil)
        let credentials = try credentials()
        do {
            return try Configuration.load(file: text, credentials: credentials, environment: environment)
        } catch {
            throw Failure(.configuration, error.text)
        }
    }

    /// The daemon's socket by the environment, else the default.
    static func socketPath() -> String {
        SystemCalls.environment([Setting.socket.rawValue])[Setting.socket.rawValue].flatMap { $0.isEmpty ? nil : $0 }
            ?? Configuration().socketPath
    }

    /// How long the daemon may take for a request, by the environment, else the default. A daemon with another
    /// setting in its file alone is not known here: a shorter one answers sooner, a longer one is rare.
    static func requestTimeoutMs() throws(Failure) -> Int64 {
        do {
            let environment = SystemCalls.environment([Setting.requestTimeoutMs.rawValue])
            return try Configuration.load(file: nil, environment: environment).requestTimeoutMs
        } catch {
            throw Failure(.configuration, error.text)
        }
    }

    private static func credentials() throws(Failure) -> [Setting: [UInt8]] {
        let variable = Setting.credentialsFolderVariable
        guard let folder = SystemCalls.environment([variable])[variable], !folder.isEmpty else { return [:] }
        var found: [Setting: [UInt8]] = [:]
        for setting in Setting.allCases where setting.isSecret {
            let path = "\(folder)/\(setting.rawValue)"
            switch SystemCalls.contents(of: path, bytesMax: ConfigurationLimits.credentialBytesMax) {
            case .success(let bytes): found[setting] = bytes
            case .failure(let error) where error.code == ENOENT:
                // Not given, unless all of the folder is missing: then what was meant is not what is read.
                guard access(folder, F_OK) == 0 else {
                    throw Failure(.configuration, ConfigurationProblem.noCredentials(in: folder, error.text).text)
                }
            case .failure(let error) where error.code == EACCES:
                throw Failure(
                    .permissionDenied,
                    "permission denied: \(path) can't be read by \(SystemCalls.userName())\n"
                        + "Run this as a user who may: sudo \(variable)=\(folder) likesctl …")
            case .failure(let error):
                throw Failure(
                    .configuration, ConfigurationProblem.unreadableCredential(setting, in: folder, error.text).text)
            }
        }
        return found
    }

    private static func contents(
        of path: String, isOptional: Bool
    ) throws(Failure) -> (name: String, text: [UInt8])? {
        switch SystemCalls.contents(of: path, bytesMax: ConfigurationLimits.fileBytesMax) {
        case .success(let text): return (path, text)
        case .failure(let error) where error.code == ENOENT && isOptional: return nil
        case .failure(let error) where error.code == EACCES:
            throw Failure(
                .permissionDenied,
                "permission denied: \(path) can't be read by \(SystemCalls.userName())\n"
                    + "Run this as a user who may (sudo), or name another file: --config FILE (/dev/null for none).")
        case .failure(let error): throw Failure(.configuration, "\(path): \(error.text)")
        }
    }
}
