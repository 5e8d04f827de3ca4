/// A moment on both clocks. Readings are the caller's: nothing here reads a clock.
package struct Moment: Equatable, Sendable {
    /// Microseconds of the monotonic clock.
    package var monotonicUs: Int64
    /// Microseconds since 1970-01-01 in UTC.
    package var wallUs: Int64

    package init(monotonicUs: Int64, wallUs: Int64) {
        self.monotonicUs = monotonicUs
        self.wallUs = wallUs
    }

    /// Milliseconds between two moments, to a hundredth.
    func ms(since other: Moment) -> Double { (Double(monotonicUs - other.monotonicUs) / 10).rounded() / 100 }

    /// ISO 8601: `2026-11-30T12:47:32.123456Z`.
    var text: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the same.
    func write(to bytes: inout [UInt8]) {
        let usPerDay: Int64 = 86_400_000_000
        let days = wallUs.floored(by: usPerDay)
        let us = wallUs - days * usPerDay
        let (year, month, day) = Self.date(days)
        let seconds = us / 1_000_000
        bytes.append(year, digits: 4, "-")
        bytes.append(month, digits: 2, "-")
        bytes.append(day, digits: 2, "T")
        bytes.append(seconds / 3_600, digits: 2, ":")
        bytes.append(seconds / 60 % 60, digits: 2, ":")
        bytes.append(seconds % 60, digits: 2, ".")
        bytes.append(us % 1_000_000, digits: 6, "Z")
    }

    /// The date so many days after 1970-01-01. Years are counted from March, so that the leap day ends one.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let daysPer400Years: Int64 = 146_097
        let fromMarch = days + 719_468
        let era = fromMarch.floored(by: daysPer400Years)
        let dayOfEra = fromMarch - era * daysPer400Years
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let isAfterDecember = month >= 10
        return (
            yearOfEra + era * 400 + (isAfterDecember ? 1 : 0), isAfterDecember ? month - 9 : month + 3,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}

extension [UInt8] {
    /// A number that is not negative in so many digits, with zeros in front, and what stands behind it.
    fileprivate mutating func append(_ number: Int64, digits: Int, _ behind: Unicode.Scalar) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        var rest = number
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: rest / divisor % 10) + UInt8(ascii: "0"))
            rest %= divisor
            divisor /= 10
        }
        append(UInt8(ascii: behind))
    }
}

extension Int64 {
    /// The quotient, rounded down.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
