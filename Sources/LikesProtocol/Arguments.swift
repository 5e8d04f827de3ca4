/// The words of one whole request, verb first, in either form. It walks the bytes again instead of keeping a list, so
/// that a request costs no allocation.
///
/// Invariant: `bytes` is exactly one request whose framing `RequestParser` has checked.
struct Arguments {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    /// Bulk strings still to come; nil for an inline line, whose words are not counted beforehand.
    private var bulksLeft: Int?

    /// The words of an inline line, without its end.
    init(line: UnsafeRawBufferPointer) {
        bytes = line
        position = 0
        bulksLeft = nil
    }

    /// The `count` bulk strings of a RESP array, the first of which starts at `position`.
    init(array: UnsafeRawBufferPointer, position: Int, count: Int) {
        bytes = array
        self.position = position
        bulksLeft = count
    }

    /// At most this many words are left. Use it to reserve memory, not to predict.
    var countMax: Int { bulksLeft ?? (bytes.count - position + 1) / 2 }

    /// The next word; nil after the last.
    mutating func next() -> UnsafeRawBufferPointer? {
        guard let left = bulksLeft else { return nextWord() }
        guard left > 0 else { return nil }
        bulksLeft = left - 1
        return nextBulk()
    }

    private mutating func nextWord() -> UnsafeRawBufferPointer? {
        while position < bytes.count, Arguments.isBlank(bytes[position]) { position += 1 }
        guard position < bytes.count else { return nil }
        let start = position
        while position < bytes.count, !Arguments.isBlank(bytes[position]) { position += 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    private mutating func nextBulk() -> UnsafeRawBufferPointer? {
        guard case .value(let length, let start) = LengthLine.read(.bulk, in: bytes, at: position),
            length >= 0, length <= bytes.count - start
        else { preconditionFailure("a request was decoded whose framing had not been checked") }
        position = start + length + LengthLine.endBytes
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
    }

    /// Blanks separate the words of an inline line.
    static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
