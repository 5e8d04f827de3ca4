/// The numbers of the wire: decimal digits and nothing else, 0 … 2^63−1.
package enum Decimal {
    /// Digits of 2^63−1. That many always fit a `UInt64`, which keeps the loop below free of overflow checks.
    private static let significantDigitsMax = 19

    /// The number; nil if `digits` is empty, too long, contains anything but digits, or is 2^63 or more.
    package static func parse(_ digits: UnsafeRawBufferPointer) -> Int64? {
        guard !digits.isEmpty, digits.count <= WireLimits.numberBytesMax else { return nil }
        var value: UInt64 = 0
        var significant = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            if digit != 0 || significant != 0 { significant += 1 }
            guard significant <= significantDigitsMax else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        return Int64(exactly: value)
    }

    /// The same, with or without a minus sign in front.
    package static func parseSigned(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.first == UInt8(ascii: "-") else { return parse(text) }
        return parse(UnsafeRawBufferPointer(rebasing: text.dropFirst())).map { -$0 }
    }

    /// Bytes of the longest line: marker, sign, digits and CRLF.
    static let lineBytesMax = 23

    /// Writes `:number` or the like and CRLF at `start`, where `lineBytesMax` bytes must be free. Returns where it
    /// ends.
    static func writeLine(
        _ marker: UInt8, _ number: Int64, to bytes: UnsafeMutableRawBufferPointer, at start: Int
    ) -> Int {
        var position = start
        bytes[position] = marker
        position += 1
        if number < 0 {
            bytes[position] = UInt8(ascii: "-")
            position += 1
        }
        let end = position + digits(of: number.magnitude)
        var rest = number.magnitude
        position = end
        repeat {
            position -= 1
            bytes[position] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        bytes[end] = UInt8(ascii: "\r")
        bytes[end + 1] = UInt8(ascii: "\n")
        return end + 2
    }

    private static func digits(of number: UInt64) -> Int {
        var digits = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        return digits
    }
}
