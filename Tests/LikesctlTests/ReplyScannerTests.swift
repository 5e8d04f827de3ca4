import Testing

@testable import likesctl

/// Replies as bytes, whole and cut.
@Suite struct ReplyScannerTests {
    private static let stream =
        ":5\r\n*2\r\n:1\r\n:-42\r\n-BUSY too much\r\n*3\r\n:0\r\n:1\r\n:1\r\n+OK\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$-1\r\n"
        + "*0\r\n*-1\r\n*2\r\n*2\r\n:7\r\n$1\r\n:\r\n:8\r\n-RATELIMITED\r\n:9223372036854775807\r\n"
    private static let steps: [ReplyScanner.Step] = [
        .success(first: 5, .integer), .success(first: 1, .integers(2)), .failure(ReplyCode("BUSY")),
        .success(first: 0, .integers(3)), .success(first: 0, .other), .success(first: 0, .other),
        .success(first: 0, .other), .success(first: 0, .other), .success(first: 0, .integers(0)),
        .success(first: 0, .other), .success(first: 7, .other), .failure(ReplyCode("RATELIMITED")),
        .success(first: Int64.max, .integer),
    ]

    private func steps(_ pieces: [[UInt8]]) -> [ReplyScanner.Step] {
        var scanner = ReplyScanner()
        var steps: [ReplyScanner.Step] = []
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var place = 0
                while true {
                    let step = scanner.next(in: bytes, from: &place)
                    if step == .incomplete { return }
                    steps.append(step)
                    if step == .broken { return }
                }
            }
        }
        return steps
    }

    @Test("Replies are the same whole, cut in two at every place, and byte by byte.")
    func repliesAreTheSameWholeCutInTwoAndByteByByte() {
        let bytes = Array(Self.stream.utf8)
        #expect(steps([bytes]) == Self.steps)
        for cut in bytes.indices { #expect(steps([Array(bytes[..<cut]), Array(bytes[cut...])]) == Self.steps) }
        #expect(steps(bytes.map { [$0] }) == Self.steps)
    }

    @Test("What is not RESP2 breaks the connection.", arguments: ["HTTP/1.1 400\r\n", ":1x\r\n", "*99999999\r\n"])
    func whatIsNotRESP2BreaksTheConnection(text: String) {
        #expect(steps([Array(text.utf8)]) == [.broken])
    }

    @Test("A code is kept up to its 16th byte.")
    func aCodeIsKeptUpToIts16thByte() {
        for text in ["", "B", "BUSY", "EIGHTYES", "UNAVAILABLE", "SIXTEENLETTERSIT"] {
            #expect(ReplyCode(text).text == text)
        }
        #expect(ReplyCode("SIXTEENLETTERSITIS").text == "SIXTEENLETTERSIT")
    }
}
