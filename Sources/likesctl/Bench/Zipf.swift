import Glibc
import LikesctlCommands

/// Draws n of 1 … count with a probability proportional to n to the power of minus `exponent`, in constant time and
/// memory.
///
/// Rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
/// distributions", ACM TOMACS 6(3), 1996, for v = 0. The names of the paper: h is the weight continued to the reals,
/// H its integral. H and its inverse are written so that they keep their precision near exponent 1, where the
/// integral becomes a logarithm.
struct Zipf {
    private let count: Int64
    private let exponent: Double
    private let integralOfFirst: Double
    private let integralOfAll: Double
    private let alwaysTaken: Double

    /// `count` is 1 … 2^53, `exponent` above 0 and at most 10.
    init(count: Int64, exponent: Double) {
        precondition(count >= 1 && count <= BenchOptions.populationMax && exponent > 0)
        self.count = count
        self.exponent = exponent
        integralOfFirst = Self.integral(1.5, exponent) - 1
        integralOfAll = Self.integral(Double(count) + 0.5, exponent)
        alwaysTaken = 2 - Self.inverse(Self.integral(2.5, exponent) - Self.weight(2, exponent), exponent)
    }

    /// Fewer than 1.1 rounds on average, whatever the exponent.
    func draw(_ random: inout SeededDraws) -> Int64 {
        while true {
            let u = integralOfAll + random.unit() * (integralOfFirst - integralOfAll)
            let x = Self.inverse(u, exponent)
            let nearest = Int64(min(max(x + 0.5, 1), Double(count)))
            let k = Double(nearest)
            if k - x <= alwaysTaken || u >= Self.integral(k + 0.5, exponent) - Self.weight(k, exponent) {
                return nearest
            }
        }
    }

    private static func weight(_ x: Double, _ exponent: Double) -> Double { exp(-exponent * log(x)) }

    /// (x^(1−s) − 1) / (1 − s), and log x for s = 1.
    private static func integral(_ x: Double, _ exponent: Double) -> Double {
        let logarithm = log(x)
        let scaled = (1 - exponent) * logarithm
        return (abs(scaled) > 1e-8 ? expm1(scaled) / scaled : 1 + scaled / 2) * logarithm
    }

    private static func inverse(_ y: Double, _ exponent: Double) -> Double {
        // Rounding must not leave the logarithm's domain.
        let scaled = max(y * (1 - exponent), -1)
        return exp((abs(scaled) > 1e-8 ? log1p(scaled) / scaled : 1 - scaled / 2) * y)
    }
}
