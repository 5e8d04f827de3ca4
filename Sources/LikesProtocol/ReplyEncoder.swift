/// Writes replies in the connection's protocol version.
public struct ReplyEncoder: Sendable {
    /// The version in force; `Reply.hello` and `Reply.reset` change it.
    public private(set) var version: ProtocolVersion

    /// A new connection speaks RESP2.
    public init(version: ProtocolVersion = .resp2) { self.version = version }

    /// Appends the encoded reply to `out`. Control bytes in the text of a line become blanks. A map with an odd number
    /// of fields traps.
    public mutating func append(_ reply: Reply, to out: inout [UInt8]) {
        switch reply {
        case .integer(let number):
            ReplyEncoder.line(":", number, &out)
        case .change(let changed, let count):
            ReplyEncoder.line("*", 2, &out)
            ReplyEncoder.line(":", changed ? 1 : 0, &out)
            ReplyEncoder.line(":", count, &out)
        case .integers(let numbers):
            ReplyEncoder.line("*", Int64(numbers.count), &out)
            for number in numbers { ReplyEncoder.line(":", number, &out) }
        case .simple(let text):
            ReplyEncoder.line("+", text, &out)
        case .bulk(let bytes):
            ReplyEncoder.line("$", Int64(bytes.count), &out)
            out.append(contentsOf: bytes)
            ReplyEncoder.end(&out)
        case .null:
            switch version {
            case .resp2: out.append(contentsOf: "$-1\r\n".utf8)
            case .resp3: out.append(contentsOf: "_\r\n".utf8)
            }
        case .array(let elements):
            ReplyEncoder.line("*", Int64(elements.count), &out)
            for element in elements { append(element, to: &out) }
        case .map(let fields):
            map(fields, &out)
        case .hello(let version, let fields):
            self.version = version
            map(fields, &out)
        case .reset:
            version = .resp2
            ReplyEncoder.line("+", "RESET", &out)
        case .error(let error):
            out.append(UInt8(ascii: "-"))
            out.append(contentsOf: error.code.rawValue.utf8)
            ReplyEncoder.line(" ", error.message, &out)
        }
    }

    private mutating func map(_ fields: [Reply], _ out: inout [UInt8]) {
        precondition(fields.count.isMultiple(of: 2), "a map is keys and values in turn")
        switch version {
        case .resp2: ReplyEncoder.line("*", Int64(fields.count), &out)
        case .resp3: ReplyEncoder.line("%", Int64(fields.count / 2), &out)
        }
        for field in fields { append(field, to: &out) }
    }

    private static func line(_ marker: Unicode.Scalar, _ number: Int64, _ out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: Decimal.lineBytesMax, alignment: 1) { line in
            let end = Decimal.writeLine(UInt8(ascii: marker), number, to: line, at: 0)
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: line[..<end]))
        }
    }

    /// A control byte in the text would end the line early, and the rest would pose as the next reply.
    private static func line(_ marker: Unicode.Scalar, _ text: String, _ out: inout [UInt8]) {
        out.append(UInt8(ascii: marker))
        for byte in text.utf8 {
            out.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte)
        }
        end(&out)
    }

    private static func end(_ out: inout [UInt8]) {
        out.append(UInt8(ascii: "\r"))
        out.append(UInt8(ascii: "\n"))
    }
}
