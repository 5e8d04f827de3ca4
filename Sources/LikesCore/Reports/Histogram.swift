/// How often values were measured: whole numbers from 0, such as microseconds, exact to two significant digits.
///
/// Each power of ten has 90 places of equal width, as in HdrHistogram (hdrhistogram.org) with two digits, so that
/// decimal bounds are exact. What is `limit` or more is one place. It takes `placesCount` numbers, 4.4 KB.
struct Histogram {
    static let limit: Int64 = 10_000_000
    /// 0 to 99, 90 for each power of ten from 100 to `limit`, and what is more.
    static let placesCount = 100 + 5 * 90 + 1

    private var counts = ContiguousArray<Int64>(repeating: 0, count: placesCount)
    private(set) var count: Int64 = 0
    /// Of all values.
    private(set) var sum: Int64 = 0

    /// Adds `times` values.
    mutating func add(_ value: Int64, times: Int64 = 1) {
        counts[Self.place(of: value)] += times
        count += times
        sum += max(0, value) * times
    }

    static func place(of value: Int64) -> Int {
        guard value >= 100 else { return Int(max(0, value)) }
        guard value < limit else { return placesCount - 1 }
        var (width, first) = (Int64(10), 100)
        while value >= 100 * width { (width, first) = (10 * width, first + 90) }
        return first + Int(value / width) - 10
    }

    /// The least value of the place.
    static func floor(of place: Int) -> Int64 {
        guard place >= 100 else { return Int64(place) }
        var (width, first) = (Int64(10), 100)
        while place >= first + 90 { (width, first) = (10 * width, first + 90) }
        return Int64(place - first + 10) * width
    }

    /// How many values are below each of these bounds, which ascend and have two significant digits at most.
    func counts(below bounds: [Int64]) -> [Int64] {
        var (below, place) = (Int64(0), 0)
        return bounds.map { bound in
            let end = Self.place(of: bound)
            while place < end {
                below += counts[place]
                place += 1
            }
            return below
        }
    }

    /// The least value that at least this share of all values does not exceed, rounded up to two digits; nil: there are
    /// none, or it is `limit` or more. `share`: over 0, at most 1.
    func quantile(_ share: Double) -> Int64? {
        guard count > 0 else { return nil }
        let wanted = max(1, Int64((share * Double(count)).rounded(.up)))
        var seen: Int64 = 0
        for place in 0..<(Self.placesCount - 1) {
            seen += counts[place]
            if seen >= wanted { return Self.floor(of: place + 1) - 1 }
        }
        return nil
    }
}
