import LikesRandom

/// The random numbers of one request. They follow only from the seed and the request's place.
struct SeededDraws {
    private var generator: SplitMix64

    init(seed: UInt64, place: UInt64) {
        var first = SplitMix64(seed: seed)
        // Mixed once more, so that the streams of neighbouring places do not overlap.
        var second = SplitMix64(seed: first.next() ^ (place &* 0xD134_2543_DE82_EF95))
        generator = SplitMix64(seed: second.next())
    }

    /// 0 ..< 1, in steps of 2^−53.
    mutating func unit() -> Double { Double(generator.next() >> 11) * 0x1p-53 }

    /// 0 ..< bound, for a bound of 1 or more. A bound of 2^53 skews it by less than 0.1 %.
    mutating func below(_ bound: Int64) -> Int64 {
        Int64(truncatingIfNeeded: generator.next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
