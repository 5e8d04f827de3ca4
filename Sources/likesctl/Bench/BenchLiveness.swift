/// Whether the daemon still takes connections, and answers the requests under way.
struct BenchLiveness {
    private let answerNsMax: Int64
    /// Requests under way.
    private(set) var underWay = 0
    /// When a request was last answered, or the first one after a pause was sent.
    private var aliveNs: Int64 = 0
    /// When a connection was last open.
    private var openNs: Int64 = 0

    /// `answerMs`: after this long without an answer, none will come.
    init(answerMs: Int64) { answerNsMax = answerMs * 1_000_000 }

    mutating func sent(_ now: Int64) {
        if underWay == 0 { aliveNs = now }
        underWay += 1
    }

    mutating func answered(_ now: Int64) {
        underWay -= 1
        aliveNs = now
    }

    /// A request will not be answered.
    mutating func lost() { underWay -= 1 }

    /// A connection is open.
    mutating func isOpen(_ now: Int64) { openNs = now }

    /// How the daemon's silence ends the run; nil: it does not.
    func ending(_ now: Int64) -> BenchRun.Ending? {
        if underWay > 0, now - aliveNs > answerNsMax { return .silent }
        return now - openNs > BenchLimits.goneNs ? .gone : nil
    }
}
