import LikesProtocol

/// Answers what client libraries send on their own when they connect, as Redis would, as far as it applies to likesd.
/// Everything else gets an error that says so. Client libraries tolerate this for what they do not need.
///
/// `connectionsMax` is the answer to CONFIG GET maxclients.
package func handshakeReply(
    _ verb: HandshakeVerb, _ arguments: [[UInt8]], client: inout ClientFacts, connectionsMax: Int
) -> Reply {
    do throws(ErrorReply) {
        switch verb {
        case .hello: return try helloReply(arguments[...], client: &client)
        case .client: return try clientReply(arguments[...], client: &client)
        case .command: return try commandReply(arguments[...])
        case .select: return try selectReply(arguments)
        case .config: return try configReply(arguments[...], connectionsMax: connectionsMax)
        }
    } catch {
        return .error(error)
    }
}

extension ArraySlice<[UInt8]> {
    /// The first word as an upper-case keyword; nil: there is none.
    var keyword: String? { first.map { String(decoding: $0, as: UTF8.self).uppercased() } }
}

// MARK: HELLO

/// A HELLO takes effect completely or not at all.
private func helloReply(_ arguments: ArraySlice<[UInt8]>, client: inout ClientFacts) throws(ErrorReply) -> Reply {
    var changed = client
    var rest = arguments
    if let version = rest.popFirst() {
        switch version {
        case [UInt8(ascii: "2")]: changed.version = .resp2
        case [UInt8(ascii: "3")]: changed.version = .resp3
        default: throw ErrorReply(.noProto, "unsupported protocol version: 2 and 3 are supported")
        }
    }
    while let option = rest.keyword {
        let values = rest.dropFirst()
        switch option {
        case "AUTH" where values.count >= 2:
            // Like a Redis without a password: the default user may give any password, and there is no other user.
            guard let user = values.first, user == Array("default".utf8) else {
                throw ErrorReply(
                    .err, "there is no such user: leave AUTH out, or use 'default'; access is by the socket's mode")
            }
            rest = values.dropFirst(2)
        case "SETNAME" where values.count >= 1:
            changed.name = try checkedName(values.first ?? [], "Client names")
            rest = values.dropFirst()
        default:
            throw ErrorReply(
                .err,
                "Syntax error in HELLO option \(ErrorReply.quoting(rest.first ?? [])): "
                    + Verb.hello.description.parameters)
        }
    }
    client = changed
    return .hello(
        version: client.version,
        fields: [
            .text("server"), .text("likesd"),
            .text("version"), .text(VersionFacts.likesd),
            .text("proto"), .integer(Int64(client.version.rawValue)),
            .text("id"), .integer(client.id),
            .text("mode"), .text("standalone"),
            .text("role"), .text("master"),
            .text("modules"), .array([]),
        ])
}

private func checkedName(_ bytes: [UInt8], _ what: String) throws(ErrorReply) -> String {
    guard let name = ClientFacts.nameText(bytes) else {
        throw ErrorReply(
            .err,
            "\(what) cannot contain spaces, newlines or special characters, "
                + "nor be longer than \(ClientFacts.nameBytesMax) bytes")
    }
    return name
}

// MARK: CLIENT

private let clientHelp = [
    "CLIENT <subcommand> [<arg> ...]. Subcommands are:",
    "GETNAME -- the name of this connection.",
    "ID -- the id of this connection.",
    "INFO, LIST -- a line about this connection.",
    "NO-EVICT (ON|OFF), NO-TOUCH (ON|OFF), REPLY ON -- accepted, without effect.",
    "SETINFO (LIB-NAME|LIB-VER) <value> -- say which library the client uses.",
    "SETNAME <name> -- name this connection.",
]

private func clientReply(_ arguments: ArraySlice<[UInt8]>, client: inout ClientFacts) throws(ErrorReply) -> Reply {
    guard let subcommand = arguments.keyword else { throw ErrorReply.wrongArguments(.client) }
    let rest = arguments.dropFirst()
    switch (subcommand, rest.count) {
    case ("SETINFO", 2):
        let value = rest.last ?? []
        switch rest.keyword {
        case "LIB-NAME": client.libraryName = try checkedName(value, "lib-name")
        case "LIB-VER": client.libraryVersion = try checkedName(value, "lib-ver")
        default:
            throw ErrorReply(
                .err,
                "Unrecognized option \(ErrorReply.quoting(rest.first ?? [])): allowed are LIB-NAME and LIB-VER")
        }
        return .ok
    case ("SETNAME", 1):
        client.name = try checkedName(rest.first ?? [], "Client names")
        return .ok
    case ("GETNAME", 0): return client.name.isEmpty ? .null : .text(client.name)
    case ("ID", 0): return .integer(client.id)
    case ("INFO", 0), ("LIST", 0): return .text(client.line)
    case ("NO-EVICT", 1), ("NO-TOUCH", 1):
        guard rest.keyword == "ON" || rest.keyword == "OFF" else {
            throw ErrorReply(.err, "syntax error: CLIENT \(subcommand) takes ON or OFF")
        }
        return .ok
    case ("REPLY", 1):
        guard rest.keyword == "ON" else {
            throw ErrorReply(.err, "CLIENT REPLY takes ON only: every request is answered")
        }
        return .ok
    case ("HELP", 0): return .array(clientHelp.map { Reply.simple($0) })
    default: throw unknownSubcommand("CLIENT", arguments.first ?? [])
    }
}

/// The first sentence has Redis' wording.
func unknownSubcommand(_ command: String, _ word: [UInt8]) -> ErrorReply {
    ErrorReply(
        .err,
        "unknown subcommand or wrong number of arguments for \(ErrorReply.quoting(word)). Try \(command) HELP.")
}

// MARK: SELECT

private func selectReply(_ arguments: [[UInt8]]) throws(ErrorReply) -> Reply {
    guard arguments.count == 1, let index = arguments.first else { throw ErrorReply.wrongArguments(.select) }
    guard !index.isEmpty, index.allSatisfy({ $0 == UInt8(ascii: "0") }) else {
        throw ErrorReply(.err, "DB index is out of range: there is only database 0")
    }
    return .ok
}

// MARK: CONFIG

/// The most bytes in a pattern: longer than any setting's name, and short enough to match quickly.
private let patternBytesMax = 128

private let configHelp = [
    "CONFIG <subcommand> [<arg> ...]. Subcommands are:",
    "GET <pattern> [<pattern> ...] -- what Redis clients ask for; likesd's own settings are in its configuration file.",
]

private func configReply(_ arguments: ArraySlice<[UInt8]>, connectionsMax: Int) throws(ErrorReply) -> Reply {
    guard let subcommand = arguments.keyword else { throw ErrorReply.wrongArguments(.config) }
    let patterns = arguments.dropFirst()
    switch subcommand {
    case "GET" where !patterns.isEmpty:
        for pattern in patterns where pattern.count > patternBytesMax {
            throw ErrorReply(.err, "too long a pattern for CONFIG GET: \(patternBytesMax) bytes allowed")
        }
        let globs = patterns.map { GlobPattern($0) }
        let settings = redisSettings(connectionsMax: connectionsMax)
        return .map(
            settings.filter { setting in globs.contains { $0.matches(setting.name) } }
                .flatMap { [Reply.text($0.name), Reply.text($0.value)] })
    case "HELP" where patterns.isEmpty:
        return .array(configHelp.map { Reply.simple($0) })
    case "SET", "REWRITE", "RESETSTAT":
        throw ErrorReply(
            .err,
            "CONFIG \(subcommand) is not supported: change likesd's configuration file and reload it (some settings "
                + "need a restart)")
    default:
        throw unknownSubcommand("CONFIG", arguments.first ?? [])
    }
}

/// The settings that client libraries and Redis' own tools ask for, with values that fit likesd.
private func redisSettings(connectionsMax: Int) -> [(name: String, value: String)] {
    [
        ("appendonly", "no"),
        ("cluster-enabled", "no"),
        ("databases", "1"),
        ("maxclients", String(connectionsMax)),
        ("maxmemory", "0"),
        ("maxmemory-policy", "noeviction"),
        ("notify-keyspace-events", ""),
        ("proto-max-bulk-len", String(WireLimits.lineBytesMax)),
        ("replica-read-only", "yes"),
        ("save", ""),
        ("slave-read-only", "yes"),
        ("tcp-keepalive", "0"),
        ("timeout", "0"),
    ]
}
