import LikesProtocol
import Testing

@Suite struct ReplyParserTests {
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

    @Test("A reply is read whole, and incomplete at every byte before its last.", arguments: whole)
    func splits(text: String, reply: ReceivedReply) {
        let bytes = Array(text.utf8)
        for end in 0..<bytes.count {
            #expect(ReplyParser.next(in: Array(bytes[..<end])) == .incomplete, "\(end) bytes")
        }
        #expect(ReplyParser.next(in: bytes) == .reply(reply, bytes: bytes.count))
        #expect(ReplyParser.next(in: bytes + bytes) == .reply(reply, bytes: bytes.count))
    }

    @Test(
        "What is not RESP2 is refused, not waited for.",
        arguments: [
            "x", "\r\n", "%1\r\n", "_\r\n", ":\r\n", ":x\r\n", ":9223372036854775808\r\n", ":1\rx", "+OK\rx",
            "$-2\r\n", "$x\r\n", "$2\r\nabc", "$2\r\nab\rx", "$16777217\r\n", "*-2\r\n", "*65537\r\n", "*1\r\nx",
            String(repeating: "*1\r\n", count: 10),
        ])
    func broken(text: String) {
        guard case .broken = ReplyParser.next(in: Array(text.utf8)) else {
            Issue.record("not refused: \(text.debugDescription)")
            return
        }
    }

    @Test("A line that does not end is refused at its limit.")
    func endlessLine() {
        let line: [UInt8] = [UInt8(ascii: "+")] + Array(repeating: UInt8(ascii: "a"), count: ReplyParser.lineBytesMax)
        #expect(ReplyParser.next(in: line) == .incomplete)
        #expect(ReplyParser.next(in: line + Array("aa".utf8)) == .broken("a line over 65536 bytes"))
        guard case .reply = ReplyParser.next(in: line + Array("\r\n".utf8)) else {
            Issue.record("a line at the limit was not read")
            return
        }
    }
}
