import LikesProtocol

/// Finds the ends of replies in a stream of bytes that may be cut anywhere, and the little that the load generator
/// wants to know of each. Between calls it keeps a few numbers and no bytes. `ReplyReader` would allocate for each
/// reply.
struct ReplyScanner {
    enum Step: Equatable {
        /// All bytes are used up.
        case incomplete
        /// A whole reply without an error in it. The value is its first integer, 0 if it has none.
        case success(first: Int64, ReplyShape)
        case failure(ReplyCode)
        /// Not RESP2: the connection can't be used any more.
        case broken
    }

    private enum State { case kind, integer, arrayLength, bulkLength, bulk, line, error }

    private static let elementsMax: Int64 = 65_536
    private static let bulkBytesMax: Int64 = 16 * 1024 * 1024

    private var state = State.kind
    private var number: Int64 = 0
    private var isNegative = false
    private var bulkBytesLeft: Int64 = 0
    /// Values that the reply still lacks. Nested arrays add to it.
    private var valuesLeft: Int64 = 1
    private var first: Int64?
    private var code = ReplyCode()
    private var codeIsWhole = false
    private var hasError = false
    /// Values that are no integers, and arrays in arrays.
    private var hasOthers = false
    private var elements: Int64?

    /// Continues at `place` until a reply or the bytes end.
    mutating func next(in bytes: UnsafeRawBufferPointer, from place: inout Int) -> Step {
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            switch state {
            case .kind:
                guard begin(byte) else { return .broken }
            case .integer, .arrayLength, .bulkLength:
                let digit = byte &- UInt8(ascii: "0")
                if digit <= 9 {
                    number = number &* 10 &+ Int64(digit)
                } else if byte == UInt8(ascii: "\n") {
                    guard endNumber() else { return .broken }
                    if valuesLeft == 0 { return ended() }
                } else if byte == UInt8(ascii: "-") {
                    isNegative = true
                } else if byte != UInt8(ascii: "\r") {
                    return .broken
                }
            case .bulk:
                let rest = min(bulkBytesLeft - 1, Int64(bytes.count - place))
                place += Int(rest)
                bulkBytesLeft -= 1 + rest
                if bulkBytesLeft == 0, endValue() { return ended() }
            case .line:
                if byte == UInt8(ascii: "\n"), endValue() { return ended() }
            case .error:
                if byte == UInt8(ascii: "\n") {
                    if endValue() { return ended() }
                } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\r") {
                    codeIsWhole = true
                } else if !codeIsWhole {
                    code.append(byte)
                }
            }
        }
        return .incomplete
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        number = 0
        isNegative = false
        switch byte {
        case UInt8(ascii: ":"): state = .integer
        case UInt8(ascii: "*"): state = .arrayLength
        case UInt8(ascii: "$"):
            state = .bulkLength
            hasOthers = true
        case UInt8(ascii: "+"):
            state = .line
            hasOthers = true
        case UInt8(ascii: "-"):
            state = .error
            code = ReplyCode()
            codeIsWhole = false
            hasError = true
        default: return false
        }
        return true
    }

    /// False: no reply has this length.
    private mutating func endNumber() -> Bool {
        switch state {
        case .arrayLength:
            // A null array is a value like any other.
            guard number <= Self.elementsMax, number >= 0 else { return false }
            valuesLeft += isNegative ? -1 : number - 1
            if elements != nil || isNegative { hasOthers = true }
            elements = number
            state = .kind
        case .bulkLength:
            guard number <= Self.bulkBytesMax, number >= 0 else { return false }
            if isNegative {
                _ = endValue()
            } else {
                bulkBytesLeft = number + 2
                state = .bulk
            }
        case .integer, .kind, .bulk, .line, .error:
            if first == nil { first = isNegative ? 0 &- number : number }
            _ = endValue()
        }
        return true
    }

    /// Whether this ends the reply.
    private mutating func endValue() -> Bool {
        state = .kind
        valuesLeft -= 1
        return valuesLeft == 0
    }

    private mutating func ended() -> Step {
        let shape: ReplyShape = hasOthers ? .other : elements.map { .integers($0) } ?? .integer
        let step: Step = hasError ? .failure(code) : .success(first: first ?? 0, shape)
        valuesLeft = 1
        first = nil
        hasError = false
        hasOthers = false
        elements = nil
        return step
    }
}

/// What a reply without an error consists of.
enum ReplyShape: Equatable {
    case integer
    /// An array of so many integers.
    case integers(Int64)
    case other
}

/// The first word of an error reply, up to 16 bytes of it, without a String's allocation.
struct ReplyCode: Equatable {
    private static let bytesMax = 16
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private var count = 0

    /// The daemon's own code for a limit that was reached.
    static let busy = ReplyCode(ErrorCode.busy.rawValue)
    /// The connection ended before the answer came.
    static let lost = ReplyCode("LOST")
    /// No answer came until the end of the run.
    static let noAnswer = ReplyCode("NOANSWER")
    /// It was due, and no connection had room for it until the end of the run.
    static let notSent = ReplyCode("NOTSENT")
    /// Codes beyond those that are counted by name.
    static let other = ReplyCode("OTHER")

    init() {}

    init(_ text: String) {
        for byte in text.utf8 { append(byte) }
    }

    mutating func append(_ byte: UInt8) {
        guard count < Self.bytesMax else { return }
        high = high << 8 | low >> 56
        low = low << 8 | UInt64(byte)
        count += 1
    }

    var text: String {
        let bytes = (0..<count).reversed().map { place in
            UInt8(truncatingIfNeeded: (place < 8 ? low : high) >> UInt64(place % 8 * 8))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
