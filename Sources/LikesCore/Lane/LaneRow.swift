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
    /// Random, so that no two processes share a lane; another one now and then.
    private(set) var lane: Int64
    /// The lane before this one, until its row is known to be gone.
    private(set) var former: Int64?
    /// The last batch on this lane that is known to have been committed, 0 for none.
    private var batchKept: Int64 = 0
    /// Batches sent on this lane.
    private var batchesOnLane = 0
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
    /// No batch had its turn since it was tended.
    var isTended = false
    /// Repairs that Redis' present data does not need, to be struck off. nil: none are known.
    var settled: SettledRepairs?
    /// After one that was refused.
    var tendNotBefore: Instant
    /// After others were told of repairs: the next time may wait, where it would come again and again.
    var tellNotBefore: Instant
    /// Signs of life on this lane: the last one said, and the last one known to have been committed.
    private var beatSaid: Int64 = 0
    private var beatKept: Int64 = 0
    /// When to look around.
    var surveyAt: Instant
    /// When to look at the tables, with the next survey or batch.
    private(set) var checkSchemaAt: Instant
    /// That look is not left to the next survey.
    private var isSchemaDoubted = false
    /// When they were looked at.
    private var schemaCheckedAt: Instant

    init(lane: Int64, now: Instant) {
        self.lane = lane
        surveyAt = now
        checkSchemaAt = now
        schemaCheckedAt = now
        tendNotBefore = now
        tellNotBefore = now
    }

    mutating func schemaChecked(now: Instant) {
        schemaCheckedAt = now
        isSchemaDoubted = false
        checkSchemaAt = now.adding(ms: Limits.schemaCheckMs)
    }

    /// Something speaks for tables that changed.
    mutating func checkSchemaSoon(now: Instant) {
        isSchemaDoubted = true
        checkSchemaAt = min(checkSchemaAt, max(now, schemaCheckedAt.adding(ms: Limits.schemaCheckMsMin)))
    }

    /// When they are to be looked at although nothing else is sent.
    var doubtAt: Instant? { isSchemaDoubted ? checkSchemaAt : nil }

    var fence: LaneFence? { epoch.map { LaneFence(lane: lane, epoch: $0) } }

    /// The number of the next batch.
    mutating func beginBatch() -> Int64 {
        batch += 1
        batchesOnLane += 1
        return batch
    }

    /// Whether the row has so many versions behind it that another is due.
    func isWorn(_ limits: Limits) -> Bool { batchesOnLane >= limits.batchesPerLane }

    /// From now on the lane is another, which has to be fenced; what this one's row says of its last batch is of no
    /// use any more.
    mutating func renew(_ number: Int64) {
        precondition(unresolved == nil, "the row is still to say what became of a batch")
        former = lane
        lane = number
        epoch = nil
        batchesOnLane = 0
        batchKept = 0
        beatSaid = 0
        beatKept = 0
    }

    mutating func committed(_ batch: Int64) { batchKept = max(batchKept, batch) }

    /// Whether the row lacks a batch that was committed; `batch` nil: there is no row.
    func lacksBatch(_ batch: Int64?) -> Bool { batch ?? 0 < batchKept }

    /// It was taken in that the row lacks batches.
    mutating func forgetCommitted() {
        batchKept = 0
        // There may be none at all.
        beatKept = -1
    }

    /// The number of the next sign of life.
    mutating func beat() -> Int64 {
        beatSaid += 1
        return beatSaid
    }

    /// A sign of life was committed. False: one that was committed before is not there any more.
    mutating func beatKept(_ number: Int64, before: Int64) -> Bool {
        defer { beatKept = number }
        return before >= beatKept
    }

    /// The lane is this connection's own, and the former one is gone.
    mutating func fenced(epoch: Int64, hasRow: Bool) {
        self.epoch = epoch
        // A journal came along.
        hasJournal = hasRow || former != nil
        former = nil
    }

    mutating func tend(by moment: Instant) { tendAt = min(tendAt ?? moment, moment) }
}
