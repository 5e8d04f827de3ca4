/// Text in a URL: `%2F` stands for a byte, and in a query `+` for a blank.
enum QueryText {
    /// Between the path and the query.
    static let mark = UInt8(ascii: "?")

    /// The bytes that are meant. A percent sign without two hexadecimal digits stands for itself.
    static func decoded(_ text: some Collection<UInt8>, plusIsBlank: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var place = text.startIndex
        while place < text.endIndex {
            let byte = text[place]
            text.formIndex(after: &place)
            if byte == UInt8(ascii: "%"), let value = hexadecimal(text[place...].prefix(2)) {
                bytes.append(value)
                place = text.index(place, offsetBy: 2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") && plusIsBlank ? UInt8(ascii: " ") : byte)
            }
        }
        return bytes
    }

    private static func hexadecimal(_ digits: some Collection<UInt8>) -> UInt8? {
        guard digits.count == 2 else { return nil }
        var value: UInt8 = 0
        for byte in digits {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | (byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | (byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | (byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    /// The value of a parameter; of several with one name the last counts. nil: there is none.
    static func value(_ name: String, in query: Substring.UTF8View) -> String? {
        var value: String?
        var rest = query
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
            let part = rest[..<end]
            rest = rest[end...].dropFirst()
            let nameEnd = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard isEqual(part[..<nameEnd], name) else { continue }
            value = text(part[nameEnd...].dropFirst())
        }
        return value
    }

    private static func isEqual(_ part: Substring.UTF8View, _ name: String) -> Bool {
        if isPlain(part) { return part.elementsEqual(name.utf8) }
        return decoded(part, plusIsBlank: true).elementsEqual(name.utf8)
    }

    private static func text(_ part: Substring.UTF8View) -> String {
        if isPlain(part) { return String(Substring(part)) }
        return String(decoding: decoded(part, plusIsBlank: true), as: UTF8.self)
    }

    /// Whether each byte stands for itself.
    private static func isPlain(_ part: Substring.UTF8View) -> Bool {
        part.allSatisfy { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+") }
    }
}
