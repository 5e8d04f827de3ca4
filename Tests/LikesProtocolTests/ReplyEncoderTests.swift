import LikesProtocol
import Testing

private func encode(_ replies: [Reply]) -> String {
    var encoder = ReplyEncoder()
    var out: [UInt8] = []
    for reply in replies { encoder.append(reply, to: &out) }
    return String(decoding: out, as: UTF8.self)
}

private let toRESP3 = Reply.hello(version: .resp3, fields: [])

/// A reply, its bytes in RESP2, and in RESP3 where they differ.
private let table: [(Reply, String, String?)] = [
    (.integer(0), ":0\r\n", nil),
    (.integer(9), ":9\r\n", nil),
    (.integer(10), ":10\r\n", nil),
    (.integer(-1), ":-1\r\n", nil),
    (.integer(.max), ":9223372036854775807\r\n", nil),
    (.integer(.min), ":-9223372036854775808\r\n", nil),
    (.change(changed: true, count: 42), "*2\r\n:1\r\n:42\r\n", nil),
    (.change(changed: false, count: 0), "*2\r\n:0\r\n:0\r\n", nil),
    (.integers([]), "*0\r\n", nil),
    (.integers([1, 0, 1_000_000]), "*3\r\n:1\r\n:0\r\n:1000000\r\n", nil),
    (.ok, "+OK\r\n", nil),
    (.simple("PONG"), "+PONG\r\n", nil),
    (.simple("a\r\n+b"), "+a  +b\r\n", nil),
    (.text(""), "$0\r\n\r\n", nil),
    (.text("h\u{e9}\r\n"), "$5\r\nh\u{e9}\r\n\r\n", nil),
    (.bulk([0]), "$1\r\n\0\r\n", nil),
    (.null, "$-1\r\n", "_\r\n"),
    (.array([]), "*0\r\n", nil),
    (
        .array([.null, .integer(1), .array([.ok])]), "*3\r\n$-1\r\n:1\r\n*1\r\n+OK\r\n",
        "*3\r\n_\r\n:1\r\n*1\r\n+OK\r\n"
    ),
    (.map([]), "*0\r\n", "%0\r\n"),
    (.map([.text("a"), .integer(1)]), "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"),
    (.array([.map([.ok, .null])]), "*1\r\n*2\r\n+OK\r\n$-1\r\n", "*1\r\n%1\r\n+OK\r\n_\r\n"),
    (.error(ErrorReply(.err, "no")), "-ERR no\r\n", nil),
    (.error(ErrorReply(.rateLimited, "wait 3 s")), "-RATELIMITED wait 3 s\r\n", nil),
    (.error(ErrorReply(.busy, "full")), "-BUSY full\r\n", nil),
    (.error(ErrorReply(.unavailable, "down")), "-UNAVAILABLE down\r\n", nil),
    (.error(ErrorReply(.uncertain, "ask")), "-UNCERTAIN ask\r\n", nil),
    (.error(ErrorReply(.noProto, "unsupported")), "-NOPROTO unsupported\r\n", nil),
    (.error(ErrorReply(.err, "a\r\n:1\0\u{7f}\t.")), "-ERR a  :1   .\r\n", nil),
]

@Test("A reply has these bytes in RESP2 and RESP3", arguments: table)
func aReplyHasTheseBytesInRESP2AndRESP3(reply: Reply, resp2: String, resp3: String?) {
    #expect(encode([reply]) == resp2)
    #expect(encode([toRESP3, reply]) == "%0\r\n" + (resp3 ?? resp2))
}

@Test("HELLO's answer is already in the version it switches to")
func hellosAnswerIsAlreadyInTheVersionItSwitchesTo() {
    let fields: [Reply] = [.text("proto"), .integer(3)]
    #expect(encode([.hello(version: .resp3, fields: fields), .null]) == "%1\r\n$5\r\nproto\r\n:3\r\n_\r\n")
    #expect(
        encode([.hello(version: .resp3, fields: []), .hello(version: .resp2, fields: fields), .null])
            == "%0\r\n*2\r\n$5\r\nproto\r\n:3\r\n$-1\r\n")
}

@Test("RESET goes back to RESP2")
func resetGoesBackToRESP2() {
    #expect(encode([toRESP3, .reset, .null]) == "%0\r\n+RESET\r\n$-1\r\n")
}

@Test("Every power of ten and its neighbours are written in full")
func everyPowerOfTenAndItsNeighboursAreWrittenInFull() {
    var power: Int64 = 1
    for _ in 0..<19 {
        for number in [power - 1, power, power + 1, -power] {
            #expect(encode([.integer(number)]) == ":\(number)\r\n")
        }
        power = power.multipliedReportingOverflow(by: 10).partialValue
    }
}
