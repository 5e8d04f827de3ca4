/// SipHash-2-4, a keyed hash of 64 bits. Without the key, nobody can compute it or learn the key from it (Aumasson and
/// Bernstein: "SipHash: a fast short-input PRF", 2012). It takes some 20 ns for four words.
package struct SipHash {
    /// 128 bits: bytes 0 to 7 and 8 to 15, lowest first.
    package struct Key: Hashable, Sendable {
        var low: UInt64
        var high: UInt64
        package init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }
    }

    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    private init(_ key: Key) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    /// Hashes four words of 8 bytes, the lowest byte of each first.
    package static func hash(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64, key: Key) -> UInt64 {
        var state = SipHash(key)
        state.absorb(first)
        state.absorb(second)
        state.absorb(third)
        state.absorb(fourth)
        return state.finish(UInt64(32) << 56)
    }

    package static func hash(_ bytes: some Collection<UInt8>, key: Key) -> UInt64 {
        var state = SipHash(key)
        var word: UInt64 = 0
        var length: UInt64 = 0
        for byte in bytes {
            word |= UInt64(byte) << (8 * (length & 7))
            length += 1
            if length & 7 == 0 {
                state.absorb(word)
                word = 0
            }
        }
        return state.finish(word | length << 56)
    }

    @inline(__always)
    private mutating func absorb(_ word: UInt64) {
        v3 ^= word
        mix()
        mix()
        v0 ^= word
    }

    /// `last`: the bytes that do not fill a word, with the length's lowest byte on top.
    private mutating func finish(_ last: UInt64) -> UInt64 {
        absorb(last)
        v2 ^= 0xff
        for _ in 0..<4 { mix() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func mix() {
        v0 &+= v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }
}
