import LikesProtocol
import LikesSettings
import LikesStorage

/// The passes over `cache_repairs`, by which this host learns what all hosts could not write to Redis. Redis' counters
/// are not read before one has seen every row.
struct RepairPasses {
    /// A whole pass was made since the data in Redis was identified.
    private(set) var isComplete = false
    /// Since when Redis' counters can't be read for what may have to be repaired.
    private(set) var isIncompleteSince: Instant
    private(set) var nextAt: Instant
    private(set) var pass: RepairPass?
    private var history = RepairPassHistory()

    init(now: Instant) {
        nextAt = now
        isIncompleteSince = now
    }

    /// The data in Redis was identified. `knowsMore`: what was known to be missing before is known still, so that only
    /// what was noted since is new.
    mutating func identified(knowsMore: Bool, now: Instant) {
        guard knowsMore else { return doubt(now: now) }
        isIncompleteSince = now
        pass?.isEarly = true
        nextAt = now
    }

    /// Redis' data was lost sight of.
    mutating func lose() { isComplete = false }

    /// Begins a pass; the place in the table after which its rows stand. `settledBefore`: rows of earlier transactions
    /// need no repair.
    mutating func begin(settledBefore: Int64, now: Instant) -> RepairSelect {
        let begin = history.begin(now: now)
        pass = RepairPass(begunAt: now, isFull: begin == nil, leftFrom: history.seenFrom(now: now))
        return RepairSelect(
            after: RepairCursor(begin: max(begin ?? 0, settledBefore)), settledBefore: begin == nil ? settledBefore : 0)
    }

    /// PostgreSQL's answer to the pass, `horizon` that of its snapshot.
    mutating func goOn(horizon: Int64) { if pass?.horizon == nil { pass?.horizon = horizon } }

    /// There is no room for more rows: the pass goes on behind this place once there is.
    mutating func pause(after cursor: RepairCursor, now: Instant) {
        pass?.pausedAt = cursor
        if isComplete { isIncompleteSince = now }
        isComplete = false
    }

    mutating func resume() { pass?.pausedAt = nil }

    /// `isWhole`: every row there was when it began is known now. `isIdentified`: and the data in Redis is.
    mutating func end(isWhole: Bool, isIdentified: Bool, now: Instant, nextAt: Instant) {
        guard let ended = pass else { return }
        pass = nil
        // One that began too early is followed by one that counts.
        self.nextAt = ended.counts && !ended.isEarly ? nextAt : now
        if isWhole, ended.counts { history.note(ended) }
        let wasComplete = isComplete
        isComplete = isWhole && ended.counts && !ended.isEarly && isIdentified
        if wasComplete, !isComplete { isIncompleteSince = now }
    }

    /// Something that was known to be missing was forgotten: a new pass, over the whole table, has to find it.
    mutating func doubt(now: Instant) {
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

/// A look at the rows of `cache_repairs`, page by page.
struct RepairPass {
    let begunAt: Instant
    /// Over all rows, not only those noted lately.
    let isFull: Bool
    /// Rows of earlier transactions were looked at for long enough to be left to no other host any more.
    let leftFrom: Int64
    /// What it found is known still.
    var counts = true
    /// It began before Redis' data was identified the last time.
    var isEarly = false
    /// The least transaction that was still running when its first page was read; nil: no page was read yet.
    var horizon: Int64?
    /// Waits for room, behind this place.
    var pausedAt: RepairCursor?
}

/// Which rows the next pass has to look at: not those noted by transactions that had ended before an earlier one.
///
/// A row is looked at for `repairRowsSeenMs` after it was noted, so that one whose repair was left to another host is
/// found again where that did not strike it off; later only by a pass over the whole table, the second of which comes
/// as soon as that time is over. So no other pass goes by more dead rows than were noted in that time, however long a
/// snapshot keeps them.
struct RepairPassHistory {
    /// Whole passes, the oldest first.
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

    /// The first transaction whose rows a pass that begins now looks at; nil: it is over the whole table.
    mutating func begin(now: Instant) -> Int64? {
        // Of those that are old enough the last.
        while passes.count > 1, now.ms(since: passes[1].begunAt) >= Limits.repairRowsSeenMs { passes.popFirst() }
        let fullMs = fullCount > 1 ? Limits.repairFullPassMs : Limits.repairRowsSeenMs
        guard let fullBegunAt, now.ms(since: fullBegunAt) < fullMs else { return nil }
        return passes.first?.horizon
    }

    /// The first transaction that may have noted rows less than `repairRowsSeenMs` ago; 0: all may have been.
    func seenFrom(now: Instant) -> Int64 {
        guard let first = passes.first, now.ms(since: first.begunAt) >= Limits.repairRowsSeenMs else { return 0 }
        return first.horizon
    }
}
