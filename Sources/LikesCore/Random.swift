import LikesRandom
import LikesStorage

/// The core's random numbers, from one seed.
struct Random {
    private var jitter: SplitMix64
    /// Numbers that others see are hashed with this key, so that they cannot predict the next ones.
    let key: SipHash.Key

    init(seed: UInt64) {
        jitter = SplitMix64(seed: seed)
        key = SipHash.Key(low: jitter.next(), high: jitter.next())
    }

    mutating func next() -> UInt64 { jitter.next() }

    /// A token for Redis' data: 12 hex digits.
    mutating func token() -> String {
        let digits = String(SipHash.hash(jitter.next(), 1, 0, 0, key: key) & 0xFFFF_FFFF_FFFF, radix: 16)
        return String(repeating: "0", count: 12 - digits.count) + digits
    }
}
