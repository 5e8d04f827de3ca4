import LikesProtocol

/// A batch as it was sent.
struct SentBatch {
    var batch: Batch
    /// The changes in it, as they were taken.
    var changes: [ChangeIndex]
    var request: CommitRequest
    /// Given when it was sent.
    var permit: WritePermit
    /// Something in its rows was refused before: it is a part of a batch that was taken apart to find out what.
    var isSuspect: Bool
}

/// What is known of this process' row in `lanes`, the one place where its last batch is written down.
struct LaneRow {
    /// Random, so that no two processes share a lane.
    let lane: Int64
    /// nil: the connection has not made the lane its own yet.
    var epoch: Int64?
    /// Why the lane was lost, until a new connection has made it its own: before, nothing is known to work.
    var trouble: BackendFailure?
    /// The number of the last batch sent.
    var batch: Int64 = 0
    /// Was on the wire when the connection went away. No other batch is sent before it is known what became of it.
    var unresolved: SentBatch?
    /// The row's journal may hold something: it has to be renewed before the lane counts as silent, or emptied.
    var hasJournal = false
    /// Something was noted to be missing in Redis since the journal was last taken for the row.
    var isBehind = false
    /// When the row is to be tended next.
    var tendAt: Instant?
    /// After one that was refused.
    var tendNotBefore: Instant
    /// When to look for lanes that fell silent.
    var retireAt: Instant

    init(lane: Int64, now: Instant) {
        self.lane = lane
        retireAt = now
        tendNotBefore = now
    }

    var fence: LaneFence? { epoch.map { LaneFence(lane: lane, epoch: $0) } }

    mutating func tend(by moment: Instant) { tendAt = min(tendAt ?? moment, moment) }
}
