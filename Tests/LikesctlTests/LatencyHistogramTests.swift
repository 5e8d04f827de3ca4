import LikesRandom
import TestSupport
import Testing

@testable import likesctl

/// The histogram against the sorted values themselves.
@Suite struct LatencyHistogramTests {
    @Test("A quantile is never below the sorted array's, and above it by 1/64 at most.")
    func aQuantileIsAboveTheSortedArraysByOne64thAtMost() {
        var random = SplitMix64(seed: runSeed())
        for magnitude in [6, 10, 20, 39] {
            var histogram = LatencyHistogram()
            var values: [Int64] = []
            for _ in 0..<20_000 {
                // Doublings as likely as one another, as latencies with a long tail are.
                let value = Int64(random.next() >> UInt64.random(in: UInt64(64 - magnitude)...63, using: &random))
                values.append(value)
                histogram.record(value)
            }
            values.sort()
            for part in [0.001, 0.5, 0.9, 0.99, 0.999, 1] {
                let exact = values[Int((part * Double(values.count)).rounded(.up)) - 1]
                let found = histogram.quantile(part)
                #expect(found >= exact && found - exact <= exact / 64, "\(part) of \(magnitude) bits")
            }
            #expect(histogram.minimum == values.first && histogram.maximum == values.last)
            #expect(abs(histogram.mean - Double(values.reduce(0, +)) / Double(values.count)) < 0.001)
        }
    }

    @Test("Each value falls into the bucket that ends at it or less than 1/64 above, and buckets do not overlap.")
    func eachValueFallsIntoTheBucketThatEndsAtItOrLittleAbove() {
        var boundsBefore: Int64 = -1
        for value in (0...2_000).map(Int64.init) + [4_095, 4_096, 4_097, 1 << 30, LatencyHistogram.microsecondsMax] {
            var histogram = LatencyHistogram()
            histogram.record(value)
            let bucket = histogram.filled
            #expect(bucket.count == 1 && bucket[0].count == 1)
            #expect(bucket[0].upperBound >= value && bucket[0].upperBound - value <= value / 64)
            #expect(bucket[0].upperBound >= boundsBefore)
            boundsBefore = bucket[0].upperBound
        }
    }

    @Test("Values beyond the last bucket count as the longest, negative ones as 0.")
    func valuesBeyondTheLastBucketCountAsTheLongest() {
        var histogram = LatencyHistogram()
        histogram.record(Int64.max)
        histogram.record(-5)
        #expect(histogram.maximum == LatencyHistogram.microsecondsMax)
        #expect(histogram.minimum == 0)
        #expect(LatencyHistogram().quantile(0.99) == 0)
    }

    @Test("Two histograms added are the histogram of both.")
    func twoHistogramsAddedAreTheHistogramOfBoth() {
        var one = LatencyHistogram()
        var other = LatencyHistogram()
        var both = LatencyHistogram()
        for value in 1...1_000 as ClosedRange<Int64> {
            if value.isMultiple(of: 3) { one.record(value) } else { other.record(value) }
            both.record(value)
        }
        one.add(other)
        #expect(one.filled.elementsEqual(both.filled, by: ==))
        #expect(one.mean == both.mean && one.minimum == both.minimum && one.maximum == both.maximum)
    }
}
