extension CommandDescription {
    static let verify = CommandDescription(
        "compare counters, likes and Redis; with `--repair`, mend differences",
        options: [.config, .json] + CommandOption.ofVerify, manualSection: "VERIFYING",
        explanation: [
            .text(
                "Compares each counter with the count of its likes, and the counters in Redis with those in "
                    + "PostgreSQL. It is exact while traffic runs, and works in short statements. Settings are read "
                    + "as by `migrate`. Prints a line for each difference:"),
            .lines("post:456 counter-high counters=12 likes=10 version=17"),
            .terms([
                ("counter-high, counter-low", "The counter is not the count of the likes."),
                ("counter-missing", "There are likes, but no counter."),
                ("redis-wrong", "Redis has another count at the same version."),
                ("redis-stale", "Redis has been behind for more than 2 seconds."),
                ("redis-newer", "Redis has a version that PostgreSQL never had."),
                (
                    "like-twice",
                    "One user's like is stored more than once, which is possible only if the key of user_likes is "
                        + "missing."
                ),
                (
                    "unnamed-type",
                    "Items have a type that item_types does not name. Restore its name manually before a new type gets "
                        + "its number."
                ),
            ]),
            .text(
                "What is wrong with the tables themselves comes first, each with the SQL that corrects it. Run that "
                    + "SQL manually:"),
            .lines("lanes unlogged: ...; run: ALTER TABLE public.lanes SET LOGGED"),
            .text(
                "If that hides likes or counters, or blocks `--repair`, nothing else is compared until it is "
                    + "corrected. With `--repair` the line of a difference ends in `mended` or, if it was left alone, "
                    + "`not-mended`. Counters in Redis that likesd does not believe are no differences."),
            .text(
                "The exit status is 0 when there is no difference or all are mended, 9 when there are differences, "
                    + "and 10 when there are none but not everything could be checked. With `--json` each finding is "
                    + "an object on a line of its own. What could not be checked follows: with status 10 as one error "
                    + "of the code `INCOMPLETE`, with status 9 as warnings."),
            .options,
        ])
}

extension CommandOption {
    fileprivate static let ofVerify: [CommandOption] = [
        flag(
            "--repair", "mend what is found, in short transactions",
            details: "Counters get what they lack, Redis forgets what is wrong, and of a like that is stored more than "
                + "once the oldest stays. Every host is told. Tables are corrected manually.", \.verify.repairs),
        CommandOption(
            "--sample", taking: "n|percent%", "this many items drawn at random, or this share of them, instead of all",
            range: text(of: 1...Int64(VerifyOptions.sampleMax)) + ", or as in `2%`"
        ) { (value, options) throws(Failure) in options.verify.extent = try VerifyOptions.extent(value) },
        CommandOption(
            "--type", taking: "type", "items of this type alone", details: "May be repeated.", mayBeRepeated: true,
            completion: .itemType
        ) { (value, options) throws(Failure) in options.verify.types.append(value) },
        flag("--quiet", "the differences alone: no progress, no summary", excluding: ["--progress"], \.verify.isQuiet),
        flag("--verbose", "also counters in Redis that likesd does not believe", \.verify.isVerbose),
        flag(
            "--progress", "progress on standard error, even if that is no terminal", excluding: ["--quiet"],
            \.verify.showsProgress),
        whole("--slice", taking: "n", "rows that one statement reads", 1...1_000_000, \.verify.sliceRows),
        whole(
            "--items-per-pass", taking: "n", "items counted in one reading of all likes", 1...100_000_000,
            details: "Each takes about 50 bytes of memory.", \.verify.itemsPerPass),
        whole(
            "--snapshot-seconds", taking: "n",
            "seconds that one statement may take for items that change too often to be counted otherwise",
            0...86_400, details: "With 0 they are left undecided.", \.verify.snapshotSeconds),
    ]
}
