import Glibc

/// The time since the run's start, and the CPU that the generator used while it measured.
struct BenchClock {
    private let startedNs = nanoseconds()
    /// CPU used before counting began; nil: it has not begun.
    private var cpuBefore: Double?
    /// Seconds.
    private(set) var cpuSeconds = 0.0

    /// Nanoseconds since the run's start.
    var now: Int64 { Self.nanoseconds() - startedNs }

    /// Whether the warm-up is over.
    var isCounting: Bool { cpuBefore != nil }

    mutating func beginCounting() { cpuBefore = Self.cpu() }

    mutating func endCounting() { if let cpuBefore { cpuSeconds = Self.cpu() - cpuBefore } }

    private static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
