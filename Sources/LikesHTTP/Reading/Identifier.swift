import LikesJSON

/// The id of a user or an item, 0 … 2^63−1, as a request may write it: 123, 123.0, 1.23e2 or "123".
enum Identifier {
    static func read(_ value: JSON, at location: [Issue.Step]) throws(Wrong) -> Int64 {
        switch value {
        case .integer(let number):
            guard number >= 0 else { throw Wrong(.tooSmall(at: location, value, least: 0)) }
            return number
        case .numeral(let text): return try read(numeral: text, at: location)
        case .string(let text): return try read(text: text, at: location)
        case .null, .bool, .number, .array, .object: throw Wrong(.notAnInteger(at: location, value))
        }
    }

    /// A number that is no integer of 64 bits, or not written as one.
    private static func read(numeral: String, at location: [Issue.Step]) throws(Wrong) -> Int64 {
        let value = JSON.numeral(numeral)
        guard let number = Double(numeral) else { throw Wrong(.notAnInteger(at: location, value)) }
        guard number == number.rounded(.towardZero) else { throw Wrong(.fraction(at: location, value)) }
        guard number > -1 else { throw Wrong(.tooSmall(at: location, value, least: 0)) }
        // From 2^63 on, infinity included, there is none.
        guard let whole = Int64(exactly: number) else { throw Wrong(.tooGreat(at: location, value, greatest: .max)) }
        return whole
    }

    /// As the replaced service read it: with blanks around it, a sign, leading zeros, single underscores between
    /// digits, and a fraction of zeros. `range`: the numbers that are allowed, none of them negative.
    static func read(
        text: String, at location: [Issue.Step], in range: ClosedRange<Int64> = 0...Int64.max
    ) throws(Wrong) -> Int64 {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
        var rest = Substring(text).utf8.drop { blanks.contains($0) }
        while let last = rest.last, blanks.contains(last) { rest.removeLast() }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        if let point = rest.firstIndex(of: UInt8(ascii: ".")) {
            guard rest[point...].dropFirst().allSatisfy({ $0 == UInt8(ascii: "0") }) else {
                throw Wrong(.notANumber(at: location, text))
            }
            rest = rest[..<point]
        }
        guard let digits = digits(rest) else { throw Wrong(.notANumber(at: location, text)) }
        let significant = digits.drop { $0 == UInt8(ascii: "0") }
        let magnitude = significant.isEmpty ? 0 : Int64(String(decoding: significant, as: UTF8.self))
        guard magnitude.map({ $0 >= range.lowerBound }) ?? true, !isNegative || significant.isEmpty else {
            throw Wrong(.tooSmall(at: location, .string(text), least: range.lowerBound))
        }
        // Beyond 64 bits there is no number.
        guard let magnitude, magnitude <= range.upperBound else {
            throw Wrong(.tooGreat(at: location, .string(text), greatest: range.upperBound))
        }
        return magnitude
    }

    /// Digits without the underscores between them; nil: there is something else.
    private static func digits(_ text: Substring.UTF8View) -> [UInt8]? {
        var digits: [UInt8] = []
        var isBehindDigit = false
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(byte)
                isBehindDigit = true
            case UInt8(ascii: "_") where isBehindDigit: isBehindDigit = false
            default: return nil
            }
        }
        return isBehindDigit ? digits : nil
    }

    /// Why a value is no id.
    struct Wrong: Error {
        var issue: Issue
        init(_ issue: Issue) { self.issue = issue }
    }
}
