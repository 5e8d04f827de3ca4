import LikesctlCommands

/// The requests sent so far, how many of them count, and when sending ends. Times are nanoseconds since the run's
/// start.
struct BenchSending {
    /// Requests sent before this do not count.
    let warmupNs: Int64
    /// nil: no limit.
    private let endNs: Int64?
    /// Requests that count, at most; nil: no limit.
    private let countedMax: Int64?
    /// Requests written so far, warm-up included, and how many of them count.
    private(set) var written: UInt64 = 0
    private(set) var counted: Int64 = 0
    /// When sending ended; nil: more requests will be sent.
    private(set) var endedNs: Int64?

    init(_ options: BenchOptions) {
        let warmupNs = Self.nanoseconds(options.warmup)
        self.warmupNs = warmupNs
        endNs = options.durationEffective.map { warmupNs + Self.nanoseconds($0) }
        countedMax = options.requests
    }

    var isOver: Bool { endedNs != nil }

    /// Whether a request due at this time may be sent.
    func takes(dueNs: Int64) -> Bool { !isOver && (endNs.map { dueNs < $0 } ?? true) && counted != countedMax }

    /// Whether a closed loop may send one more.
    var takesMore: Bool { !isOver && counted != countedMax }

    mutating func sent(counts: Bool) {
        written += 1
        if counts { counted += 1 }
    }

    mutating func end(_ now: Int64) { if endedNs == nil { endedNs = now } }

    /// Ends sending if everything was sent. `dueNs`: when the next request of an open loop is due; nil in a closed
    /// loop.
    mutating func endIfComplete(_ now: Int64, dueNs: Int64?) {
        guard !isOver else { return }
        if counted == countedMax {
            endedNs = now
        } else if let endNs, now >= endNs, dueNs.map({ $0 >= endNs }) ?? true {
            // In an open loop requests due before the end are still sent: leaving them out would hide a stall.
            endedNs = endNs
        }
    }

    /// The end set by the duration; nil: there is none, or sending has ended.
    var endAheadNs: Int64? { isOver ? nil : endNs }

    /// How many requests were due in time and were not sent.
    func unsent(of arrivals: BenchArrivals) -> Int64 {
        guard let endedNs else { return 0 }
        let unsent = arrivals.unsent(from: warmupNs, until: min(endedNs, endNs ?? endedNs))
        return countedMax.map { min(unsent, $0 - counted) } ?? unsent
    }

    private static func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }
}
