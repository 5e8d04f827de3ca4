import LikesRandom
import Testing

@testable import LikesCore

@Suite struct HistogramTests {
    @Test("Each value is in the place whose least value it reaches, of two significant digits")
    func eachValueIsInItsPlace() {
        let edges = [0, 1, 99, 100, 101, 109, 110, 999, 1_000, 9_999_999, 10_000_000, 1 << 62] as [Int64]
        var random = SplitMix64(seed: 1)
        for value in edges + (0..<10_000).map({ _ in Int64(random.next() >> (random.next() % 60 + 4)) }) {
            let place = Histogram.place(of: value)
            #expect(Histogram.floor(of: place) <= value)
            if place < Histogram.placesCount - 1 { #expect(value < Histogram.floor(of: place + 1)) }
            if (100..<Histogram.limit).contains(value) {
                #expect((value - Histogram.floor(of: place)) * 10 < value, "\(value) is off by more than a tenth")
            }
        }
        #expect(Histogram.place(of: -5) == 0)
        #expect(Histogram.floor(of: Histogram.placesCount - 1) == Histogram.limit)
    }

    @Test("Values below a decimal bound are counted exactly")
    func valuesBelowABoundAreCounted() {
        var histogram = Histogram()
        for value in [0, 99, 100, 149, 150, 1_999, 2_000, 9_999_999, 20_000_000] as [Int64] { histogram.add(value) }
        histogram.add(7, times: 1_000)
        #expect(histogram.counts(below: [100, 150, 2_000, 10_000_000]) == [1_002, 1_004, 1_006, 1_008])
        #expect(histogram.count == 1_009)
        #expect(histogram.sum == 30_000_000 - 1 + 99 + 100 + 149 + 150 + 1_999 + 2_000 + 7_000)
    }

    @Test("A quantile is what that share of the values does not exceed")
    func aQuantileIsWhatThatShareDoesNotExceed() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        for value in 1...100 as ClosedRange<Int64> { histogram.add(value * 1_000) }
        #expect(histogram.quantile(0.5) == 50_999)
        #expect(histogram.quantile(0.99) == 99_999)
        #expect(histogram.quantile(1) == 109_999)
        #expect(histogram.quantile(0.000_1) == 1_099)
        histogram.add(Histogram.limit)
        #expect(histogram.quantile(1) == nil)
    }
}
