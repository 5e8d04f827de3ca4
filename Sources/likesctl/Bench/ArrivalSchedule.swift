import Glibc
import LikesRandom

/// When the requests of an open loop are due: a Poisson process, as independent users cause it.
struct ArrivalSchedule {
    private var generator: SplitMix64
    private let gapMeanNs: Double
    private var dueNs = 0.0

    /// `rate`: requests per second.
    init(rate: Int64, seed: UInt64) {
        // The requests start from the same seed, so the schedule draws from another stream.
        generator = SplitMix64(seed: ~seed)
        gapMeanNs = 1e9 / Double(rate)
    }

    /// When the next request is due, in nanoseconds since the start.
    mutating func next() -> Int64 {
        let unit = Double(generator.next() >> 11) * 0x1p-53
        dueNs -= log1p(-unit) * gapMeanNs
        return Int64(dueNs)
    }

    /// Skips the requests due before `endNs`, the first of which is due at `firstNs`. Returns how many there are, and
    /// when the next one is due. Beyond `drawnMax` their number is estimated from the rate, since drawing them all
    /// would take too long.
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
