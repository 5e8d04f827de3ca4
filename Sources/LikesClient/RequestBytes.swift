/// A request as a RESP array of bulk strings, so that its words may contain any bytes.
public struct RequestBytes: Equatable, Sendable {
    /// What goes over the wire.
    public private(set) var bytes: [UInt8] = []

    /// A request of these words, the verb first.
    public init(_ words: [String]) {
        var size = Self.lineBytes
        for word in words { size += Self.lineBytes + word.utf8.count }
        bytes.reserveCapacity(size)
        append("*", words.count)
        for word in words {
            append("$", word.utf8.count)
            bytes.append(contentsOf: word.utf8)
            endLine()
        }
    }

    /// A short line, and the end of a word.
    private static let lineBytes = 12

    private mutating func append(_ marker: Unicode.Scalar, _ count: Int) {
        bytes.append(UInt8(ascii: marker))
        if count < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(count))
        } else {
            bytes.append(contentsOf: String(count).utf8)
        }
        endLine()
    }

    private mutating func endLine() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}
