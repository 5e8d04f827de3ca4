/// The numbers of the wire: decimal digits and nothing else, 0 … 2^63−1.
enum Decimal {
    /// Digits of 2^63−1. So many fit a `UInt64` whatever they are, which keeps the loop below free of overflow checks.
    private static let significantDigitsMax = 19

    /// The number, nil when `digits` is empty, too long, holds anything but digits or is 2^63 or more.
    static func parse(_ digits: UnsafeRawBufferPointer) -> Int64? {
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

    /// Digits and sign of any number.
    static let bytesMax = 20

    /// Writes the number in decimal so that it ends before `end`; returns where it starts.
    static func write(_ number: Int64, to bytes: UnsafeMutableRawBufferPointer, endingAt end: Int) -> Int {
        var rest = number.magnitude
        var start = end
        repeat {
            start -= 1
            bytes[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        if number < 0 {
            start -= 1
            bytes[start] = UInt8(ascii: "-")
        }
        return start
    }
}
