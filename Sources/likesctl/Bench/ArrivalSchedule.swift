import Glibc
import LikesRandom

/// When the requests of an open loop are due: a Poisson process, as independent users make it.
struct ArrivalSchedule {
    private var generator: SplitMix64
    private let gapMeanNs: Double
    private var dueNs = 0.0

    /// `rate`: requests per second.
    init(rate: Int64, seed: UInt64) {
        // Another stream than that of the requests, which start from the same seed.
        generator = SplitMix64(seed: ~seed)
        gapMeanNs = 1e9 / Double(rate)
    }

    /// When the next request is due, in nanoseconds since the start.
    mutating func next() -> Int64 {
        let unit = Double(generator.next() >> 11) * 0x1p-53
        dueNs -= log1p(-unit) * gapMeanNs
        return Int64(dueNs)
    }

    /// Passes over what is due before `endNs`, the first of it at `firstNs`: how many requests, and when the one after
    /// them is due. Beyond `drawnMax` of them the rate says how many, since drawing as many would take too long.
    mutating func skip(from firstNs: Int64, before endNs: Int64, drawnMax: Int64) -> (count: Int64, nextNs: Int64) {
        var count: Int64 = 0
        var nextNs = firstNs
        while nextNs < endNs, count < drawnMax {
            count += 1
            nextNs = next()
        }
        if nextNs < endNs {
            count += Int64(Double(endNs - nextNs) / gapMeanNs)
            nextNs = endNs
        }
        return (count, nextNs)
    }
}
