/// What `likesctl verify` is asked to do, beyond where.
struct VerifyOptions: Equatable {
    /// How much is looked at.
    enum Extent: Equatable {
        case whole
        /// So many items, 1 or more, drawn at random.
        case items(Int)
        /// That part of the items, above 0 and at most 100.
        case percent(Double)
    }

    /// Items of a sample: they are held in memory, and sent with each statement when they are few.
    static let sampleMax = 1_000_000

    var extent = Extent.whole
    var repairs = false
    var isQuiet = false
    var isVerbose = false
    /// Progress where the terminal would not show it by itself.
    var showsProgress = false
    /// Names of item types; empty: all.
    var types: [String] = []
    /// Rows that one statement reads of a table, about.
    var sliceRows = 20_000
    /// Items that are held in memory: each pass over the likes counts so many.
    var itemsPerPass = 1_000_000
    /// How long one statement may read all likes for items that never stand still.
    var snapshotSeconds: Int64 = 60

    static let flags: Set<String> = ["--repair", "--quiet", "--verbose", "--progress"]
    static let names: Set<String> = ["--sample", "--type", "--slice", "--items-per-pass", "--snapshot-seconds"]

    static let usage =
        " [--repair] [--sample N|PERCENT%] [--type TYPE]… [--quiet] [--verbose] [--progress] [--slice N]"
        + " [--items-per-pass N] [--snapshot-seconds N]"

    static let explanation = """
        Compares each counter with the count of its likes, and Redis' counters with those in
        PostgreSQL. Exact while traffic runs. Settings are read as by migrate: --config FILE or
        /etc/likesd/likesd.conf, and the environment. Prints a line for each difference:

            post:456 counter-high counters=12 likes=10 version=17

        counter-high, counter-low: the counter is not the count of the likes;
        counter-missing: likes, but no counter; redis-wrong: another count at the same
        version; redis-stale: old for more than 2 s; redis-newer: a version that PostgreSQL
        never had; like-twice: the like stands more than once, as it can only where the key of
        user_likes is missing; unnamed-type: items of a type that item_types does not name,
        which is mended by hand. Counters that likesd does not believe are no differences. What
        is wrong with the tables themselves comes first, with the SQL that mends it.

          --repair            mend what is found, in short transactions: counters get what
                              they lack, Redis forgets what is wrong, of a like that stands
                              more than once the oldest stays. Every host is told. Tables
                              are mended by hand
          --sample N          N items drawn at random, instead of all; or a part: 2%
          --type TYPE         items of this type alone; may be repeated
          --json              each difference, and the summary, as one line of JSON
          --quiet             the differences alone: no progress, no summary
          --verbose           also counters in Redis that likesd does not believe
          --progress          progress on standard error even when it is no terminal
          --slice N           rows that one statement reads, 20000 unless told
          --items-per-pass N  items counted in one reading of all likes, 1000000 unless told:
                              about 50 bytes of memory each
          --snapshot-seconds N  how long one statement may take for items that change all the
                              time, 60 unless told; 0: they are left undecided

        The exit status is 0 when there is no difference or all are mended, 9 when there are
        differences, 10 when there are none but not everything could be checked.
        """

    /// One of `flags`.
    mutating func set(flag name: String) {
        switch name {
        case "--repair": repairs = true
        case "--quiet": isQuiet = true
        case "--verbose": isVerbose = true
        case "--progress": showsProgress = true
        default: preconditionFailure("no flag of verify: \(name)")
        }
    }

    /// One of `names`.
    mutating func set(_ name: String, to value: String) throws(Failure) {
        switch name {
        case "--sample": extent = try Self.extent(value)
        case "--type": types.append(value)
        case "--slice": sliceRows = Int(try OptionValue.whole(name, value, 1...1_000_000))
        case "--items-per-pass": itemsPerPass = Int(try OptionValue.whole(name, value, 1...100_000_000))
        case "--snapshot-seconds": snapshotSeconds = try OptionValue.whole(name, value, 0...86_400)
        default: preconditionFailure("no option of verify: \(name)")
        }
    }

    /// What can't be seen option by option.
    func check() throws(Failure) {
        guard !(isQuiet && showsProgress) else {
            throw Failure(.usage, "--quiet and --progress exclude each other")
        }
    }

    private static func extent(_ value: String) throws(Failure) -> Extent {
        guard value.hasSuffix("%") else {
            return .items(Int(try OptionValue.whole("--sample", value, 1...Int64(sampleMax))))
        }
        guard let percent = OptionValue.decimal(value.dropLast()), percent > 0, percent <= 100 else {
            throw Failure(.usage, "--sample: '\(value)' is no part: more than 0% and at most 100%, as in 0.5%")
        }
        return .percent(percent)
    }
}
