/// The lines `*3\r\n` and `$5\r\n` that announce how many bulk strings, or how many bytes, follow.
enum LengthLine {
    /// What is announced, by its first byte.
    enum Kind: UInt8 {
        case array = 0x2A
        case bulk = 0x24
    }

    /// The result of reading a line.
    enum Outcome: Equatable {
        /// Correct so far, but the line goes on.
        case incomplete
        /// The number, and where the bytes behind the line start.
        case value(Int, end: Int)
        /// The first byte is not the kind's.
        case otherMarker(UInt8)
        /// Not a decimal number of at most `digitsMax` digits ended by CRLF.
        case malformed
    }

    /// Digits of the number: more than any limit needs, and too few to overflow.
    static let digitsMax = 10
    /// CR and LF.
    static let endBytes = 2

    /// Reads the line at `start`, which is at most `bytes.count`. The first wrong byte decides, so the outcome does not
    /// depend on how many of the bytes behind it have arrived.
    static func read(_ kind: Kind, in bytes: UnsafeRawBufferPointer, at start: Int) -> Outcome {
        var position = start
        guard position < bytes.count else { return .incomplete }
        guard bytes[position] == kind.rawValue else { return .otherMarker(bytes[position]) }
        position += 1
        guard position < bytes.count else { return .incomplete }
        let negative = bytes[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        var value = 0
        let digits = position
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            guard position - digits < digitsMax else { return .malformed }
            value = value * 10 + Int(digit)
            position += 1
        }
        guard position < bytes.count else { return .incomplete }
        guard position > digits, bytes[position] == UInt8(ascii: "\r") else { return .malformed }
        position += 1
        guard position < bytes.count else { return .incomplete }
        guard bytes[position] == UInt8(ascii: "\n") else { return .malformed }
        return .value(negative ? -value : value, end: position + 1)
    }
}
