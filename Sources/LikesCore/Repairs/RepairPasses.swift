/// The passes over `cache_repairs`, from which this host learns what all hosts could not write to Redis. It reads no
/// counters from Redis until one pass has seen every row.
struct RepairPasses {
    /// A whole pass was made since the data in Redis was identified.
    private(set) var isComplete = false
    /// Since when Redis' counters cannot be read, because they may have to be repaired.
    private(set) var isIncompleteSince: Instant
    private(set) var nextAt: Instant
    private(set) var pass: RepairPass?
    private var history = RepairPassHistory()

    init(now: Instant) {
        nextAt = now
        isIncompleteSince = now
    }

    /// The data in Redis was identified. `knowsMore`: what was known to be missing before is still known, so only what
    /// was noted since is new.
    mutating func identified(knowsMore: Bool, now: Instant) {
        guard knowsMore else { return startOver(now: now) }
        isIncompleteSince = now
        pass?.isEarly = true
        nextAt = now
    }

    /// Rows were noted just now.
    mutating func passSoon(now: Instant) { nextAt = min(nextAt, now) }

    /// Redis' data was lost sight of.
    mutating func lose() { isComplete = false }

    /// Begins a pass. Returns the place in the table after which its rows stand. `settledBefore`: rows of transactions
    /// before this one need no repair.
    mutating func begin(settledBefore: Int64, now: Instant) -> RepairSelect {
        let begin = history.begin(now: now)
        pass = RepairPass(begunAt: now, isFull: begin == nil, leftFrom: history.seenFrom(now: now))
        return RepairSelect(
            after: RepairCursor(begin: max(begin ?? 0, settledBefore)), settledBefore: begin == nil ? settledBefore : 0)
    }

    /// PostgreSQL answered a call of the pass. `horizon`: of the answer's snapshot.
    mutating func goOn(horizon: Int64) { if pass?.horizon == nil { pass?.horizon = horizon } }

    /// There is no room for more rows. The pass goes on behind this place once there is.
    mutating func pause(after cursor: RepairCursor, now: Instant) {
        pass?.pausedAt = cursor
        if isComplete { isIncompleteSince = now }
        isComplete = false
    }

    mutating func resume() { pass?.pausedAt = nil }

    /// `isWhole`: every row that there was at the beginning is known now. `isIdentified`: the data in Redis is
    /// identified.
    mutating func end(isWhole: Bool, isIdentified: Bool, now: Instant, nextAt: Instant) {
        guard let ended = pass else { return }
        pass = nil
        // A pass that began too early is followed by one that counts.
        self.nextAt = ended.counts && !ended.isEarly ? nextAt : now
        if isWhole, ended.counts { history.note(ended) }
        let wasComplete = isComplete
        isComplete = isWhole && ended.counts && !ended.isEarly && isIdentified
        if wasComplete, !isComplete { isIncompleteSince = now }
    }

    /// Something known to be missing was forgotten. A new pass over the whole table has to find it.
    mutating func startOver(now: Instant) {
        isComplete = false
        isIncompleteSince = now
        pass?.counts = false
        if pass?.pausedAt != nil { pass = nil }
        history = RepairPassHistory()
        nextAt = now
    }

    func checkInvariants() {
        precondition(pass?.pausedAt == nil || !isComplete, "a pass that waits for room has not seen every row")
    }
}

/// One pass over the rows of `cache_repairs`, chunk by chunk.
struct RepairPass {
    let begunAt: Instant
    /// Over all rows, not only recent ones.
    let isFull: Bool
    /// Rows of transactions before this one were seen for so long that they are no longer left to other hosts.
    let leftFrom: Int64
    /// What the pass has found is still known.
    var counts = true
    /// It began before Redis' data was last identified.
    var isEarly = false
    /// The oldest transaction that was still running when its first chunk was read; nil: no chunk was read yet.
    var horizon: Int64?
    /// The pass waits for room, behind this place.
    var pausedAt: RepairCursor?
}

/// Which rows the next pass has to read. It leaves out those noted by transactions that had ended before an earlier
/// pass.
///
/// Passes see a row until `repairRowsSeenMs` after it was noted. So a row whose repair was left to another host is
/// found again if that host did not strike it off. Later only passes over the whole table find it; the second of these
/// comes as soon as that time is over. So all other passes have to skip only as many dead rows as were noted in that
/// time, however long a snapshot keeps them.
struct RepairPassHistory {
    /// Whole passes, oldest first.
    private var passes = Ring<(begunAt: Instant, horizon: Int64)>()
    private var fullBegunAt: Instant?
    private var fullCount = 0

    mutating func note(_ pass: RepairPass) {
        guard let horizon = pass.horizon else { return }
        passes.append((pass.begunAt, horizon))
        guard pass.isFull else { return }
        fullBegunAt = pass.begunAt
        fullCount += 1
    }

    /// The first transaction whose rows a pass that begins now reads; nil: the pass is over the whole table.
    mutating func begin(now: Instant) -> Int64? {
        // Keep the last of the passes that are old enough.
        while passes.count > 1, now.ms(since: passes[1].begunAt) >= Limits.repairRowsSeenMs { passes.popFirst() }
        let fullMs = fullCount > 1 ? Limits.repairFullPassMs : Limits.repairRowsSeenMs
        guard let fullBegunAt, now.ms(since: fullBegunAt) < fullMs else { return nil }
        return passes.first?.horizon
    }

    /// The first transaction that may have noted rows less than `repairRowsSeenMs` ago; 0: any may have.
    func seenFrom(now: Instant) -> Int64 {
        guard let first = passes.first, now.ms(since: first.begunAt) >= Limits.repairRowsSeenMs else { return 0 }
        return first.horizon
    }
}
