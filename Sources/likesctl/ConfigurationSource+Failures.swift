import LikesHost
import LikesSettings
import LikesctlCommands

extension ConfigurationSource {
    /// All settings, from `file` or the default file, from credentials, and from the environment.
    static func load(file: String?) throws(Failure) -> Configuration {
        do {
            let configuration = try ConfigurationSource(file.map { .named($0) } ?? .packaged).load()
            for notice in configuration.places.notices { Warning(message: notice).tell() }
            return configuration
        } catch {
            throw failure(error)
        }
    }

    /// The daemon's socket from the environment, otherwise the default.
    static func socketPath() -> String {
        Environment.value(Setting.socket.rawValue).flatMap { $0.isEmpty ? nil : $0 } ?? Configuration().socketPath
    }

    /// How long the daemon may take for a request, from the environment, otherwise the default. A value that only the
    /// daemon's file has is not known here: with a shorter one the daemon answers sooner, and a longer one is rare.
    static func requestTimeoutMs() throws(Failure) -> Int64 {
        do {
            let environment = Environment.values([Setting.requestTimeoutMs.rawValue])
            return try Configuration.load(file: nil, environment: environment).requestTimeoutMs
        } catch {
            throw failure(error)
        }
    }

    /// A file that this user may not read comes first: whoever may read it will learn about the rest.
    private static func failure(_ error: ConfigurationError) -> Failure {
        guard let closed = error.problems.first(where: { $0.closedFile != nil }), let path = closed.closedFile else {
            return Failure(.configuration, error.text)
        }
        let folder = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let next =
            closed.origin == .credential
            ? "run this as a user who may: sudo \(Setting.credentialsFolderVariable)=\(folder) likesctl …"
            : "run this as a user who may (sudo), or name another file: --config FILE (/dev/null for none)"
        return Failure(
            .permissionDenied, "permission denied: \(path) cannot be read by \(HostFacts.userName)", next: next)
    }
}
