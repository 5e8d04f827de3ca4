import LikesProtocol
import Testing

private let post = Item(type: 0, id: 456)
private let pair = Pair(user: 123, item: post)

/// A request's words and what they mean; each row is tried as a line and as an array.
private let understood: [([String], Request)] = [
    (["LIKE", "123", "post:456"], .like(pair)),
    (["like", "123", "post:456"], .like(pair)),
    (["LiKe", "000123", "post:00456"], .like(pair)),
    (["UNLIKE", "123", "post:456"], .unlike(pair)),
    (["LIKED", "123", "post:456"], .liked(pair)),
    (["COUNT", "post:456"], .count(post)),
    (["count", "reel:0"], .count(Item(type: 1, id: 0))),
    (["COUNT", "comment:9223372036854775807"], .count(Item(type: 2, id: .max))),
    (["COUNT", "post:000000000042"], .count(Item(type: 0, id: 42))),
    (["COUNT", "post:" + String(repeating: "0", count: 63) + "7"], .count(Item(type: 0, id: 7))),
    (["LIKED", "9223372036854775807", "post:456"], .liked(Pair(user: .max, item: post))),
    (["MCOUNT", "post:456"], .mcount([post])),
    (["MCOUNT", "post:456", "reel:1", "post:456"], .mcount([post, Item(type: 1, id: 1), post])),
    (["MCOUNT", "post:456", "WITHCACHED"], .mcount([post], withCached: true)),
    (["mcount", "post:456", "reel:1", "WithCached"], .mcount([post, Item(type: 1, id: 1)], withCached: true)),
    (["LIKES", "5"], .likes(LikesQuery(user: 5, limit: 100))),
    (["likes", "5", "limit", "7", "AFTER", "post:456"], .likes(LikesQuery(user: 5, after: post, limit: 7))),
    (["LIKERS", "post:456", "AFTER", "9", "LIMIT", "1000"], .likers(LikersQuery(item: post, after: 9, limit: 1_000))),
    (["MLIKED", "5", "post:456", "comment:2"], .mliked(user: 5, items: [post, Item(type: 2, id: 2)])),
    (["HEALTH"], .health),
    (["METRICS"], .metrics),
    (["INFO"], .info(section: "")),
    (["INFO", "SERVER"], .info(section: "server")),
    (["PING"], .ping(nil)),
    (["PING", "hello"], .ping(Array("hello".utf8))),
    (["ECHO", "hello"], .echo(Array("hello".utf8))),
    (["QUIT"], .quit),
    (["RESET"], .reset),
    (["HELLO"], .handshake(.hello, [])),
    (["HELLO", "3"], .handshake(.hello, [Array("3".utf8)])),
    (["CLIENT", "SETNAME", "a"], .handshake(.client, [Array("SETNAME".utf8), Array("a".utf8)])),
    (["COMMAND", "DOCS"], .handshake(.command, [Array("DOCS".utf8)])),
    (["SELECT", "0"], .handshake(.select, [Array("0".utf8)])),
    (["CONFIG", "GET", "save"], .handshake(.config, [Array("GET".utf8), Array("save".utf8)])),
]

@Test("A request means the same as a line and as an array, however it is split", arguments: understood)
func aRequestMeansTheSameAsALineAndAsAnArray(words: [String], request: Request) throws {
    let line = words.joined(separator: " ")
    for stream in [Array((line + "\n").utf8), Array((line + "\r\n").utf8), array(words)] {
        let parsed = try parseEveryWay(stream)
        #expect(parsed.outcomes == [.request(request)])
        #expect(parsed.ends == [stream.count])
    }
}

@Test(
    "Spaces and tabs part the words of a line, in any number",
    arguments: ["  LIKE 123 post:456\n", "LIKE   123\t post:456 \t\r\n", "\tlike\t123\tpost:456\n"])
func spacesAndTabsPartTheWordsOfALine(line: String) throws {
    #expect(try parseEveryWay(Array(line.utf8)).outcomes == [.request(.like(pair))])
}

@Test(
    "Blank lines and empty arrays are passed over, as Redis does",
    arguments: ["\n", "\r\n", "   \t\r\n", "*0\r\n", "*-1\r\n", "*-2147483648\r\n"])
func blankLinesAndEmptyArraysArePassedOver(stream: String) throws {
    #expect(try parseEveryWay(Array(stream.utf8)).outcomes == [.nothing])
    let between = Array(("PING\n" + stream + "QUIT\n").utf8)
    #expect(try parseEveryWay(between).requests == [.ping(nil), .quit])
}

@Test("Both forms may follow each other on one connection, pipelined")
func bothFormsMayFollowEachOtherOnOneConnection() throws {
    let stream =
        Array("COUNT post:456\r\n".utf8) + array(["LIKE", "123", "post:456"]) + Array("\nliked 123 post:456\n".utf8)
        + array(["PING"]) + Array("QUIT\n".utf8)
    let parsed = try parseEveryWay(stream)
    #expect(parsed.requests == [.count(post), .like(pair), .liked(pair), .ping(nil), .quit])
    #expect(parsed.ends.last == stream.count)
}

@Test("What is not ended yet is not a request")
func whatIsNotEndedYetIsNotARequest() throws {
    for stream in ["", "LIKE 1 post:2", "LIKE 1 post:2\r", "*", "*1\r", "*1\r\n$4\r\nPING", "*1\r\n$4\r\nPING\r"] {
        let parsed = try parseEveryWay(Array(stream.utf8))
        #expect(parsed.outcomes == [], "\(stream.debugDescription)")
    }
}

@Test("Bulk strings may hold any byte, CR and LF and NUL included, and be empty")
func bulkStringsMayHoldAnyByteAndBeEmpty() throws {
    let text = "\r\n\0*1\r\n"
    #expect(try parseEveryWay(array(["ECHO", text])).requests == [.echo(Array(text.utf8))])
    #expect(try parseEveryWay(array(["PING", ""])).requests == [.ping([])])
}

@Test("Types are those configured, in their order")
func typesAreThoseConfiguredInTheirOrder() throws {
    let types = try ItemTypes(["story", "post", "a-b_9"])
    let parsed = try parseEveryWay(Array("MCOUNT post:1 story:2 a-b_9:3\n".utf8), types: types)
    #expect(parsed.requests == [.mcount([Item(type: 1, id: 1), Item(type: 0, id: 2), Item(type: 2, id: 3)])])
}
