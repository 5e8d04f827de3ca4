import LikesStorage

/// What `likesctl migrate` is to do with the tables of the reference service.
package struct TakeoverOptions: Equatable, Sendable {
    package enum Task: Equatable, Sendable {
        /// Side by side: both may write.
        case adopt
        /// Only likesd's writes are seen by all hosts.
        case finish
        /// The tables as the reference had them, with all likes.
        case undo
    }

    package var task: Task?
    package var dropsIndexes = false
    /// How long to wait, in seconds, for each lock that others hold.
    package var waitSeconds: Int64 = 600

    package init() {}
}

extension CommandOption {
    /// Only one of these at a time, and none together with what makes other tables.
    private static let ways = ["--adopt", "--adopt-finish", "--adopt-undo"]
    private static let others = ["--sql", "--partitions", "--likers-index"]

    static let adopt = takeover(
        "--adopt", .adopt, "take over the tables of the reference service, which may go on writing",
        details: "In place, beside its traffic; safe to repeat, also after it was killed.")

    static let adoptFinish = takeover(
        "--adopt-finish", .finish, "end the time in which the reference service may write too")

    static let adoptUndo = takeover(
        "--adopt-undo", .undo, "give the tables back as the reference service had them, with all likes")

    static let dropIndexes = CommandOption(
        "--drop-indexes", "drop the indexes that no statement of likesd uses",
        details: "With `--adopt` or `--adopt-finish`. Nobody waits for it. `--adopt-undo` makes them again. While "
            + "clients are connected that may be the reference service, the indexes stay, and the exit status is 10: "
            + "the same command drops them once those are gone.",
        excluding: others + ["--adopt-undo"]
    ) { (_, options) throws(Failure) in options.migrate.takeover.dropsIndexes = true }

    static let typeNumber = CommandOption(
        "--type", taking: "number=name", "give this number of an item type this name, as in `9=story`",
        details: "For rows of the reference service with a number that has no name. As long as there are such rows, a "
            + "type of `ITEM_TYPES` gets no number by itself. May be repeated.",
        excluding: ["--sql", "--adopt-finish", "--adopt-undo"], mayBeRepeated: true
    ) { (value, options) throws(Failure) in
        guard let type = NumberedType(value) else {
            throw Failure(
                .usage,
                "--type takes a number from \(text(of: NumberedType.numbers)), =, and the name of an item type, not "
                    + "'\(value)'")
        }
        guard options.migrate.types.allSatisfy({ ($0.number == type.number) == ($0.name == type.name) }) else {
            throw Failure(.usage, "--type: \(type.number) and \(type.name) belong to each other, or to none")
        }
        options.migrate.types.append(type)
    }

    static let lockWait = CommandOption.whole(
        "--wait", taking: "seconds", "how long to wait for a transaction that holds one of the tables", 1...86_400,
        details: "Meanwhile nobody waits for this command for more than 4 seconds.", excluding: others,
        \.migrate.takeover.waitSeconds)

    private static func takeover(
        _ name: String, _ task: TakeoverOptions.Task, _ summary: String, details: String? = nil
    ) -> CommandOption {
        CommandOption(
            name, summary, details: details, excluding: ways.filter { $0 != name } + others
        ) { (_, options) throws(Failure) in options.migrate.takeover.task = task }
    }
}

extension TakeoverOptions {
    /// Options that mean nothing by themselves.
    func check() throws(Failure) {
        guard task == nil else { return }
        guard !dropsIndexes else { throw Failure(.usage, "--drop-indexes needs --adopt or --adopt-finish") }
        guard waitSeconds == TakeoverOptions().waitSeconds else {
            throw Failure(.usage, "--wait needs --adopt, --adopt-finish or --adopt-undo")
        }
    }
}
