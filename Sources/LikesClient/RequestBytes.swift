/// A request as a RESP array of bulk strings, so that its words may contain any bytes.
public struct RequestBytes: Equatable, Sendable {
    /// What goes over the wire.
    public private(set) var bytes: [UInt8] = []

    /// A request of these words, the verb first.
    public init(_ words: some Collection<String>) {
        bytes.reserveCapacity(16 + words.reduce(0) { $0 + $1.utf8.count + 8 })
        append("*", words.count)
        for word in words {
            append("$", word.utf8.count)
            bytes.append(contentsOf: word.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
    }

    private mutating func append(_ marker: Unicode.Scalar, _ count: Int) {
        bytes.append(UInt8(ascii: marker))
        bytes.append(contentsOf: String(count).utf8)
        bytes.append(contentsOf: "\r\n".utf8)
    }
}
