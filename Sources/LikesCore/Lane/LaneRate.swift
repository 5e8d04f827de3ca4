/// How fast the lane goes at its limit, which decides how many changes may wait. More than it takes within half of a
/// request's time would be accepted only to miss their deadline.
struct LaneRate {
    /// nil: the last batch was not full, so the lane keeps up.
    private var changesPerSecond: Double?
    private let limits: Limits

    init(_ limits: Limits = .standard) { self.limits = limits }

    /// A batch was committed, this long after it was sent.
    mutating func note(changes: Int, microseconds: Int64) {
        guard changes >= limits.batchChangesMax else {
            changesPerSecond = nil
            return
        }
        let measured = Double(changes) * 1_000_000 / Double(max(1, microseconds))
        // A smoothing factor of 1/8: one slow batch (a checkpoint, a lock) does not halve what is accepted.
        changesPerSecond = changesPerSecond.map { $0 + (measured - $0) / 8 } ?? measured
    }

    /// How many changes may be under way.
    func waitingMax(requestTimeoutMs: Int64) -> Int {
        guard let changesPerSecond else { return limits.changesWaitingMax }
        let inTime = changesPerSecond * Double(requestTimeoutMs) / 2_000
        return min(max(Int(inTime.rounded()), limits.changesWaitingMin), limits.changesWaitingMax)
    }
}
