import LikesProtocol
import Testing

private let multibulk = "Protocol error: invalid multibulk length: a number up to 65536 and CRLF allowed"
private let bulk = "Protocol error: invalid bulk length: a number from 0 to 65536 and CRLF allowed"
private let ending = "Protocol error: missing CRLF after a bulk string of the announced length"
private let tooBig = "Protocol error: too big request: 262144 bytes allowed"
private let tooLong = "Protocol error: too big inline request: 65536 bytes allowed"

private let broken: [(String, String)] = [
    ("*x\r\n", multibulk),
    ("*\r\n", multibulk),
    ("*-\r\n", multibulk),
    ("*1\n", multibulk),
    ("*1\rx", multibulk),
    ("*1 \r\n", multibulk),
    ("*+1\r\n", multibulk),
    ("*65537\r\n", multibulk),
    ("*99999999999999999999999999\r\n", multibulk),
    ("*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"),
    ("*1\r\nPING\r\n", "Protocol error: expected '$', got 'P'"),
    ("*1\r\n\r\n", "Protocol error: expected '$', got '\\x0d'"),
    ("*2\r\n$4\r\nPING\r\n*1\r\n", "Protocol error: expected '$', got '*'"),
    ("*1\r\n$x\r\n", bulk),
    ("*1\r\n$\r\n", bulk),
    ("*1\r\n$-1\r\n", bulk),
    ("*1\r\n$4\nPING\r\n", bulk),
    ("*1\r\n$65537\r\n", bulk),
    ("*1\r\n$4294967300\r\nPING\r\n", bulk),
    ("*1\r\n$18446744073709551620\r\nPING\r\n", bulk),
    ("*1\r\n$4\r\nPINGS\r\n", ending),
    ("*1\r\n$4\r\nPING\n\n", ending),
    ("*1\r\n$4\r\nPING\rx", ending),
    ("*1\r\n$3\r\nPING\r\n", ending),
]

@Test("Broken framing ends the connection with the reason, however it is split", arguments: broken)
func brokenFramingIsExplained(stream: String, message: String) throws {
    let parsed = try parseEveryWay(Array(("PING\r\n" + stream + "PING\r\n").utf8))
    #expect(parsed.outcomes == [.request(.ping(nil)), .broken(message)])
}

@Test("A line may have 64 KiB before its LF, and no more")
func linesHaveALimit() throws {
    let longest = Array("PING ".utf8) + Array(repeating: UInt8(ascii: "x"), count: WireLimits.lineBytesMax - 5)
    let text = Array(longest.dropFirst(5))
    for cuts in [[], Array(longest.indices), [1, WireLimits.lineBytesMax]] {
        #expect(try parse(longest + [0x0A], cuts: cuts).requests == [.ping(text)])
        #expect(try parse(longest + [0x78, 0x0A], cuts: cuts).breakage == tooLong)
    }
}

@Test("A line that is too long is refused with its first byte over the limit, not when it ends")
func tooLongIsSeenEarly() throws {
    let endless = Array(repeating: UInt8(ascii: " "), count: WireLimits.lineBytesMax + 1)
    #expect(try parse(Array(endless.dropLast()), cuts: []).outcomes == [])
    #expect(try parse(endless, cuts: []).breakage == tooLong)
}

@Test("A bulk string may have 64 KiB, and no more")
func bulksHaveALimit() throws {
    let text = String(repeating: "x", count: WireLimits.lineBytesMax)
    let stream = array(["ECHO", text])
    #expect(try parse(stream, cuts: []).requests == [.echo(Array(text.utf8))])
    #expect(try parse(stream, cuts: stream.indices).requests == [.echo(Array(text.utf8))])
    #expect(try parse(array(["ECHO", text + "x"]), cuts: []).breakage == bulk)
}

@Test("A whole array may have 256 KiB, and no more")
func requestsHaveALimit() throws {
    let text = String(repeating: "x", count: 60_000)
    let words = ["CONFIG", text, text, text, text]
    let rest = WireLimits.requestBytesMax - array(words).count - "$10000\r\n\r\n".utf8.count
    let fitting = array(words + [String(repeating: "y", count: rest)])
    #expect(fitting.count == WireLimits.requestBytesMax)
    #expect(try parse(fitting, cuts: []).requests.count == 1)
    #expect(try parse(fitting, cuts: [1, 60_000, 200_000]).requests.count == 1)
    let over = array(words + [String(repeating: "y", count: rest + 1)])
    #expect(try parse(over, cuts: []).breakage == tooBig)
    #expect(try parse(over, cuts: over.indices).breakage == tooBig)
}

@Test("An array that would pass the limit by its length lines alone is refused at the limit")
func manyEmptyBulksAreRefused() throws {
    let bulks = Array(repeating: Array("$0\r\n\r\n".utf8), count: 60_000).joined()
    let stream = Array("*60000\r\n".utf8) + bulks
    #expect(try parse(stream, cuts: []).breakage == tooBig)
    #expect(try parse(stream, cuts: stream.indices).breakage == tooBig)
}

@Test("A request that comes byte by byte costs about as much as one that comes whole", .timeLimit(.minutes(1)))
func slowRequestsAreNotQuadratic() throws {
    // 256 KiB byte by byte; looking at every byte again each time would be 34 billion looks.
    let words = ["MCOUNT"] + (0..<1_000).map { "post:\($0)" }
    let padded = words + (0..<12_000).map { "post:\($0)" }
    let stream = array(padded)
    #expect(stream.count < WireLimits.requestBytesMax)
    #expect(try parse(stream, cuts: stream.indices) == parse(stream, cuts: []))
}
