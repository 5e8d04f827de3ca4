import LikesStorage

/// What likesctl can be told to do.
enum Command: String, CaseIterable {
    case like, unlike, count, liked, health, info, metrics, ping, reload, bench, migrate, verify

    /// The arguments as the usage shows them.
    var arguments: String {
        switch self {
        case .like, .unlike: "USER ITEM"
        case .count: "ITEM…"
        case .liked: "USER ITEM…"
        case .info: "[SECTION]"
        case .ping: "[TEXT]"
        case .health, .metrics, .reload, .bench, .migrate, .verify: ""
        }
    }

    /// How many arguments it takes.
    var argumentCounts: ClosedRange<Int> {
        switch self {
        case .like, .unlike: 2...2
        case .count: 1...Int.max
        case .liked: 2...Int.max
        case .info, .ping: 0...1
        case .health, .metrics, .reload, .bench, .migrate, .verify: 0...0
        }
    }

    /// Whether `--json` has something to show.
    var hasJSON: Bool {
        switch self {
        case .like, .unlike, .count, .liked, .health, .info, .ping, .reload, .bench, .migrate, .verify: true
        case .metrics: false
        }
    }

    /// Whether it talks to the backends of the configuration instead of the daemon.
    var readsConfiguration: Bool {
        switch self {
        case .migrate, .verify: true
        case .like, .unlike, .count, .liked, .health, .info, .metrics, .ping, .reload, .bench: false
        }
    }

    /// Whether an answer that does not come leaves open what was stored.
    var isChange: Bool {
        switch self {
        case .like, .unlike: true
        case .count, .liked, .health, .info, .metrics, .ping, .reload, .bench, .migrate, .verify: false
        }
    }

    var summary: String {
        switch self {
        case .like: "USER likes ITEM from now on"
        case .unlike: "USER does not like ITEM any more"
        case .count: "how many like ITEM"
        case .liked: "whether USER likes ITEM"
        case .health: "whether likesd and its backends are well"
        case .info: "facts and figures, laid out like Redis' INFO"
        case .metrics: "the metrics, in Prometheus' text format"
        case .ping: "whether the daemon answers"
        case .reload: "let the daemon read its configuration file again"
        case .bench: "measure how fast likesd answers under a load of your choice"
        case .migrate: "create or upgrade the tables at DATABASE_URL"
        case .verify: "compare counters, likes and Redis; --repair mends"
        }
    }

    /// What `likesctl COMMAND --help` says below the usage.
    var explanation: String {
        switch self {
        case .like, .unlike:
            """
            Prints 'changed=1 count=42': changed is 0 where it was so already, count is the
            item's count. Done once it is durable in PostgreSQL; safe to repeat.
            """
        case .count:
            """
            One item: prints its count. Several, up to 1,000: prints a line 'ITEM COUNT' for
            each. An item never liked has count 0.
            """
        case .liked:
            """
            One item: prints 1 or 0. Several, up to 1,000: prints a line 'ITEM 1' or 'ITEM 0'
            for each. The exit status is 0 either way; in a script:

                if [ "$(likesctl liked 123 post:456)" = 1 ]; then …
            """
        case .health:
            """
            Prints a line 'name value' for status, database, redis and, when something is to
            be done, message. The exit status is 0 when the status is ok, 2 when degraded, 3
            when down.
            """
        case .info: "SECTION limits it to one section, as in 'likesctl info server'."
        case .metrics: "For Prometheus' node exporter, write it into a file of its textfile collector."
        case .ping: "Prints PONG, or TEXT when given."
        case .reload:
            """
            For root and the user likesd runs as. The file is applied as a whole or, when
            something in it is wrong, not at all: the exit status is 78 then, and each problem
            is named with its line. Prints which settings changed, and which ones need a
            restart to change ('systemctl restart likesd' loses no client and no like).
            """
        case .migrate:
            """
            Reads the configuration file (--config FILE; else /etc/likesd/likesd.conf where
            there is one), credentials ($CREDENTIALS_DIRECTORY) and the environment; the later
            wins. Needs a user who may create tables.
            Adds the configured ITEM_TYPES that are missing. It is safe to run again, and to
            run from two hosts at once. The daemon need not run, and need not be restarted.

              --partitions N      where the tables are made: divide user_likes into so many
                                  tables by the user, \(Partitions.countMin) to \(Partitions.countMax). Costs each batch
                                  a little, and pays where one table has become too large to
                                  look after. Tables that are there already are not changed
              --sql               print the statements instead, for psql or a tool of your own;
                                  they are safe to repeat as well
            """
        case .bench: BenchOptions.explanation
        case .verify: VerifyOptions.explanation
        }
    }

    /// `likesctl like USER ITEM`
    var usage: String {
        "likesctl \(rawValue)\(options)\(arguments.isEmpty ? "" : " " + arguments)"
    }

    private var options: String {
        let socketOrConfig = readsConfiguration ? " [--config FILE]" : " [--socket PATH]"
        let own =
            switch self {
            case .verify: VerifyOptions.usage
            case .bench: BenchOptions.usage
            case .migrate: " [--partitions N] [--sql]"
            case .like, .unlike, .count, .liked, .health, .info, .metrics, .ping, .reload: ""
            }
        return socketOrConfig + own + (hasJSON ? " [--json]" : "")
    }
}
