/// Latencies in microseconds, counted in log-linear buckets: exact below 128, and 64 buckets for each doubling above,
/// so that no bucket is wider than 1/64 of its values.
struct LatencyHistogram {
    private static let subBits = 6
    private static let subBuckets = 1 << subBits
    /// More than twelve days; longer ones count as this.
    static let microsecondsMax: Int64 = (1 << 40) - 1

    private var buckets = [UInt64](repeating: 0, count: bucket(of: microsecondsMax) + 1)
    private(set) var count: UInt64 = 0
    private var sum: Int64 = 0
    private(set) var minimum = Int64.max
    private(set) var maximum: Int64 = 0

    var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    mutating func record(_ microseconds: Int64) {
        let value = min(max(microseconds, 0), Self.microsecondsMax)
        buckets[Self.bucket(of: value)] += 1
        count += 1
        sum += value
        if value < minimum { minimum = value }
        if value > maximum { maximum = value }
    }

    mutating func add(_ other: LatencyHistogram) {
        for place in buckets.indices { buckets[place] += other.buckets[place] }
        count += other.count
        sum += other.sum
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
    }

    /// The smallest value that at least this part (0 … 1) of the counted values does not exceed, rounded up to its
    /// bucket's end; 0 if nothing was counted.
    func quantile(_ part: Double) -> Int64 {
        let rank = max(1, UInt64((part * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for place in buckets.indices where buckets[place] > 0 {
            seen += buckets[place]
            if seen >= rank { return min(Self.upperBound(of: place), maximum) }
        }
        return maximum
    }

    /// The largest microseconds of each bucket that is not empty, and its count.
    var filled: [(upperBound: Int64, count: UInt64)] {
        buckets.indices.filter { buckets[$0] > 0 }.map { (Self.upperBound(of: $0), buckets[$0]) }
    }

    private static func bucket(of value: Int64) -> Int {
        guard value >= Int64(subBuckets) else { return Int(value) }
        let shift = Int64.bitWidth - 1 - value.leadingZeroBitCount - subBits
        return (shift << subBits) + Int(value >> Int64(shift))
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        guard bucket >= 2 * subBuckets else { return Int64(bucket) }
        let shift = (bucket >> subBits) - 1
        return ((Int64(bucket - (shift << subBits)) + 1) << Int64(shift)) - 1
    }
}
