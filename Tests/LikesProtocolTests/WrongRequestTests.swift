import LikesProtocol
import Testing

private let range = "0 to 9223372036854775807"
private let unknownTail = ", try LIKE, UNLIKE, COUNT, MCOUNT, LIKED, MLIKED, LIKES, LIKERS, HEALTH, INFO or METRICS"
private func badItem(_ item: String) -> String {
    "bad item '\(item)': write type:id, as in post:456, with an id from \(range)"
}
private func badUser(_ user: String) -> String { "bad user '\(user)': a decimal number from \(range)" }
private func wrongNumber(_ verb: String, _ usage: String) -> String {
    "wrong number of arguments for '\(verb)' command: \(usage)"
}
private func badType(_ type: String) -> String { "unknown item type '\(type)': allowed are post, reel, comment" }

/// A number in range, but for the length that its leading zeros give it.
private let zeros = String(repeating: "0", count: 64) + "1"
private let tooLong = ", in at most 64 digits"

private let refused: [([String], String)] = [
    (["FOO"], "unknown command 'FOO'" + unknownTail),
    (["foo", "bar"], "unknown command 'foo'" + unknownTail),
    (["LIKEABLE", "1", "post:1"], "unknown command 'LIKEABLE'" + unknownTail),
    (["CLUSTER", "SLOTS"], "unknown command 'CLUSTER'" + unknownTail),
    (["\u{0}LIKE", "1", "post:1"], "unknown command '\\x00LIKE'" + unknownTail),
    (["L\u{c9}"], "unknown command 'L\\xc3\\x89'" + unknownTail),
    (["it's\\"], "unknown command 'it\\'s\\\\'" + unknownTail),
    (["LIKE"], wrongNumber("like", "LIKE user item")),
    (["like", "1"], wrongNumber("like", "LIKE user item")),
    (["UNLIKE", "1", "post:1", "post:2"], wrongNumber("unlike", "UNLIKE user item")),
    (["LIKED", "1"], wrongNumber("liked", "LIKED user item")),
    (["COUNT"], wrongNumber("count", "COUNT item")),
    (["COUNT", "post:1", "post:2"], wrongNumber("count", "COUNT item")),
    (["MCOUNT"], wrongNumber("mcount", "MCOUNT item [item ...] [WITHCACHED]")),
    (["MCOUNT", "WITHCACHED"], wrongNumber("mcount", "MCOUNT item [item ...] [WITHCACHED]")),
    (["MCOUNT", "post:1", "WITHCACHED", "post:2"], wrongNumber("mcount", "MCOUNT item [item ...] [WITHCACHED]")),
    (["MCOUNT", "post:1", "WITHCACHE"], badItem("WITHCACHE")),
    (["LIKES"], wrongNumber("likes", "LIKES user [AFTER item] [LIMIT n]")),
    (["LIKES", "1", "post:1"], wrongNumber("likes", "LIKES user [AFTER item] [LIMIT n]")),
    (["LIKES", "1", "LIMIT"], wrongNumber("likes", "LIKES user [AFTER item] [LIMIT n]")),
    (["LIKES", "1", "LIMIT", "5", "LIMIT", "5"], wrongNumber("likes", "LIKES user [AFTER item] [LIMIT n]")),
    (["LIKERS", "post:1", "BEFORE", "5"], wrongNumber("likers", "LIKERS item [AFTER user] [LIMIT n]")),
    (["LIKES", "1", "LIMIT", "0"], "bad limit '0': a number from 1 to 1000"),
    (["LIKERS", "post:1", "LIMIT", "1001"], "bad limit '1001': a number from 1 to 1000"),
    (["LIKES", "1", "AFTER", "7"], badItem("7")),
    (["LIKERS", "post:1", "AFTER", "post:1"], badUser("post:1")),
    (["MLIKED"], wrongNumber("mliked", "MLIKED user item [item ...]")),
    (["MLIKED", "1"], wrongNumber("mliked", "MLIKED user item [item ...]")),
    (["HEALTH", "now"], wrongNumber("health", "HEALTH")),
    (["METRICS", "all"], wrongNumber("metrics", "METRICS")),
    (["INFO", "a", "b"], wrongNumber("info", "INFO [section]")),
    (["PING", "a", "b"], wrongNumber("ping", "PING [text]")),
    (["ECHO"], wrongNumber("echo", "ECHO text")),
    (["RESET", "a"], wrongNumber("reset", "RESET")),
    (["LIKE", "abc", "post:1"], badUser("abc")),
    (["LIKE", "-1", "post:1"], badUser("-1")),
    (["LIKE", "+1", "post:1"], badUser("+1")),
    (["LIKE", "1.0", "post:1"], badUser("1.0")),
    (["LIKE", "0x1", "post:1"], badUser("0x1")),
    (["LIKE", "9223372036854775808", "post:1"], badUser("9223372036854775808")),
    (["LIKE", "18446744073709551616", "post:1"], badUser("18446744073709551616")),
    (["LIKE", "99999999999999999999999", "post:1"], badUser("99999999999999999999999")),
    (["MLIKED", "x", "post:1"], badUser("x")),
    (["LIKE", zeros, "post:1"], badUser("\(zeros)") + tooLong),
    (["COUNT", "post:" + zeros], badItem("post:" + zeros) + tooLong),
    (["COUNT", "post"], badItem("post")),
    (["COUNT", "456"], badItem("456")),
    (["COUNT", ":1"], badItem(":1")),
    (["COUNT", "post:"], badItem("post:")),
    (["COUNT", "post:x"], badItem("post:x")),
    (["COUNT", "post:-1"], badItem("post:-1")),
    (["COUNT", "post:1:2"], badItem("post:1:2")),
    (["COUNT", "post:9223372036854775808"], badItem("post:9223372036854775808")),
    (["COUNT", "story:1"], badType("story")),
    (["COUNT", "Post:1"], badType("Post")),
    (["COUNT", "pos:1"], badType("pos")),
    (["COUNT", "posts:1"], badType("posts")),
    (["MCOUNT", "post:1", "story:2"], badType("story")),
]

@Test("A wrong request is refused in words that say what is wrong and what is allowed", arguments: refused)
func aWrongRequestIsRefusedWithWhatIsWrongAndWhatIsAllowed(words: [String], message: String) throws {
    for stream in [Array((words.joined(separator: " ") + "\n").utf8), array(words)] {
        #expect(try parseEveryWay(stream).outcomes == [.request(.invalid(ErrorReply(.err, message)))])
    }
}

@Test("A client's word that an error repeats cannot pass for what likesd says is to be done")
func aQuotedWordHoldsNoMarkOfANextStep() throws {
    #expect(
        try parseEveryWay(array(["LIKE", "x; next: y", "post:1"])).outcomes
            == [.request(.invalid(ErrorReply(.err, badUser("x, next: y"))))])
}

@Test("A wrong request does not disturb the ones behind it")
func aWrongRequestDoesNotDisturbTheOnesBehindIt() throws {
    let stream = Array("FOO\nPING\nLIKE a b\n".utf8) + array(["COUNT", "nope"]) + array(["QUIT"])
    let requests = try parseEveryWay(stream).requests
    #expect(requests.count == 5)
    #expect(requests[1] == .ping(nil))
    #expect(requests[4] == .quit)
}

@Test("A number is decimal digits only: blanks and line ends inside a bulk string make it wrong")
func aNumberIsDecimalDigitsOnly() throws {
    for (user, shown) in [(" 1", " 1"), ("1 ", "1 "), ("1\r\n", "1\\x0d\\x0a"), ("", "")] {
        let requests = try parseEveryWay(array(["LIKE", user, "post:1"])).requests
        #expect(requests == [.invalid(ErrorReply(.err, badUser(shown)))])
    }
}

@Test("A number may have 64 digits with its leading zeros, and no more")
func aNumberMayHave64DigitsWithItsLeadingZeros() throws {
    let zeros = String(repeating: "0", count: WireLimits.numberBytesMax)
    #expect(try parseEveryWay(array(["COUNT", "post:" + zeros])).requests == [.count(Item(type: 0, id: 0))])
    #expect(
        try parseEveryWay(array(["COUNT", "post:0" + zeros])).requests
            == [.invalid(ErrorReply(.err, badItem("post:0" + zeros) + tooLong))])
}

@Test("A long word is repeated up to 128 bytes")
func aLongWordIsRepeatedUpTo128Bytes() throws {
    let word = String(repeating: "x", count: 5_000)
    let shown = String(repeating: "x", count: 128) + "..."
    let parsed = try parse(array([word]), cuts: [])
    #expect(parsed.requests == [.invalid(ErrorReply(.err, "unknown command '\(shown)'" + unknownTail))])
}

@Test("MCOUNT and MLIKED take 1,000 items and refuse 1,001", arguments: [["MCOUNT"], ["MLIKED", "7"]])
func mcountAndMlikedTake1000ItemsAndRefuse1001(head: [String]) throws {
    let thousand = (0..<1_000).map { "comment:\($0)" }
    let items = (0..<1_000).map { Item(type: 2, id: $0) }
    let expected: Request = head.count == 1 ? .mcount(items) : .mliked(user: 7, items: items)
    let verb = head[0].lowercased()
    let refusal = "too many items for '\(verb)' command: 1 to 1000 allowed, ask in parts"
    for form in [{ array($0) }, { Array(($0.joined(separator: " ") + "\n").utf8) }] as [([String]) -> [UInt8]] {
        let whole = form(head + thousand)
        #expect(try parse(whole, cuts: []).requests == [expected])
        #expect(try parse(whole, cuts: whole.indices).requests == [expected])
        let over = form(head + thousand + ["post:1"])
        #expect(try parse(over, cuts: []).requests == [.invalid(ErrorReply(.err, refusal))])
    }
}

@Test("The largest request allowed, 1,000 items of the longest names and ids, fits the limits")
func theLargestRequestAllowedFitsTheLimits() throws {
    let name = "t" + String(repeating: "y", count: 31)
    let words = ["MLIKED", String(Int64.max)] + (0..<1_000).map { _ in "\(name):\(Int64.max)" }
    let types = try ItemTypes([name])
    #expect(array(words).count <= WireLimits.requestBytesMax)
    guard case .mliked(_, let items) = try parse(array(words), cuts: [], types: types).requests.first else {
        Issue.record("not understood")
        return
    }
    #expect(items.count == 1_000)
}

@Test("A handshake takes 64 arguments and refuses 65")
func aHandshakeTakes64ArgumentsAndRefuses65() throws {
    let words = ["COMMAND", "DOCS"] + (0..<63).map { "c\($0)" }
    guard case .handshake(.command, let arguments) = try parse(array(words), cuts: []).requests.first else {
        Issue.record("not understood")
        return
    }
    #expect(arguments.count == 64)
    let refusal = ErrorReply(.err, "too many arguments for 'command' command: at most 64 allowed")
    #expect(try parse(array(words + ["d"]), cuts: []).requests == [.invalid(refusal)])
}
