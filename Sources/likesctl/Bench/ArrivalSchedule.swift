import Glibc
import LikesCore

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
}
