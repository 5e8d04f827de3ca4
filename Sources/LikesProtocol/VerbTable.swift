// The table of all verbs. A new one needs a case of `Verb` and of `Request`, a case of `description` and an entry
// here, and a line in `RequestDecoder`.
extension Verb {
    /// What it takes, answers and means.
    package var description: VerbDescription {
        switch self {
        case .like: .like
        case .unlike: .unlike
        case .count: .count
        case .mcount: .mcount
        case .liked: .liked
        case .mliked: .mliked
        case .likes: .likes
        case .likers: .likers
        case .health: .health
        case .info: .info
        case .metrics: .metrics
        case .reload: .reload
        case .ping: .ping
        case .echo: .echo
        case .quit: .quit
        case .reset: .reset
        case .hello: .hello
        case .client: .client
        case .command: .command
        case .select: .select
        case .config: .config
        }
    }
}

extension VerbDescription {
    private static let user = Argument("user", .integer)
    private static let item = Argument("item")
    private static let items = Argument("item", isRepeated: true)
    private static let subcommand = Argument("subcommand")
    private static let withCached = Argument("withcached", .token, token: "WITHCACHED", isOptional: true)
    private static let limit = Argument("n", .integer, token: "LIMIT", isOptional: true)
    private static let furtherArguments = Argument("argument", isOptional: true, isRepeated: true)

    private static let ofReports: [Flag] = [.loading, .stale]
    private static let ofConnections: [Flag] = [.noscript, .loading, .stale, .fast]

    // MARK: Likes

    fileprivate static let like = VerbDescription(
        .likes, .generic, "Likes an item; answers whether that changed something, and the item's count.",
        since: "0.1.0", flags: [.write], arguments: [user, item],
        forms: [Form("LIKE user item", "array of *changed* and *count*: `*2␍␊:1␍␊:42␍␊`")])

    fileprivate static let unlike = VerbDescription(
        .likes, .generic, "Removes a like; answers whether that changed something, and the item's count.",
        since: "0.1.0", flags: [.write], arguments: [user, item],
        forms: [Form("UNLIKE user item", "array of *changed* and *count*: `*2␍␊:1␍␊:41␍␊`")])

    fileprivate static let count = VerbDescription(
        .likes, .generic, "The number of users who like an item.",
        since: "0.1.0", flags: [.readonly], arguments: [item],
        forms: [Form("COUNT item", "integer, how many users like the item: `:42␍␊`; 0 for an item never liked")])

    fileprivate static let mcount = VerbDescription(
        .likes, .generic, "The counts of up to \(WireLimits.itemsPerRequestMax) items.",
        since: "0.1.0", flags: [.readonly], arguments: [items, withCached],
        forms: [
            Form("MCOUNT item [item ...]", "array of integers in the order of the items: `*2␍␊:42␍␊:0␍␊`"),
            Form(
                "MCOUNT item [item ...] WITHCACHED",
                "array of two integers for each item: its count, and 1 if it came from a cache or 0 if PostgreSQL was "
                    + "asked: `*4␍␊:42␍␊:1␍␊:0␍␊:0␍␊`"),
        ])

    fileprivate static let liked = VerbDescription(
        .likes, .generic, "Whether a user likes an item.",
        since: "0.1.0", flags: [.readonly], arguments: [user, item],
        forms: [Form("LIKED user item", "integer: `:1␍␊` or `:0␍␊`")])

    fileprivate static let mliked = VerbDescription(
        .likes, .generic, "Whether a user likes each of up to \(WireLimits.itemsPerRequestMax) items.",
        since: "0.1.0", flags: [.readonly], arguments: [user, items],
        forms: [
            Form("MLIKED user item [item ...]", "array of 1 and 0 in the order of the items: `*2␍␊:1␍␊:0␍␊`")
        ])

    fileprivate static let likes = VerbDescription(
        .likes, .generic, "What a user likes, a page at a time.", since: "0.1.0", flags: [.readonly],
        arguments: [user, Argument("item", token: "AFTER", isOptional: true), limit],
        forms: [
            Form(
                "LIKES user [AFTER item] [LIMIT n]",
                "array of items, by id and then by type; those behind `item`, at most `n`: "
                    + "`*2␍␊$6␍␊post:7␍␊$8␍␊reel:456␍␊`")
        ])

    fileprivate static let likers = VerbDescription(
        .likes, .generic, "Who likes an item, a page at a time.", since: "0.1.0", flags: [.readonly],
        arguments: [item, Argument("user", .integer, token: "AFTER", isOptional: true), limit],
        forms: [
            Form(
                "LIKERS item [AFTER user] [LIMIT n]",
                "array of integers, the users by id; those behind `user`, at most `n`: `*2␍␊:1␍␊:42␍␊`; `-ERR` without "
                    + "the index that `likesctl migrate --likers-index` makes")
        ])

    // MARK: The daemon

    fileprivate static let health = VerbDescription(
        .daemon, .server, "Whether likesd, its database and its Redis are healthy.", since: "0.1.0", flags: ofReports,
        forms: [Form("HEALTH", "map of bulk strings: `status`, `database`, `redis` and, at times, `message`")])

    fileprivate static let info = VerbDescription(
        .daemon, .server, "Facts and counters of the daemon, in sections.", since: "0.1.0", flags: ofReports,
        arguments: [Argument("section", isOptional: true)],
        forms: [
            Form(
                "INFO [section]",
                "bulk string, laid out like Redis' INFO: `# Section` lines and `name:value` lines, ended by CR LF; "
                    + "empty for a section that does not exist")
        ])

    fileprivate static let metrics = VerbDescription(
        .daemon, .server, "The daemon's counters for Prometheus.", since: "0.1.0", flags: ofReports,
        forms: [Form("METRICS", "bulk string, the text exposition format of Prometheus")])

    fileprivate static let reload = VerbDescription(
        .daemon, .server, "Reads the configuration file again and applies it, as a whole or not at all.",
        since: "0.1.0", flags: [.admin, .noscript, .loading, .stale],
        forms: [Form("RELOAD", "map of two arrays of setting names: `applied` and `restart`")])

    // MARK: The connection

    fileprivate static let ping = VerbDescription(
        .connection, .connection, "Answers PONG, or the text.", since: "0.1.0", flags: [.fast],
        arguments: [Argument("text", isOptional: true)],
        forms: [Form("PING", "`+PONG␍␊`"), Form("PING text", "bulk string, the text: `$2␍␊hi␍␊`")])

    fileprivate static let echo = VerbDescription(
        .connection, .connection, "Answers the text.", since: "0.1.0", flags: [.fast], arguments: [Argument("text")],
        forms: [Form("ECHO text", "bulk string, the text")])

    fileprivate static let quit = VerbDescription(
        .connection, .connection, "Closes the connection.", since: "0.1.0", flags: ofConnections,
        // Redis closes the connection whatever follows the verb.
        ignoresArguments: true,
        forms: [Form("QUIT", "`+OK␍␊` in its turn, then the connection is closed")])

    fileprivate static let reset = VerbDescription(
        .connection, .connection, "Resets the connection to RESP2 without a name.", since: "0.1.0",
        flags: ofConnections,
        forms: [Form("RESET", "`+RESET␍␊`; the connection is back at RESP2 and has no name")])

    // MARK: What client libraries send by themselves

    fileprivate static let hello = VerbDescription(
        .handshake, .connection, "Chooses the protocol version and introduces both sides.", since: "0.1.0",
        flags: ofConnections,
        arguments: [Argument("protover", .integer, isOptional: true)],
        parameters: "[2|3 [AUTH username password] [SETNAME name]]",
        forms: [
            Form(
                "HELLO [2|3 [AUTH username password] [SETNAME name]]",
                "map, already in the new version, of `server`, `version`, `proto`, `id`, `mode`, `role` and `modules`")
        ])

    fileprivate static let client = VerbDescription(
        .handshake, .connection, "This connection's name, id and library.", since: "0.1.0", flags: ofConnections,
        arguments: [subcommand, furtherArguments],
        forms: [
            Form("CLIENT SETNAME name", "`+OK␍␊`; printable ASCII without blanks, an empty name removes it"),
            Form("CLIENT GETNAME", "bulk string, or null without a name"),
            Form("CLIENT SETINFO LIB-NAME|LIB-VER text", "`+OK␍␊`"),
            Form("CLIENT ID", "integer"),
            Form("CLIENT INFO|LIST", "bulk string: one line, about this connection"),
            Form("CLIENT NO-EVICT|NO-TOUCH ON|OFF", "`+OK␍␊`, without effect"),
            Form("CLIENT REPLY ON", "`+OK␍␊`, without effect"),
            Form("CLIENT HELP", "array of simple strings"),
        ])

    fileprivate static let command = VerbDescription(
        .handshake, .server, "Describes the commands.", since: "0.1.0", flags: ofConnections,
        arguments: [Argument("subcommand", isOptional: true)], parameters: "[COUNT|LIST|INFO|DOCS [name ...]]",
        forms: [
            Form(
                "COMMAND [INFO [name ...]]",
                "array with an array of Redis' ten fields for each command, null for an unknown name"),
            Form("COMMAND COUNT", "integer"),
            Form("COMMAND LIST", "array of names"),
            Form(
                "COMMAND DOCS [name ...]",
                "map from names to maps of `summary`, `since`, `group` and `arguments`, from which redis-cli makes "
                    + "its hints"),
            Form("COMMAND HELP", "array of simple strings"),
        ])

    fileprivate static let select = VerbDescription(
        .handshake, .connection, "Accepted for database 0, the only one.", since: "0.1.0", flags: ofConnections,
        arguments: [Argument("index", .integer)], parameters: "0",
        forms: [Form("SELECT 0", "`+OK␍␊`; any other database is an error")])

    fileprivate static let config = VerbDescription(
        .handshake, .server, "The few Redis settings that clients ask for.", since: "0.1.0", flags: ofConnections,
        arguments: [subcommand, furtherArguments], parameters: "GET pattern [pattern ...]",
        forms: [
            Form(
                "CONFIG GET pattern [pattern ...]",
                "map of those Redis settings that clients ask for and whose names match"),
            Form("CONFIG HELP", "array of simple strings"),
        ])
}
