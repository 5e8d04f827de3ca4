import Glibc

/// A line on standard error, renewed once a second, if standard error is a terminal.
struct BenchProgress {
    private static let everyNs: Int64 = 1_000_000_000

    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var nextNs = everyNs
    private var shownNs: Int64 = 0
    private var shownAnswers: Int64 = 0
    private var hasLine = false

    /// `now`: nanoseconds since the run's start.
    mutating func show(_ tally: BenchTally, _ now: Int64, isCounting: Bool) {
        guard isTerminal, now >= nextNs else { return }
        nextNs = now + Self.everyNs
        let answers = tally.answered
        let rate = Double(answers - shownAnswers) * 1e9 / Double(now - shownNs)
        let p99 = Decimals.text(Double(tally.allLatencies.quantile(0.99)) / 1_000, places: 3)
        let failed = tally.failed
        print(
            isCounting
                ? "\(now / Self.everyNs) s  \(Int64(rate))/s  p99 \(p99) ms  \(failed) errors"
                : "\(now / Self.everyNs) s  warming up")
        shownNs = now
        shownAnswers = answers
    }

    /// Leaves the line empty for what is printed next.
    mutating func clear() {
        if hasLine { print("") }
        hasLine = false
    }

    private mutating func print(_ line: String) {
        // Progress that can't be shown is no reason to end a measurement.
        _ = SystemCalls.write("\r\u{1B}[K\(line)", to: STDERR_FILENO)
        hasLine = true
    }
}
