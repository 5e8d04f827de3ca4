/// Numbers as a plan shows them: two or three digits that count.
package enum Quantity {
    /// A number with thousands parted, without a redundant fraction.
    package static func plain(_ value: Double) -> String {
        let rounded = toThreeDigits(value)
        if rounded >= 100 || rounded == rounded.rounded() { return parted(rounded) }
        return decimal(rounded)
    }

    /// Bytes with the unit that fits, of powers of a thousand.
    package static func bytes(_ value: Double) -> String {
        for (unit, size) in [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
        where toThreeDigits(value) >= size {
            return plain(value / size) + " " + unit
        }
        return plain(value) + " B"
    }

    /// CPU seconds a second.
    package static func cores(_ value: Double) -> String {
        let hundredths = (value * 100).rounded(.up) / 100
        return "\(plain(hundredths)) \(hundredths <= 1 ? "of a core" : "cores")"
    }

    package static func percent(_ share: Double) -> String { "\(parted((share * 100).rounded(.up))) %" }

    /// A whole number, with commas.
    package static func parted(_ value: Double) -> String {
        var digits = String(Int64(value.rounded()))
        var text = ""
        while digits.count > 3 {
            text = "," + digits.suffix(3) + text
            digits.removeLast(3)
        }
        return digits + text
    }

    private static func toThreeDigits(_ value: Double) -> Double {
        var scale = 1.0
        while value * scale < 100, scale < 1_000 { scale *= 10 }
        while value * scale >= 1_000 { scale /= 10 }
        return (value * scale).rounded() / scale
    }

    /// Up to three decimals, none of them a last zero.
    private static func decimal(_ value: Double) -> String {
        let thousandths = Int64((value * 1_000).rounded())
        var fraction = String(1_000 + thousandths % 1_000).dropFirst()
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(thousandths / 1_000)" + (fraction.isEmpty ? "" : ".\(fraction)")
    }
}
