import LikesProtocol
import Testing

@Suite struct ReplyReaderTests {
    private static func bulk(_ text: String) -> ReceivedReply { .bulk(Array(text.utf8)) }

    private static let whole: [(String, ReceivedReply)] = [
        ("+OK\r\n", .simple(Array("OK".utf8))),
        ("+\r\n", .simple([])),
        ("-ERR bad item 'x'\r\n", .error(Array("ERR bad item 'x'".utf8))),
        (":0\r\n", .integer(0)),
        (":-1\r\n", .integer(-1)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .bulk([])),
        ("$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n:1\r\n:42\r\n", .array([.integer(1), .integer(42)])),
        ("*2\r\n$6\r\nstatus\r\n*1\r\n+ok\r\n", .array([bulk("status"), .array([.simple(Array("ok".utf8))])])),
    ]

    private static func reader(_ text: String, limits: ReplyLimits = .ofLikesd) -> ReplyReader {
        var reader = ReplyReader(limits: limits)
        reader.append(text.utf8)
        return reader
    }

    @Test("A reply is read whole, and not before its last byte.", arguments: whole)
    func aReplyIsReadWholeAndNotBeforeItsLastByte(text: String, reply: ReceivedReply) throws {
        for first in 0..<text.utf8.count {
            var reader = Self.reader("")
            reader.append(text.utf8.prefix(first))
            #expect(try reader.next() == nil, "\(first) bytes")
            reader.append(text.utf8.dropFirst(first))
            #expect(try reader.next()?.value == reply, "\(first) bytes")
            #expect(!reader.hasMore)
        }
        var byteByByte = Self.reader("")
        for (place, byte) in text.utf8.enumerated() {
            byteByByte.append([byte])
            #expect(try byteByByte.next()?.value == (place + 1 == text.utf8.count ? reply : nil))
        }
        var twice = Self.reader(text + text + text.dropLast(1))
        #expect(try twice.next()?.value == reply)
        #expect(try twice.next()?.value == reply)
        #expect(try twice.next() == nil)
        #expect(twice.hasMore)
    }

    @Test(
        "What is not RESP2 is refused, not waited for.",
        arguments: [
            "x", "\r\n", "%1\r\n", "_\r\n", ":\r\n", ":x\r\n", ":-\r\n", ":9223372036854775808\r\n", ":1\rx", "+OK\rx",
            "$-2\r\n", "$x\r\n", "$2\r\nabc", "$2\r\nab\rx", "$16777217\r\n", "*-2\r\n", "*65537\r\n", "*1\r\nx",
            String(repeating: "*1\r\n", count: 10),
        ])
    func whatIsNotRESP2IsRefusedNotWaitedFor(text: String) {
        var reader = Self.reader(text)
        #expect(throws: ReplyFault.self) { try reader.next() }
        reader.append("+OK\r\n".utf8)
        #expect(throws: ReplyFault.self) { try reader.next() }
    }

    @Test("A line that does not end is refused at its limit.")
    func aLineThatDoesNotEndIsRefusedAtItsLimit() throws {
        let line = "+" + String(repeating: "a", count: ReplyLimits.ofLikesd.lineBytesMax)
        var short = Self.reader(line)
        #expect(try short.next() == nil)
        short.append("\r\n".utf8)
        #expect(try short.next()?.status?.count == ReplyLimits.ofLikesd.lineBytesMax)
        var long = Self.reader(line + "aa")
        #expect(throws: ReplyFault.tooLong("a line", ReplyLimits.ofLikesd.lineBytesMax)) { try long.next() }
    }

    private static let small = ReplyLimits(
        lineBytesMax: 16, bulkBytesMax: 10, elementsMax: 4, depthMax: 2, replyBytesMax: 40)

    @Test(
        "Over a limit a reply is refused as soon as it says so.",
        arguments: [
            ("$11\r\n", ReplyFault.tooLong("a bulk string", 10)), ("*5\r\n", .tooMany(4)),
            ("*3\r\n*3\r\n:1\r\n:2\r\n:3\r\n:4\r\n", .tooMany(4)), ("*1\r\n*1\r\n*1\r\n", .tooDeep(2)),
            ("*4\r\n$9\r\naaaaaaaaa\r\n$9\r\naaaaaaaaa\r\n$9\r\naaa", .tooLong("a reply", 40)),
        ])
    func overALimitAReplyIsRefusedAsSoonAsItSaysSo(text: String, fault: ReplyFault) {
        var reader = Self.reader(text, limits: Self.small)
        #expect(throws: fault) { try reader.next() }
    }

    @Test("A string that is too long, or too much with the others, is passed over, and what is behind it is read.")
    func aStringThatIsTooLongIsPassedOverAndWhatIsBehindItIsRead() throws {
        var limits = Self.small
        (limits.bulkBytesMax, limits.passedOverBytesMax, limits.replyBytesMax) = (10, 1_000, 60)
        let long = String(repeating: "\r\n", count: 100)
        let text = "*3\r\n$200\r\n\(long)\r\n$9\r\naaaaaaaaa\r\n$9\r\nbbbbbbbbb\r\n+OK\r\n"
        for piece in 1...text.utf8.count {
            var reader = Self.reader("", limits: limits)
            var replies: [ReplyView] = []
            for start in stride(from: 0, to: text.utf8.count, by: piece) {
                reader.append(text.utf8.dropFirst(start).prefix(piece))
                while let reply = try reader.next() { replies.append(reply) }
            }
            #expect(replies.count == 2)
            #expect(replies.first?.elements.map(\.isPassedOver) == [true, false, true])
            #expect(replies.first?.element(1)?.text == "aaaaaaaaa")
            #expect(replies.last?.text == "OK")
        }
        var reader = Self.reader("$1001\r\n", limits: limits)
        #expect(throws: ReplyFault.tooLong("a bulk string", 1_000)) { try reader.next() }
    }

    @Test("Elements are found by their place, behind arrays as well.")
    func elementsAreFoundByTheirPlaceBehindArraysAsWell() throws {
        var reader = Self.reader("*3\r\n*2\r\n:1\r\n:2\r\n$1\r\na\r\n:3\r\n")
        let reply = try #require(try reader.next())
        #expect(reply.elementCount == 3)
        #expect(reply.element(0)?.element(1)?.integer == 2)
        #expect(reply.element(1)?.text == "a")
        #expect(reply.element(2)?.integer == 3)
        #expect(reply.element(3) == nil)
        #expect(reply.element(2)?.element(0) == nil)
    }
}
