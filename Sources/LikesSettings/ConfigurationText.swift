import LikesProtocol

/// The few operations on text that settings need.
package enum ConfigurationText {
    /// Characters of a client's or file's text that a message repeats.
    static let quotedCharactersMax = 80

    /// `text` as a message may show it: on one line, and cut to a sensible length.
    static func quoted(_ text: String) -> String {
        var shown = ""
        var count = 0
        for scalar in NextStep.disarmed(text).unicodeScalars {
            guard count < quotedCharactersMax else { return "'\(shown)…'" }
            count += 1
            if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
                shown += scalar.escaped(asASCII: true)
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return "'\(shown)'"
    }

    /// Without blanks, tabs and the CR of a CRLF at both ends.
    package static func trimmed(_ text: Substring) -> Substring {
        var rest = text
        while let first = rest.unicodeScalars.first, isBlank(first) { rest.unicodeScalars.removeFirst() }
        while let last = rest.unicodeScalars.last, isBlank(last) { rest.unicodeScalars.removeLast() }
        return rest
    }

    static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r"
    }

    /// Decodes `%41`; nil if a `%` lacks its two digits, or the result is not UTF-8.
    static func percentDecoded(_ text: some StringProtocol) -> String? {
        percentDecodedBytes(text).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Decodes `%41`; nil if a `%` lacks its two digits, or stands for a zero byte, which would end a C string.
    static func percentDecodedBytes(_ text: some StringProtocol) -> [UInt8]? {
        var decoded: [UInt8] = []
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = bytes.next().flatMap(hexDigit), let low = bytes.next().flatMap(hexDigit) else {
                return nil
            }
            decoded.append(high << 4 | low)
        }
        return decoded.contains(0) ? nil : decoded
    }

    /// The inverse of `percentDecoded`. It keeps the characters that a URI's parts may contain besides letters and
    /// digits.
    static func percentEncoded(_ text: String, keeping kept: String = "") -> String {
        var encoded = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isUnreserved =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~".unicodeScalars.contains(scalar) || kept.unicodeScalars.contains(scalar)
                }
            if isUnreserved {
                encoded.unicodeScalars.append(scalar)
            } else {
                encoded += byte < 16 ? "%0" : "%"
                encoded += String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// A decimal number of digits alone; nil for anything else, or out of `range`.
    static func number(_ text: some StringProtocol, in range: ClosedRange<Int64>) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int64(text), range.contains(number)
        else { return nil }
        return number
    }
}
