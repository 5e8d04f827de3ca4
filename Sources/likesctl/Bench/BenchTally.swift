import LikesctlCommands

/// The outcomes of the requests that count.
struct BenchTally {
    /// By the verb's number.
    private(set) var latencies = [LatencyHistogram](repeating: LatencyHistogram(), count: BenchVerb.allCases.count)
    /// By the verb's number: answers that said 1 for changed.
    private(set) var changed = [Int64](repeating: 0, count: BenchVerb.allCases.count)
    private(set) var errors: [(code: ReplyCode, count: Int64)] = []
    /// Requests of an open loop that were sent …
    private(set) var sends: Int64 = 0
    /// … and how many of them were sent more than `BenchLimits.lateNs` late.
    private(set) var lateSends: Int64 = 0
    private(set) var sendLagMaxNs: Int64 = 0

    /// Whether nearly all requests were sent when they were due.
    var isScheduleKept: Bool { lateSends * 1_000 <= sends * BenchLimits.latePerMilleMax }

    /// Requests answered without an error.
    var answered: Int64 { latencies.reduce(0) { $0 + Int64($1.count) } }
    var failed: Int64 { errors.reduce(0) { $0 + $1.count } }

    /// Of all verbs together.
    var allLatencies: LatencyHistogram {
        var all = LatencyHistogram()
        for histogram in latencies { all.add(histogram) }
        return all
    }

    mutating func answered(_ verb: BenchVerb, first: Int64, latencyNs: Int64) {
        latencies[verb.rawValue].record(latencyNs / 1_000)
        if verb.isChange { changed[verb.rawValue] += first }
    }

    mutating func failed(_ code: ReplyCode, times: Int64 = 1) {
        if let place = errors.firstIndex(where: { $0.code == code }) {
            errors[place].count += times
        } else if errors.count < BenchLimits.errorCodesMax {
            errors.append((errors.count == BenchLimits.errorCodesMax - 1 ? .other : code, times))
        } else {
            errors[errors.count - 1].count += times
        }
    }

    mutating func sent(lagNs: Int64) {
        sends += 1
        sendLagMaxNs = max(sendLagMaxNs, lagNs)
        if lagNs > BenchLimits.lateNs { lateSends += 1 }
    }
}
