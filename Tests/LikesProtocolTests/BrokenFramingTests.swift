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
func brokenFramingEndsTheConnectionWithTheReason(stream: String, message: String) throws {
    let parsed = try parseEveryWay(Array(("PING\r\n" + stream + "PING\r\n").utf8))
    #expect(parsed.outcomes == [.request(.ping(nil)), .broken(message)])
}

@Test("A line may have 64 KiB before its LF, and no more")
func aLineMayHave64KiBBeforeItsLF() throws {
    let longest = Array("PING ".utf8) + Array(repeating: UInt8(ascii: "x"), count: WireLimits.lineBytesMax - 5)
    let text = Array(longest.dropFirst(5))
    for cuts in [[], Array(longest.indices), [1, WireLimits.lineBytesMax]] {
        #expect(try parse(longest + [0x0A], cuts: cuts).requests == [.ping(text)])
        #expect(try parse(longest + [0x78, 0x0A], cuts: cuts).breakage == tooLong)
    }
}

@Test("A line that is too long is refused with its first byte over the limit, not when it ends")
func aLineThatIsTooLongIsRefusedWithItsFirstByteOverTheLimit() throws {
    let endless = Array(repeating: UInt8(ascii: " "), count: WireLimits.lineBytesMax + 1)
    #expect(try parse(Array(endless.dropLast()), cuts: []).outcomes == [])
    #expect(try parse(endless, cuts: []).breakage == tooLong)
}

@Test("A bulk string may have 64 KiB, and no more")
func aBulkStringMayHave64KiB() throws {
    let text = String(repeating: "x", count: WireLimits.lineBytesMax)
    let stream = array(["ECHO", text])
    #expect(try parse(stream, cuts: []).requests == [.echo(Array(text.utf8))])
    #expect(try parse(stream, cuts: stream.indices).requests == [.echo(Array(text.utf8))])
    #expect(try parse(array(["ECHO", text + "x"]), cuts: []).breakage == bulk)
}

@Test("A whole array may have 256 KiB, and no more")
func aWholeArrayMayHave256KiB() throws {
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
func anArrayThatWouldPassTheLimitByItsLengthLinesAloneIsRefused() throws {
    let bulks = Array(repeating: Array("$0\r\n\r\n".utf8), count: 60_000).joined()
    let stream = Array("*60000\r\n".utf8) + bulks
    #expect(try parse(stream, cuts: []).breakage == tooBig)
    #expect(try parse(stream, cuts: stream.indices).breakage == tooBig)
}

/// Feeds one request byte by byte. Before each byte all that `isLookedAt` says was looked at is spoilt: a parser that
/// looks at it again finds the end of a line there, and says something else. Its words are read at the last byte.
private func parseSpoilt(_ stream: [UInt8], lookedAt: (Int) -> Int) -> [RequestParser.Step] {
    var parser = RequestParser(types: .standard)
    var spoilt = stream
    var steps: [RequestParser.Step] = []
    for end in 1...stream.count {
        if end == stream.count { spoilt = stream }
        let step = spoilt.withUnsafeBytes { parser.next(in: UnsafeRawBufferPointer(rebasing: $0[..<end])) }
        if step != .incomplete { steps.append(step) }
        for place in 0..<lookedAt(end) where spoilt[place] != UInt8(ascii: "\n") { spoilt[place] = UInt8(ascii: "\n") }
    }
    return steps
}

@Test("What was looked at is not looked at again: a request that comes byte by byte costs no more than a whole one")
func whatWasLookedAtIsNotLookedAtAgain() throws {
    let words = ["MCOUNT"] + (0..<400).map { "post:\($0)" }
    let request = Request.mcount((0..<400).map { Item(type: 0, id: $0) })

    let line = Array((words.joined(separator: " ") + "\r\n").utf8)
    #expect(parseSpoilt(line) { $0 } == [.request(request, bytes: line.count)])

    let bulks = array(words)
    // Where each bulk string begins: all before the one at hand was looked at.
    let starts = bulks.indices.filter { bulks[$0] == UInt8(ascii: "$") }
    let steps = parseSpoilt(bulks) { end in starts.last { $0 <= end } ?? 0 }
    #expect(steps == [.request(request, bytes: bulks.count)])
}
