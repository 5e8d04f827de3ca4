import LikesStorage

/// What the options of a command line ask for. The initial values apply without options.
package struct CommandOptions: Equatable, Sendable {
    package var socketPath: String?
    package var configFile: String?
    package var json = false
    /// likes, likers: where the page begins and how large it is; nil: not said.
    package var after: String?
    package var limit: Int64?
    package var migrate = MigrateOptions()
    package var verify = VerifyOptions()
    package var data = DataOptions()
    package var bench = BenchOptions()
    package var plan = PlanOptions()

    package init() {}
}

/// What `likesctl migrate` is to do.
package struct MigrateOptions: Equatable, Sendable {
    /// Print the statements instead of executing them.
    package var printsSQL = false
    /// How to divide `user_likes` if it is created; nil: not at all.
    package var partitions: Partitions?
    /// Make the index of LIKERS as well.
    package var makesLikersIndex = false
    /// Names for numbers of item types.
    package var types: [NumberedType] = []
    /// What to do with the reference service's tables.
    package var takeover = TakeoverOptions()

    package init() {}
}
