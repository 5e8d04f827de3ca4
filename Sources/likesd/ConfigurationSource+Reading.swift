import Glibc
import LikesHost
import LikesSettings

extension ConfigurationSource {
    /// All settings, checked. It notes what it reads, for the line that a crash writes.
    func loadNoted() throws(ConfigurationError) -> Configuration {
        Reading.settings(path ?? "")
        defer { Reading.ended() }
        var configuration = try load(willRead: Reading.line)
        configuration.socketPath = Self.absolute(configuration.socketPath)
        return configuration
    }

    /// Messages name the socket to people, whose folder is another. A path that would be too long stays as it is.
    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        let name = path.hasPrefix("./") ? path.dropFirst(2) : path[...]
        let absolute = String(cString: folder) + "/" + name
        return absolute.utf8.count <= ConfigurationLimits.socketPathBytesMax ? absolute : path
    }

    /// The same again, while the daemon runs. Without a file nothing can have changed.
    func reload() throws(ConfigurationError) -> Configuration {
        guard path != nil else {
            throw ConfigurationError([
                ConfigurationProblem(
                    .commandLine,
                    "likesd was started without --config, so there is no file to read; "
                        + "next: start it with --config FILE")
            ])
        }
        return try loadNoted()
    }
}
