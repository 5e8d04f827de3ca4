/// The replies to COUNT and MCOUNT, which look the same in every protocol version. They are written straight into
/// memory that is reused.
public struct CountReplies {
    /// The most bytes that a number takes, with the byte before it and CR LF behind it.
    public static let numberBytesMax = Decimal.lineBytesMax

    private let bytes: UnsafeMutableRawBufferPointer
    /// The bytes written so far.
    public private(set) var count = 0

    /// Writes into `bytes`, which must outlive this value. Nothing is written yet.
    public init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    /// Whether this many numbers fit, whatever they are, with the header of their array.
    public func hasRoom(for numbers: Int) -> Bool {
        bytes.count - count >= (numbers + 1) * CountReplies.numberBytesMax
    }

    /// Writes an integer reply, or an element of an array. It traps if `hasRoom` would have said no.
    public mutating func append(_ number: Int64) { append(UInt8(ascii: ":"), number) }

    /// Writes the start of an array of `count` elements. It traps if `hasRoom` would have said no.
    public mutating func append(arrayOf count: Int) { append(UInt8(ascii: "*"), Int64(count)) }

    private mutating func append(_ marker: UInt8, _ number: Int64) {
        precondition(bytes.count - count >= CountReplies.numberBytesMax, "the replies were not asked for room")
        count = Decimal.writeLine(marker, number, to: bytes, at: count)
    }

    /// Drops all but the first `count` bytes.
    public mutating func cut(to count: Int) { self.count = min(self.count, count) }

    /// What was written.
    public var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }
}
