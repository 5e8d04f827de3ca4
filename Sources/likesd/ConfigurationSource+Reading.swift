import LikesHost
import LikesSettings

extension ConfigurationSource {
    /// All settings, checked. It notes what it reads, for the line that a crash writes.
    func loadNoted() throws(ConfigurationError) -> Configuration {
        Reading.settings(path ?? "")
        defer { Reading.ended() }
        return try load(willRead: Reading.line)
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
