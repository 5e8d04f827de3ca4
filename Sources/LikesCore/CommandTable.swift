import LikesProtocol

/// COMMAND: describes likesd's verbs, so that redis-cli can complete and hint them.
func commandReply(_ arguments: ArraySlice<[UInt8]>) throws(ErrorReply) -> Reply {
    guard let subcommand = arguments.keyword else { return .array(Verb.allCases.map(commandEntry)) }
    let names = arguments.dropFirst()
    switch subcommand {
    case "COUNT" where names.isEmpty:
        return .integer(Int64(Verb.allCases.count))
    case "LIST" where names.isEmpty:
        return .array(Verb.allCases.map { Reply.text($0.name.lowercased()) })
    case "INFO":
        guard !names.isEmpty else { return .array(Verb.allCases.map(commandEntry)) }
        return .array(names.map { name in verb(name).map(commandEntry) ?? .null })
    case "DOCS":
        // As in Redis, a name that does not exist is left out.
        let verbs = names.isEmpty ? Verb.allCases : names.compactMap(verb)
        return .map(verbs.flatMap { [Reply.text($0.name.lowercased()), documentation($0)] })
    case "HELP" where names.isEmpty:
        return .array(commandHelp.map { Reply.simple($0) })
    default:
        throw unknownSubcommand("COMMAND", arguments.first ?? [])
    }
}

private let commandHelp = [
    "COMMAND [<subcommand> [<arg> ...]]. Subcommands are:",
    "(no subcommand) -- details of all commands.",
    "COUNT -- how many there are.",
    "DOCS [<command> ...] -- what they do and take.",
    "INFO [<command> ...] -- details of these commands.",
    "LIST -- their names.",
]

private func verb(_ name: [UInt8]) -> Verb? { name.withUnsafeBytes { Verb($0) } }

/// The ten fields of Redis 7. No command has keys in Redis' sense: there is nothing to route by.
private func commandEntry(_ verb: Verb) -> Reply {
    .array([
        .text(verb.name.lowercased()),
        .integer(verb.arity),
        .array(flags(verb).map { Reply.simple($0) }),
        .integer(0), .integer(0), .integer(0),
        .array([]), .array([]), .array([]), .array([]),
    ])
}

private func flags(_ verb: Verb) -> [String] {
    switch verb {
    case .like, .unlike: ["write"]
    case .count, .mcount, .liked, .mliked: ["readonly"]
    case .ping, .echo: ["fast"]
    case .health, .info, .metrics: ["loading", "stale"]
    case .reload: ["admin", "noscript", "loading", "stale"]
    case .quit, .reset, .hello, .client, .command, .select, .config: ["noscript", "loading", "stale", "fast"]
    }
}

private func summary(_ verb: Verb) -> String {
    switch verb {
    case .like: "Likes an item; answers whether that changed something, and the item's count."
    case .unlike: "Takes a like back; answers whether that changed something, and the item's count."
    case .count: "The number of users who like an item."
    case .mcount: "The counts of up to \(WireLimits.itemsPerRequestMax) items."
    case .liked: "Whether a user likes an item."
    case .mliked: "Whether a user likes each of up to \(WireLimits.itemsPerRequestMax) items."
    case .health: "Whether likesd, its database and its Redis are well."
    case .info: "Facts and counters of the daemon, in sections."
    case .metrics: "The daemon's counters for Prometheus."
    case .reload: "Reads the configuration file again and applies it, as a whole or not at all."
    case .ping: "Answers PONG, or the text."
    case .echo: "Answers the text."
    case .quit: "Closes the connection."
    case .reset: "Sets the connection back to RESP2 and no name."
    case .hello: "Chooses the protocol version and introduces both sides."
    case .client: "This connection's name, id and library."
    case .command: "Describes the commands."
    case .select: "Accepted for database 0, the only one."
    case .config: "The few Redis settings that clients ask for."
    }
}

/// One argument as COMMAND DOCS shows it.
private struct Argument {
    var name: String
    var type = "string"
    var flags: [String] = []
}

private func arguments(_ verb: Verb) -> [Argument] {
    let user = Argument(name: "user", type: "integer")
    let item = Argument(name: "item")
    let items = Argument(name: "item", flags: ["multiple"])
    return switch verb {
    case .like, .unlike, .liked: [user, item]
    case .count: [item]
    case .mcount: [items]
    case .mliked: [user, items]
    case .info: [Argument(name: "section", flags: ["optional"])]
    case .ping: [Argument(name: "text", flags: ["optional"])]
    case .echo: [Argument(name: "text")]
    case .hello: [Argument(name: "protover", type: "integer", flags: ["optional"])]
    case .client, .config: [Argument(name: "subcommand"), Argument(name: "argument", flags: ["optional", "multiple"])]
    case .command: [Argument(name: "subcommand", flags: ["optional"])]
    case .select: [Argument(name: "index", type: "integer")]
    case .health, .metrics, .reload, .quit, .reset: []
    }
}

private func documentation(_ verb: Verb) -> Reply {
    var fields: [Reply] = [
        .text("summary"), .text(summary(verb)),
        .text("since"), .text("0.1.0"),
        .text("group"), .text(group(verb)),
    ]
    let arguments = arguments(verb)
    if !arguments.isEmpty {
        fields += [.text("arguments"), .array(arguments.map(argumentEntry))]
    }
    return .map(fields)
}

/// redis-cli sorts its help by Redis' own groups and knows no other.
private func group(_ verb: Verb) -> String {
    switch verb {
    case .like, .unlike, .count, .mcount, .liked, .mliked: "generic"
    case .health, .info, .metrics, .reload, .command, .config: "server"
    case .ping, .echo, .quit, .reset, .hello, .client, .select: "connection"
    }
}

private func argumentEntry(_ argument: Argument) -> Reply {
    var fields: [Reply] = [
        .text("name"), .text(argument.name),
        .text("type"), .text(argument.type),
        .text("display_text"), .text(argument.name),
    ]
    if !argument.flags.isEmpty {
        fields += [.text("flags"), .array(argument.flags.map { Reply.simple($0) })]
    }
    return .map(fields)
}
