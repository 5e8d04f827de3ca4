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
        let date = [Self.padded(year, 4), Self.padded(month, 2), Self.padded(day, 2)].joined(separator: "-")
        let time = [seconds / 3_600, seconds / 60 % 60, seconds % 60].map { Self.padded($0, 2) }.joined(separator: ":")
        return "\(date)T\(time).\(Self.padded(us % 1_000_000, 6))Z"
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

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension Int64 {
    /// The quotient, rounded down.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
