/// This process' row in `lanes`, the only record of its last batch: which row it is, and what is known to be in it.
struct LaneRow {
    /// A `LaneNumber`. Replaced from time to time.
    private(set) var lane: Int64
    /// The previous lane, until its row is known to be gone.
    private(set) var former: Int64?
    /// nil: the connection has not fenced the lane yet.
    private(set) var epoch: Int64?
    /// The number of the last batch sent.
    private(set) var batch: Int64 = 0
    /// The last batch on this lane that is known to have committed, 0 for none.
    private var batchKept: Int64 = 0
    /// Batches sent on this lane.
    private var batchesOnLane = 0
    /// Signs of life on this lane: the last one sent, and the last one known to have committed.
    private var signOfLifeSaid: Int64 = 0
    private(set) var signOfLifeKept: Int64 = 0
    /// An earlier connection had the number as well. If the database went back in between, its other past may have the
    /// same number with the same epoch.
    private(set) var isReused = false
    /// A survey on this connection has said whether the row's sign of life was kept.
    private var isSurveyed = false
    var servers = NamedServers()

    init(lane: Int64) { self.lane = lane }

    var fence: LaneFence? { epoch.map { LaneFence(lane: lane, epoch: $0) } }

    mutating func lost() {
        epoch = nil
        isReused = true
        isSurveyed = false
    }

    /// The number of the next batch.
    mutating func beginBatch() -> Int64 {
        batch += 1
        batchesOnLane += 1
        return batch
    }

    /// Whether the row has so many dead versions that a new row is due.
    func isWorn(_ limits: Limits) -> Bool { epoch != nil && batchesOnLane >= limits.batchesPerLane }

    /// Whether to move to a number that no other past has. Not before the row has told whether the database went back.
    var mayBeMistaken: Bool { epoch != nil && isReused && isSurveyed }

    /// The process moves to another lane, which has to be fenced. What the old row says of its last batch is of no more
    /// use.
    mutating func renew(_ number: Int64) {
        former = lane
        servers.rowIsNew()
        lane = number
        epoch = nil
        isReused = false
        batchesOnLane = 0
        batchKept = 0
        signOfLifeSaid = 0
        signOfLifeKept = 0
    }

    mutating func committed(_ batch: Int64) { batchKept = max(batchKept, batch) }

    /// Whether the row lacks a batch that was committed. `state` nil: there is no row.
    func lacksBatch(_ state: LaneState?) -> Bool {
        let batch = former == nil ? state?.batch : 0
        return batch ?? 0 < batchKept
    }

    /// The loss of committed batches has been dealt with.
    mutating func forgetCommitted() {
        batchKept = 0
        // The row's sign of life may be missing altogether.
        signOfLifeKept = -1
    }

    /// The number of the next sign of life.
    mutating func nextSignOfLife() -> Int64 {
        signOfLifeSaid += 1
        return signOfLifeSaid
    }

    /// A sign of life was committed. False: an earlier one that had been committed is missing.
    mutating func signOfLifeKept(_ number: Int64, before: Int64) -> Bool {
        defer { signOfLifeKept = number }
        isSurveyed = true
        return before >= signOfLifeKept
    }

    /// The lane is this connection's own, and the former one is gone. Returns whether an existing row was taken over,
    /// which may have a journal.
    mutating func fenced(_ state: LaneState?) -> Bool {
        defer { former = nil }
        epoch = state?.epoch ?? 1
        return state != nil || former != nil
    }

    func checkInvariants() {
        precondition(batchKept <= batch && signOfLifeKept <= signOfLifeSaid, "nothing is kept that was not sent")
        precondition(former != lane, "another lane has another number")
    }
}

/// The Redis servers that the row names. By them, hosts find out after a failover that a deposed primary took changes
/// that the data in its place lacks.
struct NamedServers {
    /// What the last batches were to be written to, and where each was.
    private(set) var named: [String: NodePlace] = [:]
    /// This host has lost sight of some that are named, and the row may be written anew: a survey has looked at it.
    private var mayBeReplaced = false
    /// Of the data that the last survey compared.
    private var compared: Set<String> = []
    /// What batches were to be written to since the row was stored with what it names, and where each was.
    private var unrecorded: [String: NodePlace] = [:]
    /// This host has lost sight of some of those, too: no transaction of such a batch is after this one.
    private var unrecordedUntil: Int64?

    /// The servers that the next batch's row is to name, with the batch's transaction. Empty: the row stays as it is.
    /// `writable`: those that the batch can be written to.
    mutating func next(_ writable: [String: NodePlace]) -> [String] {
        let isUnrecordedLost = unrecorded.keys.contains { writable[$0] == nil }
        if !isUnrecordedLost, named.keys.allSatisfy({ writable[$0] != nil }) { return record(writable) }
        // Otherwise the record of what the lost one took would be gone before other data in its place is compared with
        // it. What is not compared yet does not show that the lost one's changes are in it.
        guard !writable.isEmpty else { return [] }
        // Once a second one is lost, there has to be a record of what it took meanwhile.
        if !mayBeReplaced, !isUnrecordedLost {
            unrecorded.merge(writable) { $1 }
            return []
        }
        mayBeReplaced = true
        return record(named.merging(unrecorded) { $1 }.merging(writable.filter { compared.contains($0.key) }) { $1 })
    }

    private mutating func record(_ servers: [String: NodePlace]) -> [String] {
        named = servers
        return servers.keys.sorted()
    }

    /// The row is stored with the servers that it was to name.
    mutating func recorded() {
        unrecorded = [:]
        unrecordedUntil = nil
    }

    /// A survey has compared the data of these servers with the row. `isWhole`: that is all of the data in use.
    /// `covered`: it has the data of all nodes that have slots of these. `next`: the first transaction that had not
    /// begun. Returns what the row does not say.
    mutating func compared(
        _ servers: [String], isWhole: Bool, covered: Set<NodePlace>, next: Int64
    ) -> WrittenTo? {
        compared = Set(servers)
        mayBeReplaced = !isWhole
        if unrecordedUntil == nil, !compared.isSuperset(of: unrecorded.keys) { unrecordedUntil = next - 1 }
        let known = Set(named.keys).union(unrecorded.keys)
        let missing = unrecordedUntil.map { WrittenTo(transaction: $0, servers: known, surveyed: servers) }
        // To go on naming a lost one, with ever later transactions, would make its successor begin anew each time.
        let left = named.filter { compared.contains($0.key) || !covered.contains($0.value) }
        named = left
        if isWhole { recorded() }
        return missing
    }

    /// Another row names none yet.
    mutating func rowIsNew() { mayBeReplaced = true }
}

/// When to write the row without a batch: to renew or empty its journal, to tell repairs to other hosts, and to strike
/// off mended ones.
struct LaneUpkeep {
    /// The row's journal may hold something. It has to be renewed before the lane counts as silent, or emptied.
    var hasJournal = false
    /// Something was found to be missing in Redis since the journal was last written into the row.
    private(set) var isBehind = false
    /// When to tend the row next.
    private(set) var tendAt: Instant?
    /// Not before this moment, after a tend that was refused.
    private(set) var tendNotBefore: Instant
    /// After other hosts were told of repairs, further ones that may come again and again wait until this moment.
    private(set) var tellNotBefore: Instant
    /// No batch was sent since the row was tended.
    private(set) var isTended = false
    /// Repairs that Redis' present data does not need, to be struck off. nil: none are known.
    var settled: SettledRepairs?

    init(now: Instant) {
        tendNotBefore = now
        tellNotBefore = now
    }

    mutating func tend(by moment: Instant) { tendAt = min(tendAt ?? moment, moment) }

    /// Something is missing in Redis, and only this process knows. The next batch's journal names it, or soon a tend of
    /// the row.
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

    /// `tells`: other hosts are told of repairs.
    mutating func tendSent(tells: Bool, now: Instant) {
        if tells { tellNotBefore = now.adding(ms: Limits.repairRetryMs) }
        tendAt = nil
        isTended = true
    }

    /// The row says what Redis may lack, so it has to be tended before the lane counts as silent. `mayStrikeOff`: there
    /// are rows of repairs to delete.
    mutating func written(hasJournal: Bool, mayStrikeOff: Bool, now: Instant) {
        let due = tendAt
        self.hasJournal = hasJournal
        tendAt = hasJournal ? now.adding(ms: Limits.laneTendMs) : nil
        // A series of batches must not put off what is in none of them.
        guard mayStrikeOff || isBehind else { return }
        tend(by: due ?? now.adding(ms: Limits.mendedWaitMs))
    }

    mutating func tendingFailed(now: Instant) {
        tendNotBefore = now.adding(ms: Limits.repairRetryMs)
        tend(by: tendNotBefore)
    }

    /// Settled repairs noted up to this transaction were struck off, and there may be more; nil: all are gone.
    mutating func struckOff(settledUpTo: Int64?) {
        // `settled` is nil if Redis' generation or the database's past has changed since.
        settled = settledUpTo.flatMap { from in settled.map { SettledRepairs(from: from, before: $0.before) } }
    }

    /// The database went back. The row may be an earlier one, with a journal that nobody else empties while this host
    /// lives. Transaction numbers go back as well.
    mutating func databaseWentBack(now: Instant) {
        hasJournal = true
        tend(by: now.adding(ms: Limits.mendedWaitMs))
        settled = nil
    }
}

/// When the lane checks the tables. Each new connection has checked them before it is used.
struct SchemaChecks {
    /// With the next survey or batch from then on.
    private(set) var dueAt: Instant
    /// Do not wait for the next survey.
    private var isSuspected = false
    /// When the tables were last checked.
    private var checkedAt: Instant

    init(now: Instant) {
        dueAt = now
        checkedAt = now
    }

    mutating func checked(now: Instant) {
        checkedAt = now
        isSuspected = false
        dueAt = now.adding(ms: Limits.schemaCheckMs)
    }

    /// Something suggests that the tables have changed.
    mutating func checkSoon(now: Instant) {
        isSuspected = true
        dueAt = min(dueAt, max(now, checkedAt.adding(ms: Limits.schemaCheckMsMin)))
    }

    /// When to check the tables although nothing else is sent.
    var wakeAt: Instant? { isSuspected ? dueAt : nil }
}
