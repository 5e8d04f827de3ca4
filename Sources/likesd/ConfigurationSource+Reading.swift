import LikesHost
import LikesSettings

extension ConfigurationSource {
    /// All settings, checked; what is read is noted for the line that a crash writes.
    func loadNoted() throws(ConfigurationError) -> Configuration {
        Reading.settings(path ?? "")
        defer { Reading.ended() }
        return try load(willRead: Reading.line)
    }

    /// The same once more, while the daemon runs: without a file nothing of it can have changed.
    func reload() throws(ConfigurationError) -> Configuration {
        guard path != nil else {
            throw ConfigurationError([
                ConfigurationProblem(
                    .file(name: "--config"), "started without --config: there is no file to read again")
            ])
        }
        return try loadNoted()
    }
}
