import CPostgres
import CReceive
import Glibc
import Testing

@testable import likesd

/// What libpq may read.
@Suite struct IntakeTests {
    private func pair() throws -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    private func read(_ descriptor: Int32, _ count: Int) -> Int {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(descriptor, &bytes, count, Int32(MSG_DONTWAIT))
    }

    @Test("Within a limit recv(2) gives so many bytes and then says that there are none; without one, all.")
    func withinALimitRecvGivesSoManyBytesAndThenNone() throws {
        let (near, far) = try pair()
        defer { for end in [near, far] { close(end) } }
        try #require(send(far, [UInt8](repeating: 7, count: 100), 100, 0) == 100)
        receive_limit(30)
        #expect(read(near, 20) == 20)
        #expect(read(near, 20) == 10)
        #expect(receive_left() == 0)
        #expect(read(near, 20) == -1 && errno == EAGAIN)
        receive_limit(-1)
        #expect(read(near, 100) == 70)
        receive_limit(30)
        #expect(read(near, 20) == -1 && errno == EAGAIN)
        #expect(receive_left() == 30)
        receive_limit(-1)
    }

    @Test("Who looks for recv(2) by its name, as libpq does, finds likesd's.")
    func whoLooksForRecvByItsNameFindsLikesds() throws {
        typealias Receive = @convention(c) (Int32, UnsafeMutableRawPointer?, Int, Int32) -> Int
        let (near, far) = try pair()
        defer { for end in [near, far] { close(end) } }
        try #require(send(far, [UInt8](repeating: 7, count: 9), 9, 0) == 9)
        let found = unsafeBitCast(try #require(dlsym(nil, "recv")), to: Receive.self)
        var bytes = [UInt8](repeating: 0, count: 9)
        receive_limit(4)
        #expect(found(near, &bytes, 9, Int32(MSG_DONTWAIT)) == 4)
        receive_limit(-1)
    }

    @Test("One byte more than is allowed shows that there are more, and no more than that is read.")
    func oneByteMoreThanIsAllowedShowsThatThereAreMore() throws {
        let (near, far) = try pair()
        defer { for end in [near, far] { close(end) } }
        let bytesMax = Intake.bytesMax()
        try #require(bytesMax > EdgeLimits.databaseReadBytes)
        let intake = Intake()
        var total = 0
        let piece = [UInt8](repeating: 7, count: 2 * EdgeLimits.databaseReadBytes)
        while intake.excess(over: bytesMax, "in a test") == nil {
            try #require(total <= bytesMax)
            try #require(send(far, piece, piece.count, Int32(MSG_DONTWAIT)) > 0)
            let read = intake.reading(bytesMax) { self.read(near, piece.count) }
            try #require(read > 0 && read <= EdgeLimits.databaseReadBytes)
            total += read
            while self.read(near, piece.count) > 0 {}
        }
        #expect(total == bytesMax + 1)
        #expect(intake.total == total)
        #expect(intake.excess(over: bytesMax, "in a test") == "it sends more than \(bytesMax) bytes in a test")
    }

    @Test("What failed answers lack is let pass as long as the process holds no more, and never adds up to a flood.")
    func whatFailedAnswersLackNeverAddsUpToAFlood() throws {
        let (near, far) = try pair()
        defer { for end in [near, far] { close(end) } }
        var held = 0
        let intake = Intake(held: { held })
        let piece = [UInt8](repeating: 7, count: EdgeLimits.databaseColumnsBytesMax)
        func fail(growing bytes: Int) throws -> Bool {
            try #require(send(far, piece, piece.count, 0) == piece.count)
            try #require(intake.reading(Intake.bytesMax()) { self.read(near, piece.count) } == piece.count)
            let result = try #require(PQmakeEmptyPGresult(nil, PGRES_FATAL_ERROR))
            intake.handOut(result)
            PQclear(result)
            intake.endAnswer(besides: 0, rows: 0)
            #expect(intake.excess(over: Intake.bytesMax(), "in a test") == nil)
            held += bytes
            return intake.mayHaveKeptWhatFailed()
        }
        let most = EdgeLimits.databaseDroppedBytesMax / piece.count
        for _ in 0..<3 * most { #expect(try !fail(growing: piece.count / 2)) }
        var count = 0
        while try !fail(growing: 2 * piece.count) {
            count += 1
            try #require(count <= 2 * most)
        }
        #expect(try !fail(growing: 0))
    }

    @Test("Beside answers that did not fail little may come.")
    func besideAnswersThatDidNotFailLittleMayCome() throws {
        let (near, far) = try pair()
        defer { for end in [near, far] { close(end) } }
        let intake = Intake()
        let piece = [UInt8](repeating: 7, count: 1024)
        for sent in 1...EdgeLimits.databaseTalkBytesMax / piece.count + 1 {
            try #require(send(far, piece, piece.count, 0) == piece.count)
            try #require(intake.reading(Intake.bytesMax()) { self.read(near, piece.count) } == piece.count)
            intake.endAnswer(besides: 0, rows: 0)
            let isTooMuch = sent * piece.count > EdgeLimits.databaseTalkBytesMax
            #expect((intake.excess(over: Intake.bytesMax(), "in a test") != nil) == isTooMuch)
        }
    }
}
