import LikesProtocol
import Testing

@testable import likesd

@Suite struct KeptClientTests {
    private static let plain = KeptClient(
        inode: 42, version: .resp2, name: "", libraryName: "", libraryVersion: "", input: [], output: [])
    private static let busy = KeptClient(
        inode: .max, version: .resp3, name: "web-1", libraryName: "redis-py", libraryVersion: "5.0",
        input: Array("*3\r\n$4\r\nLI\0\u{ff}".utf8), output: Array(":1\r\n$5\r\n".utf8) + [0, 255, 13, 10])

    @Test("What is kept of clients is what the next process reads", arguments: [[], [plain], [plain, busy, plain]])
    func roundTrip(clients: [KeptClient]) {
        #expect(KeptClientsFormat.decoded(KeptClientsFormat.encoded(clients)) == clients)
    }

    @Test("Bytes cut anywhere, or with more behind them, are of no form")
    func cut() {
        let bytes = KeptClientsFormat.encoded([Self.plain, Self.busy])
        for count in bytes.indices { #expect(KeptClientsFormat.decoded(Array(bytes[..<count])) == nil) }
        #expect(KeptClientsFormat.decoded(bytes + [0]) == nil)
    }

    @Test("A byte changed anywhere makes another client or none, and never ends the process")
    func changed() {
        let bytes = KeptClientsFormat.encoded([Self.busy])
        for place in bytes.indices {
            for byte in [0, UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "*"), 255] {
                var other = bytes
                other[place] = byte
                let read = KeptClientsFormat.decoded(other)
                #expect(read == nil || other == bytes || read != [Self.busy])
            }
        }
    }

    @Test("What has another heading, or fields of another kind, is not read")
    func otherForms() {
        for text in [
            "*1\r\n$16\r\nlikesd-clients-2\r\n", "*0\r\n", ":1\r\n", "*2\r\n$16\r\nlikesd-clients-1\r\n:1\r\n",
            "*2\r\n$16\r\nlikesd-clients-1\r\n*1\r\n:1\r\n",
            "*2\r\n$16\r\nlikesd-clients-1\r\n*7\r\n:1\r\n:4\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n",
        ] {
            #expect(KeptClientsFormat.decoded(Array(text.utf8)) == nil, "\(text)")
        }
        #expect(KeptClientsFormat.decoded(Array("*1\r\n$16\r\nlikesd-clients-1\r\n".utf8)) == [])
    }
}
