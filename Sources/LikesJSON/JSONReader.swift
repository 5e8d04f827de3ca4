/// Reads one JSON text (RFC 8259), and nothing that is almost one.
///
/// Memory grows with the text alone, by a fixed factor. Of members with one name all are kept, in order. A lone half of
/// a surrogate pair becomes U+FFFD, as no text can hold it. The bytes have to be valid UTF-8.
package struct JSONReader {
    /// Arrays and objects within each other. The reader calls itself for each.
    package static let depthMax = 128

    /// Why the text is not JSON, and at which of its bytes.
    package struct Fault: Error, Equatable {
        package var reason: String
        package var offset: Int
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0
    private var depth = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// The value that the whole text is.
    package static func read(_ bytes: [UInt8]) throws(Fault) -> JSON {
        let read = bytes.withUnsafeBufferPointer { bytes in
            var reader = JSONReader(bytes)
            return Result { () throws(Fault) in try reader.text() }
        }
        return try read.get()
    }

    private mutating func text() throws(Fault) -> JSON {
        passBlanks()
        let value = try value()
        passBlanks()
        guard place == bytes.count else { throw fault("Extra data") }
        return value
    }

    private func fault(_ reason: String) -> Fault { Fault(reason: reason, offset: place) }

    /// The byte at the present place; nil: the text has ended.
    private var byte: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func passBlanks() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { place += 1 }
    }

    private mutating func pass(_ wanted: Unicode.Scalar) -> Bool {
        guard byte == UInt8(ascii: wanted) else { return false }
        place += 1
        return true
    }

    private mutating func value() throws(Fault) -> JSON {
        guard let byte else { throw fault("Expecting value") }
        switch byte {
        case UInt8(ascii: "{"): return try nested { reader throws(Fault) in try reader.object() }
        case UInt8(ascii: "["): return try nested { reader throws(Fault) in try reader.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fault("Expecting value")
        }
    }

    private mutating func nested(_ body: (inout JSONReader) throws(Fault) -> JSON) throws(Fault) -> JSON {
        guard depth < Self.depthMax else { throw fault("Nested more than \(Self.depthMax) deep") }
        depth += 1
        place += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(Fault) -> JSON {
        let end = place + word.utf8CodeUnitCount
        guard end <= bytes.count, (place..<end).allSatisfy({ bytes[$0] == word.utf8Start[$0 - place] }) else {
            throw fault("Expecting value")
        }
        place = end
        return value
    }

    private mutating func array() throws(Fault) -> JSON {
        var values: [JSON] = []
        passBlanks()
        if pass("]") { return .array(values) }
        while true {
            passBlanks()
            values.append(try value())
            passBlanks()
            if pass("]") { return .array(values) }
            guard pass(",") else { throw fault("Expecting ',' delimiter") }
        }
    }

    private mutating func object() throws(Fault) -> JSON {
        var members: [(name: String, value: JSON)] = []
        passBlanks()
        if pass("}") { return .object(members) }
        while true {
            passBlanks()
            guard byte == UInt8(ascii: "\"") else { throw fault("Expecting property name enclosed in double quotes") }
            let name = try string()
            passBlanks()
            guard pass(":") else { throw fault("Expecting ':' delimiter") }
            passBlanks()
            members.append((name, try value()))
            passBlanks()
            if pass("}") { return .object(members) }
            guard pass(",") else { throw fault("Expecting ',' delimiter") }
        }
    }

    // MARK: Numbers

    private mutating func number() throws(Fault) -> JSON {
        let start = place
        _ = pass("-")
        if !pass("0") { try digits() }
        var isWhole = true
        if pass(".") {
            isWhole = false
            try digits()
        }
        if pass("e") || pass("E") {
            isWhole = false
            if !pass("+") { _ = pass("-") }
            try digits()
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<place]), as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        return .numeral(text)
    }

    private mutating func digits() throws(Fault) {
        let start = place
        while let byte, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { place += 1 }
        guard place > start else { throw fault("Expecting a digit") }
    }

    // MARK: Strings

    private mutating func string() throws(Fault) -> String {
        place += 1
        let start = place
        while let byte, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { place += 1 }
        let plain = UnsafeBufferPointer(rebasing: bytes[start..<place])
        if pass("\"") { return String(decoding: plain, as: UTF8.self) }
        return try escapedString(after: Array(plain))
    }

    private mutating func escapedString(after plain: [UInt8]) throws(Fault) -> String {
        var text = plain
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                place += 1
                text.append(contentsOf: String(try escaped()).utf8)
            case 0..<0x20: throw fault("Invalid control character")
            default:
                text.append(byte)
                place += 1
            }
        }
        throw fault("Unterminated string")
    }

    private mutating func escaped() throws(Fault) -> Unicode.Scalar {
        guard let byte else { throw fault("Unterminated string") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default:
            place -= 1
            throw fault("Invalid \\escape")
        }
    }

    /// Behind `\u`: one unit, or two that are a pair.
    private mutating func unicode() throws(Fault) -> Unicode.Scalar {
        let unit = try hexadecimal()
        guard UTF16.isLeadSurrogate(unit) else { return Unicode.Scalar(unit) ?? "\u{fffd}" }
        let behind = place
        guard pass("\\"), pass("u") else {
            place = behind
            return "\u{fffd}"
        }
        let second = try hexadecimal()
        guard UTF16.isTrailSurrogate(second) else {
            place = behind
            return "\u{fffd}"
        }
        let number = 0x10000 + (UInt32(unit) & 0x3FF) << 10 + UInt32(second) & 0x3FF
        return Unicode.Scalar(number) ?? "\u{fffd}"
    }

    private mutating func hexadecimal() throws(Fault) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte, let digit = Self.digit(byte) else { throw fault("Invalid \\uXXXX escape") }
            unit = unit << 4 | digit
            place += 1
        }
        return unit
    }

    private static func digit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
