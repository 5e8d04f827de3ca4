import LikesProtocol
import LikesSettings
import LikesStorage
/// This process' row in `lanes`, the one place where its last batch is written down: which row it is, and what is known
/// to be in it.
struct LaneRow {
    /// Random, so that no two processes share a lane; another one now and then.
    private(set) var lane: Int64
    /// The lane before this one, until its row is known to be gone.
    private(set) var former: Int64?
    /// nil: the connection has not made the lane its own yet.
    private(set) var epoch: Int64?
    /// The number of the last batch sent.
    private(set) var batch: Int64 = 0
    /// The last batch on this lane that is known to have been committed, 0 for none.
    private var batchKept: Int64 = 0
    /// Batches sent on this lane.
    private var batchesOnLane = 0
    /// Signs of life on this lane: the last one said, and the last one known to have been committed.
    private var beatSaid: Int64 = 0
    private var beatKept: Int64 = 0

    init(lane: Int64) { self.lane = lane }

    var fence: LaneFence? { epoch.map { LaneFence(lane: lane, epoch: $0) } }

    mutating func lost() { epoch = nil }

    /// The number of the next batch.
    mutating func beginBatch() -> Int64 {
        batch += 1
        batchesOnLane += 1
        return batch
    }

    /// Whether the row has so many versions behind it that another is due.
    func isWorn(_ limits: Limits) -> Bool { epoch != nil && batchesOnLane >= limits.batchesPerLane }

    /// From now on the lane is another, which has to be fenced; what this one's row says of its last batch is of no
    /// use any more.
    mutating func renew(_ number: Int64) {
        former = lane
        lane = number
        epoch = nil
        batchesOnLane = 0
        batchKept = 0
        beatSaid = 0
        beatKept = 0
    }

    mutating func committed(_ batch: Int64) { batchKept = max(batchKept, batch) }

    /// Whether the row lacks a batch that was committed. `state` nil: there is no row.
    func lacksBatch(_ state: LaneState?) -> Bool {
        let batch = former == nil ? state?.batch : 0
        return batch ?? 0 < batchKept
    }

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

    /// The lane is this connection's own, and the former one is gone. Returns whether a row came along that may have a
    /// journal.
    mutating func fenced(_ state: LaneState?) -> Bool {
        defer { former = nil }
        epoch = state?.epoch ?? 1
        return state != nil || former != nil
    }

    func checkInvariants() {
        precondition(batchKept <= batch && beatKept <= beatSaid, "nothing is kept that was not sent")
        precondition(former != lane, "another lane has another number")
    }
}

/// When the row is to be written although no batch does it: to renew or empty its journal, to tell repairs to other
/// hosts, and to strike off those that are mended.
struct LaneUpkeep {
    /// The row's journal may hold something: it has to be renewed before the lane counts as silent, or emptied.
    var hasJournal = false
    /// Something was noted to be missing in Redis since the journal was last taken for the row.
    private(set) var isBehind = false
    /// When the row is to be tended next.
    private(set) var tendAt: Instant?
    /// After one that was refused.
    private(set) var tendNotBefore: Instant
    /// After others were told of repairs: the next time may wait, where it would come again and again.
    private(set) var tellNotBefore: Instant
    /// No batch had its turn since it was tended.
    private(set) var isTended = false
    /// Repairs that Redis' present data does not need, to be struck off. nil: none are known.
    var settled: SettledRepairs?

    init(now: Instant) {
        tendNotBefore = now
        tellNotBefore = now
    }

    mutating func tend(by moment: Instant) { tendAt = min(tendAt ?? moment, moment) }

    /// Only this process knows what is missing: the next batch's journal has it, or soon the lane's row.
    mutating func noteMissing(now: Instant) {
        isBehind = true
        tend(by: now.adding(ms: Limits.mendedWaitMs))
    }

    mutating func fenced(hasRow: Bool, now: Instant) {
        hasJournal = hasRow
        tendAt = hasJournal || isBehind ? now : nil
    }

    /// The journal is on its way into the row.
    mutating func journalTaken() { isBehind = false }

    mutating func batchHasItsTurn() { isTended = false }

    /// `tells`: others are told of repairs.
    mutating func tendSent(tells: Bool, now: Instant) {
        if tells { tellNotBefore = now.adding(ms: Limits.repairRetryMs) }
        tendAt = nil
        isTended = true
    }

    /// The row says what Redis may not have: it is to be tended before the lane counts as silent. `mayStrikeOff`: rows
    /// of repairs are to go.
    mutating func written(hasJournal: Bool, mayStrikeOff: Bool, now: Instant) {
        let due = tendAt
        self.hasJournal = hasJournal
        tendAt = hasJournal ? now.adding(ms: Limits.laneTendMs) : nil
        // Batch after batch must not put off what is not in it.
        guard mayStrikeOff || isBehind else { return }
        tend(by: due ?? now.adding(ms: Limits.mendedWaitMs))
    }

    mutating func tendingFailed(now: Instant) {
        tendNotBefore = now.adding(ms: Limits.repairRetryMs)
        tend(by: tendNotBefore)
    }

    /// Settled repairs were struck off up to a transaction, and there may be more; nil: all are gone.
    mutating func struckOff(settledUpTo: Int64?) {
        // Otherwise they were found since.
        settled = settledUpTo.flatMap { from in settled.map { SettledRepairs(from: from, before: $0.before) } }
    }

    /// The database went back: the row may be an earlier one, with a journal that nobody else empties while this host
    /// lives. Numbers of transactions go back as well.
    mutating func databaseWentBack(now: Instant) {
        hasJournal = true
        tend(by: now.adding(ms: Limits.mendedWaitMs))
        settled = nil
    }
}

/// When the lane looks at the tables. Each new connection has looked before it is used.
struct SchemaLook {
    /// With the next survey or batch.
    private(set) var dueAt: Instant
    /// The look is not left to the next survey.
    private var isDoubted = false
    /// When they were looked at.
    private var checkedAt: Instant

    init(now: Instant) {
        dueAt = now
        checkedAt = now
    }

    mutating func checked(now: Instant) {
        checkedAt = now
        isDoubted = false
        dueAt = now.adding(ms: Limits.schemaCheckMs)
    }

    /// Something speaks for tables that changed.
    mutating func checkSoon(now: Instant) {
        isDoubted = true
        dueAt = min(dueAt, max(now, checkedAt.adding(ms: Limits.schemaCheckMsMin)))
    }

    /// When they are to be looked at although nothing else is sent.
    var wakeAt: Instant? { isDoubted ? dueAt : nil }
}
