/// What likes cost by the rate at which one host writes them: the higher it is, the larger are its batches.
package struct LikeCost: Sendable {
    /// Of one host.
    package let likesPerSecond: Double
    package let batchesPerSecond: Double
    /// CPU of a like, in microseconds.
    package let likesd: Double
    package let redis: Double
    package let postgres: Double

    init(_ likesPerSecond: Double, batches: Double, likesd: Double, redis: Double, postgres: Double) {
        self.likesPerSecond = likesPerSecond
        batchesPerSecond = batches
        self.likesd = likesd
        self.redis = redis
        self.postgres = postgres
    }

    /// By `bench/sizing.py`: open loops, then as many as 512 connections bring.
    package static let measured = [
        LikeCost(244, batches: 235, likesd: 260, redis: 192, postgres: 476),
        LikeCost(990, batches: 811, likesd: 182, redis: 142, postgres: 360),
        LikeCost(4_008, batches: 1_444, likesd: 80, redis: 64, postgres: 142),
        LikeCost(15_893, batches: 683, likesd: 22, redis: 31, postgres: 43),
        LikeCost(21_773, batches: 90, likesd: 12, redis: 23, postgres: 29),
    ]

    /// CPU seconds a second for one host's likes: on the line between what was measured, and never less than at a
    /// lower rate, at which batches are smaller.
    static func cores(of part: KeyPath<LikeCost, Double> & Sendable, at likesPerSecond: Double) -> Double {
        interpolated(likesPerSecond) { $0.likesPerSecond * $0[keyPath: part] / 1e6 }
    }

    /// Batches, and so messages, of one host in a second: at most so many.
    static func batches(at likesPerSecond: Double) -> Double {
        min(likesPerSecond, interpolated(likesPerSecond) { $0.batchesPerSecond })
    }

    private static func interpolated(_ rate: Double, _ value: (LikeCost) -> Double) -> Double {
        var lower = (rate: 0.0, value: 0.0)
        for point in measured {
            let upper = (rate: point.likesPerSecond, value: max(lower.value, value(point)))
            if rate <= upper.rate {
                return lower.value + (upper.value - lower.value) * (rate - lower.rate) / (upper.rate - lower.rate)
            }
            lower = upper
        }
        // More than one host was seen to write: each like as the last ones.
        return lower.value * rate / lower.rate
    }
}
