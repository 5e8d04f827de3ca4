import LikesCore
import LikesRandom

/// Microseconds of virtual time: a moment since the simulation's start, or a span.
package typealias Micros = Int64

extension Micros {
    package static func ms(_ milliseconds: Int64) -> Micros { milliseconds * 1_000 }
    package static func seconds(_ seconds: Int64) -> Micros { seconds * 1_000_000 }
    /// Later than everything that happens.
    package static let never = Micros.max
}

/// Every random decision of a simulation, from its one seed.
package struct Chance: Sendable {
    private var generator: SplitMix64

    package init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    package mutating func next() -> UInt64 { generator.next() }

    /// 0 ..< count, for count 1 or more. Without the rejection of the library's, which costs more than the
    /// bias matters.
    package mutating func below(_ count: Int) -> Int {
        Int(truncatingIfNeeded: generator.next().multipliedFullWidth(by: UInt64(count)).high)
    }

    package mutating func between(_ low: Int64, _ high: Int64) -> Int64 { low + Int64(below(Int(high - low) + 1)) }

    package mutating func hits(percent: Int) -> Bool { below(100) < percent }

    package mutating func hits(permille: Int) -> Bool { below(1_000) < permille }

    /// Mostly near `low`, now and then up to `high`: the shorter half of the doublings is as likely as the longer.
    package mutating func skewed(_ low: Int64, _ high: Int64) -> Int64 {
        let doublings = Int64.bitWidth - (high - low + 1).leadingZeroBitCount
        let top = Int64(1) << Int64(below(doublings + 1))
        return low + min(high - low, Int64(below(Int(top))))
    }
}
