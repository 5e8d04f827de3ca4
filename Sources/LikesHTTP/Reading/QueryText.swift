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
    static func value(_ name: String, in query: some Collection<UInt8>) -> String? {
        var value: String?
        for part in query.split(separator: UInt8(ascii: "&")) {
            let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard decoded(part[..<end], plusIsBlank: true).elementsEqual(name.utf8) else { continue }
            value = String(decoding: decoded(part[end...].dropFirst(), plusIsBlank: true), as: UTF8.self)
        }
        return value
    }
}
