import LikesProtocol

/// Where an item falls in a hash table, unpredictable without the seed. Two folded 64×64→128-bit multiplications, each
/// with a key, keep neighbouring ids, and ids chosen without knowing the seed, from piling up.
struct SeededHash: Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64

    init(seed: UInt64) {
        // Steps of splitmix64, which turns any seed, including 0, into unrelated keys.
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
        first = next()
        second = next() | 1
        third = next()
    }

    func callAsFunction(_ item: Item) -> UInt64 {
        let mixed = SeededHash.fold(
            UInt64(bitPattern: item.id) ^ first, second &+ UInt64(item.type) &* 0x9E37_79B9_7F4A_7C16)
        return SeededHash.fold(mixed ^ third, second)
    }

    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}
