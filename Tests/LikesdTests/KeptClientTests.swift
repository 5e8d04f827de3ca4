import Glibc
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
    func whatIsKeptOfClientsIsWhatTheNextProcessReads(clients: [KeptClient]) {
        #expect(KeptClientsFormat.decoded(KeptClientsFormat.encoded(clients)) == clients)
    }

    @Test("Bytes cut anywhere, or with more behind them, are of no form")
    func bytesCutAnywhereOrWithMoreBehindThemAreOfNoForm() {
        let bytes = KeptClientsFormat.encoded([Self.plain, Self.busy])
        for count in bytes.indices { #expect(KeptClientsFormat.decoded(Array(bytes[..<count])) == nil) }
        #expect(KeptClientsFormat.decoded(bytes + [0]) == nil)
    }

    @Test("A byte changed anywhere makes another client or none, and never ends the process")
    func aByteChangedAnywhereNeverEndsTheProcess() {
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

    private static func client(inputBytes: Int) -> (descriptor: Int32, client: KeptClient) {
        var client = plain
        client.inode = UInt64(inputBytes)
        client.input = [UInt8](repeating: 0, count: inputBytes)
        return (-1, client)
    }

    @Test("A client with more bytes than the next process reads, or than there is room for, takes no other with it")
    func aClientThatIsTooLargeToBeKeptTakesNoOtherWithIt() {
        let most = EdgeLimits.keptBytesPerClientMax
        let bytes = [most + 1, 0, most, most, most, most - 1, 7, 1, 0]
        let kept = DescriptorStore.withinLimits(bytes.map(Self.client)).map { Int($0.client.inode) }
        #expect(kept == [0, most, most, most, most - 1, 1, 0])
        let known = KeptClientsFormat.decoded(KeptClientsFormat.encoded([Self.client(inputBytes: most).client]))
        #expect(known?.count == 1)
    }

    @Test("Any number of descriptors goes into one, and comes out in their order", arguments: [1, 253, 254, 600])
    func anyNumberOfDescriptorsGoesIntoOneAndComesOutInOrder(count: Int) throws {
        let descriptors = (0..<count).map { _ in
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            close(ends[1])
            return ends[0]
        }
        let inodes = descriptors.map { FileIdentity(descriptor: $0)?.inode }
        let parcel = try Parcel.packed(descriptors)
        for descriptor in descriptors { close(descriptor) }
        let unpacked = try Parcel.unpacked(parcel)
        #expect(unpacked.map { FileIdentity(descriptor: $0)?.inode } == inodes)
        #expect(try Parcel.unpacked(parcel) == [])
        for descriptor in unpacked + [parcel] { close(descriptor) }
    }

    @Test("What has another heading, or fields of another kind, is not read")
    func anotherHeadingOrFieldsOfAnotherKindAreNotRead() {
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
