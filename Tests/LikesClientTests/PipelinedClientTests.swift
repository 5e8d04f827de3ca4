import Glibc
import LikesProtocol
import Testing

@testable import LikesClient

/// A client and the other end of its socket.
private struct Pair: ~Copyable {
    let client: PipelinedClient
    let far: Int32

    init(_ limits: PipelinedClient.Limits = .ofLikesd) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        client = PipelinedClient(descriptor: ends[0], limits: limits)
        far = ends[1]
    }

    deinit { close(far) }

    func answer(_ text: String) {
        let bytes = Array(text.utf8)
        precondition(write(far, bytes, bytes.count) == bytes.count)
    }

    func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = Glibc.read(far, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }

    /// The replies that are there, by the numbers of their requests.
    func replies() throws -> [UInt64: ReceivedReply] {
        var found: [UInt64: ReceivedReply] = [:]
        while try client.receive({ found[$0] = $1.value }) {}
        return found
    }
}

@Suite struct PipelinedClientTests {
    private let ping = RequestBytes(["PING"])

    @Test func aRequestIsAnArrayOfItsWords() {
        #expect(
            RequestBytes(["LIKE", "1", "post:é"]).bytes == Array("*3\r\n$4\r\nLIKE\r\n$1\r\n1\r\n$7\r\npost:é\r\n".utf8)
        )
    }

    @Test func nothingIsWrittenBeforeFlush() throws {
        let pair = Pair()
        #expect(pair.client.send(ping) == 1)
        #expect(pair.client.wantsToWrite)
        #expect(pair.read() == "")
        try pair.client.flush()
        #expect(!pair.client.wantsToWrite)
        #expect(pair.read() == "*1\r\n$4\r\nPING\r\n")
    }

    @Test func repliesCarryTheNumbersOfTheirRequests() throws {
        let pair = Pair()
        for _ in 0..<3 { _ = pair.client.send(ping) }
        try pair.client.flush()
        pair.answer(":1\r\n:2\r\n:")
        #expect(try pair.replies() == [1: .integer(1), 2: .integer(2)])
        #expect(pair.client.oldest == 3)
        pair.answer("3\r\n")
        #expect(try pair.replies() == [3: .integer(3)])
        #expect(pair.client.oldest == nil)
    }

    @Test func atTheLimitOfRequestsThereIsNoRoomUntilAReply() throws {
        let pair = Pair(.init(requestsMax: 2, unsentBytesMax: 1_000))
        #expect(pair.client.send(ping) == 1)
        #expect(pair.client.send(ping) == 2)
        #expect(pair.client.send(ping) == nil)
        try pair.client.flush()
        pair.answer("+PONG\r\n")
        _ = try pair.replies()
        #expect(pair.client.send(ping) == 3)
    }

    @Test func atTheLimitOfBytesThereIsNoRoomUntilTheyLeft() throws {
        let pair = Pair(.init(requestsMax: 100, unsentBytesMax: ping.bytes.count * 2))
        #expect(pair.client.send(ping) != nil)
        #expect(pair.client.send(ping) != nil)
        #expect(pair.client.send(ping) == nil)
        try pair.client.flush()
        #expect(pair.client.send(ping) != nil)
        // One request may be larger than the limit: otherwise it could never be sent.
        try pair.client.flush()
        #expect(pair.client.send(RequestBytes(["ECHO", String(repeating: "x", count: 1_000)])) != nil)
    }

    @Test func whatTheSocketDidNotTakeWasNeverSent() throws {
        let pair = Pair(.init(requestsMax: 10_000, unsentBytesMax: 1 << 24))
        let large = RequestBytes(["ECHO", String(repeating: "x", count: 60_000)])
        var sent: UInt64 = 0
        while !pair.client.wantsToWrite {
            sent = try #require(pair.client.send(large))
            try pair.client.flush()
        }
        let behind = try #require(pair.client.send(ping))
        let fates = pair.client.end()
        #expect(fates.map(\.number) == Array(1...behind))
        // A part of the last large one left: likesd cannot have executed it.
        #expect(fates.filter { $0.fate == .neverSent }.map(\.number) == [sent, behind])
    }

    @Test func whatLeftAndHasNoReplyMayHaveBeenExecuted() throws {
        let pair = Pair()
        for _ in 0..<3 { _ = pair.client.send(ping) }
        try pair.client.flush()
        pair.answer("+PONG\r\n")
        _ = try pair.replies()
        let fates = pair.client.end()
        #expect(fates.map(\.number) == [2, 3])
        #expect(fates.allSatisfy { $0.fate == .maybeExecuted })
        #expect(pair.client.end().isEmpty)
    }

    @Test func theOthersEndIsAnError() throws {
        let pair = Pair()
        _ = pair.client.send(ping)
        try pair.client.flush()
        shutdown(pair.far, Int32(SHUT_RDWR))
        #expect(throws: SocketError.closed) { try pair.replies() }
        _ = pair.client.send(ping)
        #expect(throws: SocketError.closed) { try pair.client.flush() }
    }

    @Test func whatIsNoReplyIsAnError() throws {
        let pair = Pair()
        _ = pair.client.send(ping)
        try pair.client.flush()
        pair.answer("HTTP/1.1 400 Bad Request\r\n")
        #expect(throws: SocketError.notUnderstood(.foreignByte(UInt8(ascii: "H")))) { try pair.replies() }
    }

    @Test func manyRequestsLeaveNothingBehind() throws {
        let pair = Pair()
        var answered: UInt64 = 0
        for round in 0..<100 {
            for _ in 0..<100 { _ = pair.client.send(ping) }
            try pair.client.flush()
            _ = pair.read()
            pair.answer(String(repeating: "+PONG\r\n", count: 100))
            for number in try pair.replies().keys { answered = max(answered, number) }
            #expect(answered == UInt64(round + 1) * 100)
        }
        #expect(pair.client.requestCount == 0)
    }
}

@Suite struct SocketErrorTests {
    @Test func aPathThatIsTooLongIsToldBeforeASocketIsMade() {
        let path = "/" + String(repeating: "x", count: UnixSocket.pathBytesMax)
        #expect(throws: SocketError.pathTooLong(bytes: path.utf8.count)) {
            try UnixSocket.connectedAtOnce(to: path)
        }
    }

    @Test func nobodyThereIsToldWithTheReason() {
        #expect(throws: SocketError.notConnected(ENOENT)) { try UnixSocket.connectedAtOnce(to: "/nonexistent/socket") }
    }
}
