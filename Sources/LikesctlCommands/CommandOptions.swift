import LikesStorage

/// What the options of a command line ask for; as made, what holds without any.
package struct CommandOptions: Equatable, Sendable {
    package var socketPath: String?
    package var configFile: String?
    package var json = false
    /// migrate: print the statements instead of executing them.
    package var printsSQL = false
    /// migrate: what `user_likes` is divided into where it is made; nil: nothing.
    package var partitions: Partitions?
    package var verify = VerifyOptions()
    package var bench = BenchOptions()

    package init() {}
}
