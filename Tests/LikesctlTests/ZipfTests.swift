import Glibc
import LikesctlCommands
import Testing

@testable import likesctl

/// What is drawn against the exact probabilities. The seed is fixed: a deviation of five standard errors is a fault.
@Suite struct ZipfTests {
    @Test(
        "Frequencies are those of Zipf's law, for exponents below, at, near and above 1.",
        arguments: [
            0.01, 0.5, 0.99, 1, 1.000_000_001, 1.5, 3, 10,
        ])
    func frequenciesAreThoseOfZipfsLaw(exponent: Double) {
        let count: Int64 = 50
        let zipf = Zipf(count: count, exponent: exponent)
        let draws = 200_000
        var seen = [Int](repeating: 0, count: Int(count) + 1)
        for place in 0..<UInt64(draws) {
            var random = SeededDraws(seed: 7, place: place)
            seen[Int(zipf.draw(&random))] += 1
        }
        let sum = (1...count).reduce(0) { $0 + pow(Double($1), -exponent) }
        for item in 1...count {
            let expected = Double(draws) * pow(Double(item), -exponent) / sum
            #expect(abs(Double(seen[Int(item)]) - expected) <= 5 * expected.squareRoot() + 3, "item \(item)")
        }
    }

    @Test(
        "All that is drawn lies in 1 … count, for one item and for 2^53 as well.",
        arguments: [
            1, 2, 3, 1_000_000, BenchOptions.populationMax,
        ])
    func allThatIsDrawnLiesBetweenOneAndTheCount(count: Int64) {
        for exponent in [0.000_001, 0.99, 1, 10] {
            let zipf = Zipf(count: count, exponent: exponent)
            for place in 0..<5_000 as Range<UInt64> {
                var random = SeededDraws(seed: 11, place: place)
                let item = zipf.draw(&random)
                #expect(item >= 1 && item <= count)
            }
        }
    }
}
