// The commands that take likes in, out, and away.

extension CommandDescription {
    private static let file = Argument("file", .optional, .file)

    static let importing = CommandDescription(
        "take in likes from *file*, or from standard input", arguments: [file],
        options: [.config, .json, .format, .strict, .resume, .abandon, .progress],
        explanation: [
            .text(
                "Each row has a user, an item as in `post:456`, and the time of the like, which may be empty or "
                    + "missing: then it is now. Times without a zone are UTC. A first line without a number or an item "
                    + "is a header. PostgreSQL's COPY makes such rows of any table:"),
            .lines(
                "psql -c \"COPY (SELECT user_id, 'post:' || post_id, created_at FROM old_likes) TO STDOUT "
                    + "(FORMAT csv)\" old | likesctl import"),
            .text(
                "It loads, sorts, then adds the likes that are missing, in short transactions: hosts go on meanwhile, "
                    + "and learn of every count that changed. Of several rows for one like the earliest time counts. "
                    + "Interrupted at any moment, it goes on where it was when the same command is run again, and "
                    + "counts each like once. Rows with an unknown type, or without a valid user or item, are left out "
                    + "and counted, the first of them named; then the exit status is 10. A row that cannot be read "
                    + "ends it with status 1: correct the row and run it again. Needs the rights of the tables' "
                    + "owner, and some 130 bytes of disk for each row until it is done."),
            .options,
        ])

    static let exporting = CommandDescription(
        "write all likes into *file*, or to standard output", arguments: [file],
        options: [.config, .json, .format, .user, .item, .progress],
        explanation: [
            .text(
                "Writes what `import` reads: a row for each like, with user, item and time, all as of one moment, in "
                    + "any order. *file* has its name only once it is complete; until then it is `FILE.partial`. "
                    + "Hosts go on meanwhile; vacuum removes no rows until it is done. With `--json` the summary, "
                    + "which needs *file*, is an object on standard output."),
            .options,
        ])

    static let forget = CommandDescription(
        "remove all likes of *user*", arguments: [Argument("user")],
        options: [.config, .json, .dryRun, .progress],
        explanation: [
            .text(
                "Removes them in short transactions, with counts exact at every moment, has every host told, and "
                    + "removes what Redis keeps of the user. It is safe to stop and to repeat, also while the user "
                    + "goes on liking; the exit status is 10 if likes keep coming, if an unfinished import may add "
                    + "some again, or if Redis could not be asked. Ctrl-C ends it after the step under way, a second "
                    + "one at once. Who ran it, for whom, and how many likes went is a line in the system's journal."),
            .options,
        ])

    static let remove = CommandDescription(
        "remove all likes of *item*", arguments: [Argument("item", .one, .item)],
        options: [.config, .json, .dryRun, .scan, .progress],
        explanation: [
            .text(
                "Works as `forget` does; the item's count ends at 0. Needs the index that `likesctl migrate "
                    + "--likers-index` makes, or `--scan`."),
            .options,
        ])
}

extension CommandOption {
    fileprivate static let format = CommandOption(
        "--format", taking: "format", "the form of the rows, as COPY writes them",
        range: DataOptions.Format.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or "),
        preset: DataOptions().format.rawValue,
        details: "In binary rows the user is a bigint, the item text, the time a timestamptz.",
        completion: .words(DataOptions.Format.allCases.map(\.rawValue))
    ) { (value, options) throws(Failure) in
        guard let format = DataOptions.Format(rawValue: value) else {
            let known = DataOptions.Format.allCases.map(\.rawValue).joined(separator: " or ")
            throw Failure(.usage, "--format takes \(known), not '\(value)'")
        }
        options.data.format = format
    }

    fileprivate static let strict = flag(
        "--strict", "end at the first row that is no like, in place of leaving it out", \.data.isStrict)

    fileprivate static let resume = flag(
        "--resume", "go on without the input, once that was read to its end", excluding: ["--abandon"],
        \.data.resumes)

    fileprivate static let abandon = flag(
        "--abandon", "give up an import that was not finished",
        details: "What it had added stays, with exact counts.", excluding: ["--resume", "--strict"], \.data.abandons)

    fileprivate static let user = CommandOption(
        "--user", taking: "user", "the likes of this user alone", range: text(of: 0...Int64.max)
    ) { (value, options) throws(Failure) in
        options.data.user = try OptionValue.whole("--user", value, 0...Int64.max)
    }

    fileprivate static let item = CommandOption(
        "--item", taking: "item", "the likes of this item alone", completion: .item
    ) { (value, options) throws(Failure) in options.data.item = value }

    fileprivate static let dryRun = flag(
        "--dry-run", "count what would be removed, and remove nothing", \.data.isDryRun)

    fileprivate static let scan = flag(
        "--scan", "find the likes without the index",
        details: "It reads all likes once, about a million a second, in short statements.", \.data.scans)

    fileprivate static let progress = flag(
        "--progress", "progress on standard error, even if that is no terminal", \.data.showsProgress)
}
