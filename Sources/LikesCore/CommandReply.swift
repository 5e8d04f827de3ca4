import LikesProtocol

/// COMMAND: describes likesd's verbs, so that redis-cli can complete them and show hints.
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
        // As in Redis, names that do not exist are left out.
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

/// The ten fields of Redis 7. No verb has keys in Redis' sense, since there is no routing.
private func commandEntry(_ verb: Verb) -> Reply {
    let description = verb.description
    return .array([
        .text(verb.name.lowercased()),
        .integer(description.arity),
        .array(description.flags.map { Reply.simple($0.rawValue) }),
        .integer(0), .integer(0), .integer(0),
        .array([]), .array([]), .array([]), .array([]),
    ])
}

private func documentation(_ verb: Verb) -> Reply {
    let description = verb.description
    var fields: [Reply] = [
        .text("summary"), .text(description.summary),
        .text("since"), .text(description.since),
        .text("group"), .text(description.group.rawValue),
    ]
    if !description.arguments.isEmpty {
        fields += [.text("arguments"), .array(description.arguments.map(argumentEntry))]
    }
    return .map(fields)
}

private func argumentEntry(_ argument: VerbDescription.Argument) -> Reply {
    var fields: [Reply] = [
        .text("name"), .text(argument.name),
        .text("type"), .text(argument.kind.rawValue),
        .text("display_text"), .text(argument.name),
    ]
    if let token = argument.token { fields += [.text("token"), .text(token)] }
    let flags = (argument.isOptional ? ["optional"] : []) + (argument.isRepeated ? ["multiple"] : [])
    if !flags.isEmpty {
        fields += [.text("flags"), .array(flags.map { Reply.simple($0) })]
    }
    return .map(fields)
}
