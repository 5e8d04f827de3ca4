/// The values of options: the same forms, and the same error messages, for every command.
package enum OptionValue {
    /// A whole number as it would be printed: no leading zeros, no plus.
    package static func whole(
        _ name: String, _ value: String, _ range: ClosedRange<Int64>
    ) throws(Failure) -> Int64 {
        guard let number = Int64(value), String(number) == value, range.contains(number) else {
            throw Failure(
                .usage, "\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not '\(value)'")
        }
        return number
    }

    /// Seconds with or without a fraction.
    package static func seconds(
        _ name: String, _ value: String, _ range: ClosedRange<Double>
    ) throws(Failure) -> Double {
        guard let seconds = decimal(value[...]), range.contains(seconds) else {
            throw Failure(
                .usage,
                "\(name) takes seconds from \(text(range.lowerBound)) to \(text(range.upperBound)), not '\(value)'")
        }
        return seconds
    }

    /// Digits with at most one point: no sign, no exponent, no name such as `inf`. nil: anything else.
    package static func decimal(_ text: Substring) -> Double? {
        let isPlain = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
        }
        return isPlain ? Double(text) : nil
    }

    /// A decimal without a redundant fraction.
    static func text(_ decimal: Double) -> String {
        let text = decimal.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
