import LikesProtocol
import LikesSettings
import LikesStorage

// The table of all commands. A new one needs a case of `Command`, an entry here, and its code in likesctl.
extension Command {
    private static let descriptions = Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.described) })

    /// What it takes and does.
    package var description: CommandDescription { Command.descriptions[self] ?? described }

    private var described: CommandDescription {
        switch self {
        case .like: .like
        case .unlike: .unlike
        case .count: .count
        case .liked: .liked
        case .likes: .likes
        case .likers: .likers
        case .health: .health
        case .info: .info
        case .metrics: .metrics
        case .ping: .ping
        case .reload: .reload
        case .bench: .bench
        case .plan: .plan
        case .migrate: .migrate
        case .verify: .verify
        case .import: .importing
        case .export: .exporting
        case .forget: .forget
        case .remove: .remove
        }
    }
}

extension CommandOption {
    static let socket = path(
        "--socket", taking: "path", "the daemon's socket",
        details:
            "Without it, `LIKESD_SOCKET` from the environment, otherwise `\(Configuration().socketPath)`. The socket "
            + "of the instance `likesd@NAME` is `/run/likesd/likesd@NAME.sock`.",
        whyNotElsewhere: "it asks PostgreSQL, not the daemon", \.socketPath)

    static let config = path(
        "--config", taking: "file", "the configuration file, for commands that ask PostgreSQL",
        details: "Without it, `/etc/likesd/likesd.conf`, if it exists.",
        whyNotElsewhere: "it asks the daemon, whose socket --socket names", \.configFile)

    static let json = flag(
        "--json", "print JSON, errors too",
        details:
            "An error is the object `{\"error\":{\"code\":…,\"message\":…,\"next\":…}}` on standard output; `next` "
            + "says what to do, or is null.",
        whyNotElsewhere: "it prints the format of Prometheus", \.json)

    static let help = CommandOption(
        "--help", short: "-h", "list all commands or, with a command, explain that one"
    ) { (_, _) throws(Failure) in }

    static let version = CommandOption("--version", short: "-V", "print the version") { (_, _) throws(Failure) in }

    /// Options of several commands, which the manual explains once.
    package static let shared = [socket, config, json, help, version]

    /// Options that are also valid without a command.
    package static let everywhere = [help, version]

    /// Options of every command that asks the daemon.
    fileprivate static let ofRequests = [socket, json]
}

extension CommandDescription {
    private static let user = Argument("user")
    private static let items = Argument("item", .many, .item)
    private static let itemsMax = WireLimits.itemsPerRequestMax

    private static let outcomeOfChange: [Block] = [
        .text(
            "Prints `changed=1 count=42`. `changed` is 0 if there was nothing to change; `count` is the item's "
                + "count. The answer comes once the change is durable in PostgreSQL. It is safe to repeat.")
    ]

    fileprivate static let like = CommandDescription(
        "record that *user* likes *item*", arguments: [user, Argument("item", .one, .item)],
        options: CommandOption.ofRequests, explanation: outcomeOfChange)

    fileprivate static let unlike = CommandDescription(
        "take back that *user* likes *item*", arguments: [user, Argument("item", .one, .item)],
        options: CommandOption.ofRequests, explanation: outcomeOfChange)

    fileprivate static let count = CommandDescription(
        "print how many users like each *item*", arguments: [items], options: CommandOption.ofRequests,
        explanation: [
            .text(
                "For one item it prints the count, for several, up to \(itemsMax), a line `ITEM COUNT` for each. An "
                    + "item never liked has count 0. With `--json` it prints an array with one object per item, also "
                    + "for one item: `[{\"item\":\"post:456\",\"count\":42}]`.")
        ])

    fileprivate static let liked = CommandDescription(
        "print whether *user* likes each *item*", arguments: [user, items], options: CommandOption.ofRequests,
        explanation: [
            .text(
                "For one item it prints 1 or 0, for several, up to \(itemsMax), a line `ITEM 1` or `ITEM 0` for each. "
                    + "With `--json` it prints an array with one object per item, also for one item: "
                    + "`[{\"user\":\"123\",\"item\":\"post:456\",\"liked\":true}]`. The exit status is 0 either way; "
                    + "in a script:"),
            .lines("if [ \"$(likesctl liked 123 post:456)\" = 1 ]; then …"),
        ])

    fileprivate static let likes = CommandDescription(
        "print what *user* likes, a page at a time", arguments: [user],
        options: CommandOption.ofRequests + [.after, .limit],
        explanation: [
            .text(
                "Prints an item per line, by id and then by type; with `--json`, "
                    + "`{\"user\":\"123\",\"items\":[\"post:456\"]}`. A page with fewer items than its limit is the "
                    + "last. To get the next page, give its last item to `--after`. Likes that come and go "
                    + "meanwhile move no other item to another page."),
            .options,
        ])

    fileprivate static let likers = CommandDescription(
        "print who likes *item*, a page at a time", arguments: [Argument("item", .one, .item)],
        options: CommandOption.ofRequests + [.after, .limit],
        explanation: [
            .text(
                "Prints a user per line, by id; with `--json`, `{\"item\":\"post:456\",\"users\":[\"1\"]}`. Pages are "
                    + "as for `likes`. Needs the index that `likesctl migrate --likers-index` makes."),
            .options,
        ])

    fileprivate static let health = CommandDescription(
        "show whether likesd and its backends work", options: CommandOption.ofRequests,
        explanation: [
            .text(
                "Prints a line `NAME VALUE` for `status` (`ok`, `degraded` or `down`), `database`, `redis` and, when "
                    + "something is to be done, `message`, which says what. The exit status is 0 when the status is "
                    + "ok, 2 when degraded, 3 when down.")
        ])

    fileprivate static let info = CommandDescription(
        "show facts and figures, laid out like Redis' INFO",
        arguments: [
            Argument(
                "section", .optional,
                choices: (InfoSection.allCases.map(\.rawValue), InfoSection.namesOfAll))
        ],
        options: CommandOption.ofRequests,
        explanation: [
            .text(
                "With *section*, only that one: "
                    + InfoSection.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ") + ".")
        ])

    fileprivate static let metrics = CommandDescription(
        "print the metrics in Prometheus' text format", options: [.socket],
        explanation: [
            .text(
                "For Prometheus' node exporter, write them into a file of its textfile collector: "
                    + "`/usr/share/doc/likesd/examples/prometheus` has a timer that does it, and alerts.")
        ])

    fileprivate static let ping = CommandDescription(
        "check that the daemon answers", arguments: [Argument("text", .optional)], options: CommandOption.ofRequests,
        explanation: [.text("Prints PONG, or *text* when given.")])

    fileprivate static let reload = CommandDescription(
        "have the daemon read its configuration file again", options: CommandOption.ofRequests,
        explanation: [
            .text(
                "Only root and the user likesd runs as may do this; for others the exit status is 77. The daemon "
                    + "checks the whole file and applies it as a whole or, if anything in it is wrong, not at all. "
                    + "Then the exit status is 78, and the message names file and line of what is wrong. Prints the "
                    + "settings that changed, and those that need a restart to change (`systemctl restart likesd` "
                    + "loses no client and no like). `systemctl reload likesd` runs this command.")
        ])

    fileprivate static let migrate = CommandDescription(
        "create or upgrade the tables at `DATABASE_URL`, or take over those of the reference service",
        options: [
            .config, .json, .partitions, .likersIndex, .sql, .typeNumber, .adopt, .adoptFinish, .adoptUndo,
            .dropIndexes, .lockWait,
        ], check: { (options) throws(Failure) in try options.migrate.takeover.check() },
        explanation: [
            .text(
                "Reads the configuration file, credentials (`$CREDENTIALS_DIRECTORY`) and the environment; later ones "
                    + "win. Needs a database user who may create tables. Adds the configured `ITEM_TYPES` that are "
                    + "missing. It is safe to run again, and to run from several hosts at once. The daemon need not "
                    + "run, and need not be restarted. Of several hosts in `DATABASE_URL` it takes the one that "
                    + "likesd would use; so does `verify`. If the tables are not as likesd needs them, although "
                    + "the version is right, it prints what `verify` prints about that, and the exit status is 9. "
                    + "While `item_types` cannot be read as it is, no types are added."),
            .text(
                "`--adopt`, `--adopt-finish` and `--adopt-undo` move a database of the reference service, the HTTP "
                    + "application whose tables likesd shares: `/usr/share/doc/likesd/moving.md` has the whole move. "
                    + "Rows that likesd cannot hold are counted and named; those that somebody has to correct first "
                    + "are a refusal, and the exit status is 1. A lock that others hold for longer than `--wait` is "
                    + "status 75. Wherever it ends, what was done so far stays, and the same command goes on."),
            .options,
        ])
}

extension CommandOption {
    fileprivate static let after = CommandOption(
        "--after", taking: "cursor", "begin after this item (`likes`) or after this user (`likers`)",
        whyNotElsewhere: "it is for lists"
    ) { (value, options) throws(Failure) in options.after = value }

    fileprivate static let limit: CommandOption = {
        let range = 1...Int64(WireLimits.itemsPerRequestMax)
        return CommandOption(
            "--limit", taking: "n", "print at most so many", range: text(of: range),
            preset: String(WireLimits.pageItems), whyNotElsewhere: "it is for lists"
        ) { (value, options) throws(Failure) in options.limit = try OptionValue.whole("--limit", value, range) }
    }()

    fileprivate static let likersIndex = flag(
        "--likers-index", "also make the index that `likers` and `remove` need",
        details: "It finds who likes an item, in about 40 bytes for each like, and makes each like dearer. Hosts go on "
            + "meanwhile. An index that an earlier attempt left unfinished is replaced.", excluding: ["--sql"],
        \.migrate.makesLikersIndex)

    fileprivate static let sql = flag(
        "--sql", "print the SQL statements instead of executing them",
        details: "They are for psql or a tool of your own, and safe to repeat as well.", excluding: ["--json"],
        \.migrate.printsSQL)

    fileprivate static let partitions: CommandOption = {
        let range = Int64(Partitions.countMin)...Int64(Partitions.countMax)
        return CommandOption(
            "--partitions", taking: "n", "divide user_likes by the user into this many tables when it is created",
            range: text(of: range),
            details: "This costs each batch a little. It pays once one table has become too large to maintain: see "
                + "`/usr/share/doc/likesd/performance.md`. Tables in another layout are left alone, and the exit "
                + "status is 1."
        ) { (value, options) throws(Failure) in
            options.migrate.partitions = Partitions(Int(try OptionValue.whole("--partitions", value, range)))
        }
    }()
}
