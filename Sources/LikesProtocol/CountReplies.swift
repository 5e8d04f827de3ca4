/// The replies to COUNT and MCOUNT, which look the same in every version of the protocol, written straight into memory
/// that is used again and again.
public struct CountReplies {
    /// Bytes that a number may take, with what goes before and behind it.
    public static let numberBytesMax = Decimal.lineBytesMax

    private let bytes: UnsafeMutableRawBufferPointer
    /// The bytes written so far.
    public private(set) var count = 0

    /// `bytes` must outlive this; it starts empty.
    public init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    /// Whether so many numbers fit whatever they are, the length of their array included.
    public func hasRoom(for numbers: Int) -> Bool {
        bytes.count - count >= (numbers + 1) * CountReplies.numberBytesMax
    }

    /// Writes `Reply.integer`, or an element of an array. There is room for it.
    public mutating func append(_ number: Int64) { append(UInt8(ascii: ":"), number) }

    /// Writes the start of an array. There is room for it.
    public mutating func append(arrayOf count: Int) { append(UInt8(ascii: "*"), Int64(count)) }

    private mutating func append(_ marker: UInt8, _ number: Int64) {
        precondition(bytes.count - count >= CountReplies.numberBytesMax, "the replies were not asked for room")
        count = Decimal.writeLine(marker, number, to: bytes, at: count)
    }

    /// Takes back what is behind the first `count` bytes.
    public mutating func cut(to count: Int) { self.count = min(self.count, count) }

    /// What was written.
    public var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }
}
