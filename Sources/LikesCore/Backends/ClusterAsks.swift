/// When to ask a Redis Cluster which of its nodes has what.
struct ClusterAsks {
    /// nil: there is no cluster, or an ask is under way.
    private(set) var dueAt: Instant?
    private var askedAt: Instant?
    /// When the last ask that was answered was sent.
    private var knownAt: Instant?
    /// Something suggests that what is being asked has changed meanwhile.
    private var isDueAgain = false
    /// The shortest time between two asks. It grows while answers bring no news: a slot may stay open for long.
    private var spacingMs = Limits.clusterAskMsMin
    /// Why nobody answered the last ask; nil: somebody did.
    private(set) var failure: BackendFailure?

    /// Something suggests that slots have moved.
    mutating func askSoon(now: Instant) {
        guard let dueAt else {
            isDueAgain = askedAt != nil
            return
        }
        self.dueAt = min(dueAt, earliest(now: now))
    }

    /// Whether a node was asked after this moment and has answered.
    func wasAnswered(after moment: Instant) -> Bool { knownAt.map { $0.ms(since: moment) > 0 } ?? false }

    private func earliest(now: Instant) -> Instant {
        askedAt.map { max(now, $0.adding(ms: spacingMs)) } ?? now
    }

    mutating func begin(now: Instant) {
        dueAt = nil
        askedAt = now
        isDueAgain = false
    }

    /// `afterMs`: when to ask again if nothing happens. `isNews`: slots have moved.
    mutating func answered(_ failure: BackendFailure?, isNews: Bool, afterMs: Int64, now: Instant) {
        self.failure = failure
        spacingMs = isNews ? Limits.clusterAskMsMin : min(2 * spacingMs, Limits.clusterTroubleAskMs)
        if failure == nil { knownAt = askedAt }
        dueAt = isDueAgain ? earliest(now: now) : now.adding(ms: afterMs)
        isDueAgain = false
    }
}
