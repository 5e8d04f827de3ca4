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
        let usPerDay: Int64 = 86_400_000_000
        let days = wallUs.floored(by: usPerDay)
        let us = wallUs - days * usPerDay
        let (year, month, day) = Self.date(days)
        let seconds = us / 1_000_000
        let parts = [
            (year, 4, "-"), (month, 2, "-"), (day, 2, "T"), (seconds / 3_600, 2, ":"), (seconds / 60 % 60, 2, ":"),
            (seconds % 60, 2, "."), (us % 1_000_000, 6, "Z"),
        ]
        var text = ""
        text.reserveCapacity(27)
        for (number, width, behind) in parts {
            Self.append(number, width, to: &text)
            text += behind
        }
        return text
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

    /// In so many digits at least.
    private static func append(_ number: Int64, _ width: Int, to text: inout String) {
        let digits = String(number)
        for _ in 0..<max(0, width - digits.utf8.count) { text += "0" }
        text += digits
    }
}

extension Int64 {
    /// The quotient, rounded down.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
