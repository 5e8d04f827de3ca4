import LikesCore
import LikesProtocol
import Testing

private let ok = Reply.ok

private func ask(_ line: String, _ client: inout ClientFacts) -> Reply {
    let words = line.split(separator: " ").map { Array($0.utf8) }
    let verbs: [String: HandshakeVerb] = [
        "HELLO": .hello, "CLIENT": .client, "COMMAND": .command, "SELECT": .select, "CONFIG": .config,
    ]
    guard let name = words.first, let verb = verbs[String(decoding: name, as: UTF8.self)] else {
        Issue.record("not a handshake: \(line)")
        return .null
    }
    return handshakeReply(verb, Array(words.dropFirst()), client: &client, connectionsMax: 4_096)
}

private func ask(_ line: String) -> Reply {
    var client = ClientFacts(id: 7)
    return ask(line, &client)
}

private func field(_ name: String, of reply: Reply) -> Reply? {
    let fields: [Reply]
    switch reply {
    case .hello(_, let all): fields = all
    case .map(let all): fields = all
    case .integer, .change, .integers, .simple, .bulk, .null, .array, .reset, .error: return nil
    }
    for place in stride(from: 0, to: fields.count - 1, by: 2) where fields[place] == .text(name) {
        return fields[place + 1]
    }
    return nil
}

private func error(_ reply: Reply) -> ErrorReply? {
    if case .error(let error) = reply { error } else { nil }
}

@Test(
    "What client libraries send when they connect is answered without an error",
    arguments: [
        // Python, Node, Go, Java, .NET, C, redis-cli, redis-benchmark
        ["HELLO 3", "CLIENT SETINFO LIB-NAME redis-py", "CLIENT SETINFO LIB-VER 8.0.0", "SELECT 0"],
        ["HELLO 3 AUTH default secret SETNAME web-1"],
        ["HELLO 2 SETNAME web-1", "CLIENT ID"],
        ["CLIENT SETNAME web-1", "CLIENT SETINFO lib-name node-redis", "CLIENT SETINFO lib-ver 5.0.0"],
        ["HELLO 3", "CLIENT SETINFO LIB-NAME go-redis(,go1.24)", "CLIENT SETINFO LIB-VER 9.7.0"],
        ["HELLO 3", "CLIENT SETNAME a", "CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT REPLY ON"],
        ["CLIENT ID", "CONFIG GET slave-read-only", "CONFIG GET databases", "CONFIG GET timeout"],
        ["COMMAND DOCS", "COMMAND"],
        ["CONFIG GET save", "CONFIG GET appendonly"],
        ["HELLO", "CLIENT GETNAME", "CLIENT INFO", "CLIENT LIST", "COMMAND COUNT", "COMMAND INFO like nope"],
    ])
func whatClientLibrariesSendOnConnectingIsAnsweredWithoutAnError(lines: [String]) {
    var client = ClientFacts(id: 7)
    for line in lines { #expect(error(ask(line, &client)) == nil, "\(line)") }
}

@Test("HELLO answers Redis' fields in the version it chose, and without a version keeps the one in force")
func helloAnswersRedisFieldsInTheVersionItChose() {
    var client = ClientFacts(id: 7)
    for (line, version) in [("HELLO", 2), ("HELLO 3", 3), ("HELLO", 3), ("HELLO 2", 2)] as [(String, UInt8)] {
        let reply = ask(line, &client)
        #expect(field("proto", of: reply) == .integer(Int64(version)))
        #expect(field("server", of: reply) == .text("likesd"))
        #expect(field("id", of: reply) == .integer(7))
        #expect(field("mode", of: reply) == .text("standalone"))
        #expect(field("role", of: reply) == .text("master"))
        #expect(field("modules", of: reply) == .array([]))
        #expect(client.version.rawValue == version)
        guard case .hello(let answered, _) = reply else {
            Issue.record("\(line) does not switch")
            continue
        }
        #expect(answered == client.version)
    }
}

@Test(
    "HELLO that is refused changes nothing",
    arguments: [
        ("HELLO 4", ErrorCode.noProto), ("HELLO 1", .noProto), ("HELLO x", .noProto), ("HELLO 33", .noProto),
        ("HELLO 3 SETNAME", .err), ("HELLO 3 AUTH default", .err), ("HELLO 3 AUTH root x", .err),
        ("HELLO 3 SETNAME a NONSENSE", .err), ("HELLO 3 SETNAME \u{e9}", .err),
    ])
func aRefusedHelloChangesNothing(line: String, code: ErrorCode) {
    var client = ClientFacts(id: 7)
    client.name = "before"
    let before = client
    #expect(error(ask(line, &client))?.code == code)
    #expect(client == before)
}

@Test("The message for a version that does not exist is the one clients know")
func theMessageForAVersionThatDoesNotExistIsTheOneClientsKnow() {
    #expect(error(ask("HELLO 9"))?.message.hasPrefix("unsupported protocol version") == true)
}

@Test("CLIENT keeps the name and the library, and reports them")
func clientKeepsNameAndLibraryAndTellsThemAgain() {
    var client = ClientFacts(id: 7)
    #expect(ask("CLIENT GETNAME", &client) == .null)
    #expect(ask("CLIENT SETNAME web-1", &client) == ok)
    #expect(ask("CLIENT GETNAME", &client) == .text("web-1"))
    #expect(ask("CLIENT setinfo lib-name py", &client) == ok)
    #expect(ask("CLIENT SETINFO LIB-VER 8", &client) == ok)
    #expect(ask("CLIENT ID", &client) == .integer(7))
    let line = "id=7 addr=unix:0 name=web-1 flags=N db=0 user=default resp=2 lib-name=py lib-ver=8\n"
    #expect(ask("CLIENT LIST", &client) == .text(line))
    #expect(ask("CLIENT INFO", &client) == .text(line))
    client.reset()
    #expect(ask("CLIENT GETNAME", &client) == .null)
    #expect(client.libraryName == "py")
}

@Test("Setting an empty name removes the name")
func anEmptyNameTakesTheNameAway() {
    var client = ClientFacts(id: 7)
    _ = ask("CLIENT SETNAME a", &client)
    #expect(handshakeReply(.client, [Array("SETNAME".utf8), []], client: &client, connectionsMax: 1) == ok)
    #expect(client.name == "")
}

@Test("Names hold printable ASCII without blanks, up to 256 bytes")
func namesHoldPrintableASCIIWithoutBlanks() {
    var client = ClientFacts(id: 7)
    for bad in [Array("a b".utf8), Array("a\n".utf8), [0], [0xC3, 0xA9], [UInt8](repeating: 0x61, count: 257)] {
        for words in [[Array("SETNAME".utf8)], [Array("SETINFO".utf8), Array("LIB-NAME".utf8)]] {
            #expect(error(handshakeReply(.client, words + [bad], client: &client, connectionsMax: 1))?.code == .err)
        }
    }
    #expect(client == ClientFacts(id: 7))
    let longest = [UInt8](repeating: 0x61, count: 256)
    #expect(handshakeReply(.client, [Array("SETNAME".utf8), longest], client: &client, connectionsMax: 1) == ok)
}

@Test(
    "What has no meaning here is answered by an error that names it",
    arguments: [
        ("CLIENT", "wrong number of arguments for 'client' command"),
        ("CLIENT MAINT_NOTIFICATIONS ON", "'MAINT_NOTIFICATIONS'"),
        ("CLIENT TRACKING ON", "'TRACKING'"),
        ("CLIENT REPLY OFF", "ON only"),
        ("CLIENT NO-EVICT MAYBE", "ON or OFF"),
        ("CLIENT SETINFO LIB-COLOR red", "'LIB-COLOR'"),
        ("CLIENT ID 3", "'ID'"),
        ("COMMAND GETKEYS LIKE 1 post:1", "'GETKEYS'"),
        ("CONFIG", "wrong number of arguments for 'config' command"),
        ("CONFIG GET", "'GET'"),
        ("CONFIG SET save x", "configuration file"),
        ("CONFIG RESETSTAT", "configuration file"),
        ("SELECT", "wrong number of arguments for 'select' command"),
        ("SELECT 1", "DB index is out of range"),
        ("SELECT -1", "DB index is out of range"),
        ("SELECT x", "DB index is out of range"),
    ])
func whatHasNoMeaningHereIsAnErrorThatNamesIt(line: String, part: String) {
    let error = error(ask(line))
    #expect(error?.code == .err)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error")")
}

@Test("COMMAND describes every verb in Redis' ten fields")
func commandDescribesEveryVerbInRedisTenFields() {
    guard case .array(let entries) = ask("COMMAND") else {
        Issue.record("not an array")
        return
    }
    #expect(ask("COMMAND COUNT") == .integer(Int64(entries.count)))
    for entry in entries {
        guard case .array(let fields) = entry else {
            Issue.record("not an array")
            return
        }
        #expect(fields.count == 10)
    }
    #expect(entries.first.map { ask("COMMAND INFO LIKE nope") == .array([$0, .null]) } == true)
    guard case .array(let like)? = entries.first else { return }
    #expect(like[0...2] == [.text("like"), .integer(3), .array([.simple("write")])])
}

@Test("COMMAND DOCS lists each verb's arguments, and leaves out names that do not exist")
func commandDocsTellsEachVerbsArguments() {
    let docs = ask("COMMAND DOCS like nope")
    guard case .map(let entries) = docs, let like = field("like", of: docs) else {
        Issue.record("no map with LIKE")
        return
    }
    #expect(entries.count == 2)
    guard case .array(let arguments)? = field("arguments", of: like) else {
        Issue.record("no arguments")
        return
    }
    #expect(arguments.map { field("name", of: $0) } == [.text("user"), .text("item")])
}

@Test("CONFIG GET answers by Redis' patterns, in either case")
func configGetAnswersByRedisPatternsInEitherCase() {
    #expect(ask("CONFIG GET save") == .map([.text("save"), .text("")]))
    #expect(ask("CONFIG GET SAVE") == .map([.text("save"), .text("")]))
    #expect(ask("CONFIG GET maxclients") == .map([.text("maxclients"), .text("4096")]))
    #expect(ask("CONFIG GET nothing") == .map([]))
    #expect(
        ask("CONFIG GET maxmem*y")
            == .map([.text("maxmemory"), .text("0"), .text("maxmemory-policy"), .text("noeviction")]))
    #expect(ask("CONFIG GET save appendonly") == .map([.text("appendonly"), .text("no"), .text("save"), .text("")]))
    for pattern in ["s?ve", "[s]ave", "[a-z]ave", "s[^x]ve", "\\save", "*save*", "sav*", "*e*v*e", "[r-t]a?e"] {
        let reply = ask("CONFIG GET \(pattern)")
        let found = field("save", of: reply) != nil
        #expect(found == (pattern != "*e*v*e"), "\(pattern)")
    }
    for pattern in ["s?v", "[^s]ave", "[x", "[", "sav[", "save?", "?", "\\", "s[-]ve"] {
        #expect(field("save", of: ask("CONFIG GET \(pattern)")) == nil, "\(pattern)")
    }
    guard case .map(let all) = ask("CONFIG GET *") else { return }
    #expect(all.count >= 20)
}

@Test("A pattern has a limit, and the worst one within it is matched in no time")
func aPatternHasALimitAndIsMatchedInNoTime() {
    let worst = String(repeating: "*a", count: 64)
    #expect(ask("CONFIG GET \(worst)") == .map([]))
    #expect(error(ask("CONFIG GET \(worst)*"))?.message.contains("128 bytes") == true)
}
