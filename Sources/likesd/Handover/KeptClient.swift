import LikesProtocol

/// A client between two processes: all that the next one must know to continue. Nothing of it is under way.
struct KeptClient: Equatable {
    /// The inode of its socket, which is the same in every process that has the socket.
    var inode: UInt64
    var version: ProtocolVersion
    var name: String
    var libraryName: String
    var libraryVersion: String
    /// Read from the socket, but not a whole request yet.
    var input: [UInt8]
    /// Replies that the socket has not accepted yet.
    var output: [UInt8]
}

/// Kept clients as bytes, for the next process, which may have another version. The form is RESP: an array of a heading
/// and one array for each client.
enum KeptClientsFormat {
    /// Changes with the form. A file with another heading is not read, and its clients are closed.
    static let heading = "likesd-clients-1"
    private static let fieldsCount = 7
    private static let limits = ReplyLimits(
        lineBytesMax: 64 * 1024, bulkBytesMax: EdgeLimits.keptBytesPerClientMax,
        elementsMax: 2 + EdgeLimits.keptClientsMax * (1 + fieldsCount), depthMax: 2,
        replyBytesMax: EdgeLimits.keptFileBytesMax)

    static func encoded(_ clients: [KeptClient]) -> [UInt8] {
        var encoder = ReplyEncoder()
        var bytes: [UInt8] = []
        encoder.append(.array([.text(heading)] + clients.map(fields)), to: &bytes)
        return bytes
    }

    /// nil: not in this form.
    static func decoded(_ bytes: [UInt8]) -> [KeptClient]? {
        var reader = ReplyReader(limits: limits)
        reader.append(bytes)
        guard let list = try? reader.next(), !reader.hasMore, list.element(0)?.text == heading
        else { return nil }
        var clients: [KeptClient] = []
        for element in list.elements.dropFirst() {
            guard let client = client(element) else { return nil }
            clients.append(client)
        }
        return clients
    }

    private static func fields(_ client: KeptClient) -> Reply {
        .array([
            .integer(Int64(bitPattern: client.inode)), .integer(Int64(client.version.rawValue)), .text(client.name),
            .text(client.libraryName), .text(client.libraryVersion), .bulk(client.input), .bulk(client.output),
        ])
    }

    private static func client(_ element: ReplyView) -> KeptClient? {
        guard element.elementCount == fieldsCount, let inode = element.element(0)?.integer,
            let number = element.element(1)?.integer,
            let version = UInt8(exactly: number).flatMap(ProtocolVersion.init),
            let name = element.element(2)?.text, let libraryName = element.element(3)?.text,
            let libraryVersion = element.element(4)?.text, let input = element.element(5)?.string,
            let output = element.element(6)?.string
        else { return nil }
        return KeptClient(
            inode: UInt64(bitPattern: inode), version: version, name: name, libraryName: libraryName,
            libraryVersion: libraryVersion, input: Array(input), output: Array(output))
    }
}
