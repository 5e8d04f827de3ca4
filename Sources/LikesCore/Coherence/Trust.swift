import LikesStorage

/// How far the counters in Redis are believed: not before its data was verified to be of this server's life and this
/// past of the database (then they may be written), and not before all that other hosts could not write there was
/// looked up in `cache_repairs`, and whether they use the same data (then they may be read).
struct Trust {
    private(set) var generation: Generation?
    private(set) var isComplete = false
    /// A marker that does not fit, empty: there is none. The database is looked at again, since it may be the host that
    /// is behind, and then another one is made instead.
    private(set) var unfit: String?
    /// What is under this token is of a past that is over.
    private(set) var disownedToken: String?
    /// Other hosts were seen to use the same data since it was verified.
    private(set) var isSurveyed = false
    /// Other hosts use another Redis: until all use one again, none is believed. The era in which that was found.
    private(set) var disputedIn: Int64?
    private(set) var verifiedAt: Instant
    /// When other hosts were first seen to name other data since, and which; they are to name it again.
    private var strangeSince: Instant?
    private var strange: Set<String> = []
    /// By the last survey under this data no other living host has named any else.
    private(set) var isUnanimous = false
    private var foreign: ForeignMarker?
    /// The token of the last generation, by which messages are told from those of another.
    private(set) var token: String?

    /// When the next pass over `cache_repairs` begins.
    private(set) var nextPassAt: Instant
    private(set) var pass: RepairPass?
    private var history = RepairPassHistory()
    /// When Redis' data was last lost sight of.
    private var lostAt: Instant?
    /// Since when Redis' counters can't be read for what may have to be repaired.
    private(set) var isIncompleteSince: Instant

    init(now: Instant) {
        nextPassAt = now
        isIncompleteSince = now
        verifiedAt = now
    }

    /// Rows of `cache_repairs` that earlier transactions than this noted need no repair: what they say was committed
    /// before the first counter of this generation was read from PostgreSQL. 0: unknown.
    var settledBefore: Int64 { generation?.snapshot.least ?? 0 }

    /// `isMade`: by this host, just now. `knowsMore`: what was known to be missing before is known still, so that only
    /// what was noted since is new.
    mutating func verified(_ generation: Generation, isMade: Bool = false, knowsMore: Bool, now: Instant) {
        if let found = foreign, found.generation.database.isSameDatabase(generation.database) {
            // It was this host that was behind.
            foreign = nil
        } else if isMade, foreign?.generation.server == generation.server {
            foreign?.isReplaced = true
        }
        self.generation = generation
        verifiedAt = now
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strangeSince = nil
        token = generation.token
        guard knowsMore else { return doubt(now: now) }
        isIncompleteSince = now
        pass?.isEarly = true
        nextPassAt = now
    }

    /// Whether what is known to be missing is no help any more, if it is this generation's at all: while Redis was away
    /// from here for long, other hosts have repaired it.
    func isOutdated(by generation: Generation, now: Instant) -> Bool {
        generation.token != token || lostAt.map { now.ms(since: $0) > Limits.repairRowsSeenMs } ?? true
    }

    mutating func lose(now: Instant) {
        if generation != nil { lostAt = now }
        generation = nil
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strangeSince = nil
        isComplete = false
    }

    /// What the last generation's counters were of is over: messages of it are not heard any more.
    mutating func disown(now: Instant) {
        disownedToken = token
        lose(now: now)
        token = nil
    }

    mutating func misfit(_ marker: String) { unfit = marker }

    enum Agreement {
        /// All hosts that have Redis use the same data.
        case agreed
        /// Some use other data than this host: look at the marker, and ask again in a while.
        case unclear
        /// They still do: nobody is to believe either.
        case disputed
        case stillDisputed
        /// They did, and do not any more; `era`: when that was found.
        case settled(era: Int64)
    }

    /// How old a sign of life may be, in milliseconds, to say what its host uses now: one from before this host knew
    /// its own data may be of a host that has died. One that followed soon may be of a host that had not heard of it.
    func freshMs(now: Instant) -> Int64 {
        max(0, now.ms(since: strangeSince?.adding(ms: Limits.disputeConfirmMs) ?? verifiedAt))
    }

    /// What other hosts use. `era`: the present one.
    mutating func compare(_ survey: Survey, era: Int64, now: Instant) -> Agreement {
        isUnanimous = survey.generations.allSatisfy { $0 == token }
        if isUnanimous { return agree() }
        if disputedIn != nil { return .stillDisputed }
        let fresh = Set(survey.freshGenerations.filter { $0 != token })
        // Others than those from before are not named again.
        guard let strangeSince, fresh.isEmpty || !strange.isDisjoint(with: fresh) else {
            if fresh.isEmpty { return agree() }
            self.strangeSince = now
            strange = fresh
            return .unclear
        }
        if !fresh.isEmpty, now.ms(since: strangeSince) >= Limits.disputeConfirmMs {
            disputedIn = era
            return .disputed
        }
        // A host that lives would have named it again.
        let waitMs = Limits.disputeConfirmMs + Limits.surveyMs + Limits.lateSignMs
        return now.ms(since: strangeSince) < waitMs ? .unclear : agree()
    }

    /// Another database's marker was found. Whether it was found on that server before, in the time that is
    /// remembered, and has come back although this host has made its own there.
    mutating func isBack(_ found: Generation, now: Instant) -> Bool {
        let known = foreign.flatMap { $0.isRemembered(now: now) && $0.isOfTheHosts(of: found) ? $0 : nil }
        let isBack = known?.isReplaced ?? false
        let isSilent = known?.generation.token == found.token
        foreign = ForeignMarker(
            generation: found, livedAt: isSilent ? known?.livedAt ?? now : now, isReplaced: isBack)
        return isBack
    }

    /// A host that uses this data wrote to Redis.
    mutating func heard(foreign token: String, now: Instant) {
        if foreign?.generation.token == token { foreign?.livedAt = now }
    }

    /// What others use is this host's as well, or does not matter.
    @discardableResult
    mutating func agree() -> Agreement {
        strangeSince = nil
        isSurveyed = true
        guard let found = disputedIn else { return .agreed }
        disputedIn = nil
        return .settled(era: found)
    }

    /// As if no other host had named other data.
    mutating func agreeUnseen() {
        isUnanimous = true
        agree()
    }

    /// Whether what is in Redis may be read, as far as other hosts are concerned.
    var isAgreed: Bool { isSurveyed && disputedIn == nil }

    /// Begins a pass; the place in the table after which its rows stand.
    mutating func beginPass(now: Instant) -> RepairSelect {
        let begin = history.begin(now: now)
        pass = RepairPass(begunAt: now, isFull: begin == nil, leftFrom: history.seenFrom(now: now))
        return RepairSelect(
            after: RepairCursor(begin: max(begin ?? 0, settledBefore)), settledBefore: begin == nil ? settledBefore : 0)
    }

    /// PostgreSQL's answer to the pass, `horizon` that of its snapshot.
    mutating func continuePass(horizon: Int64) {
        if pass?.horizon == nil { pass?.horizon = horizon }
    }

    /// There is no room for more rows: the pass goes on behind this place once there is.
    mutating func pausePass(after cursor: RepairCursor, now: Instant) {
        pass?.pausedAt = cursor
        if isComplete { isIncompleteSince = now }
        isComplete = false
    }

    mutating func resumePass() { pass?.pausedAt = nil }

    /// `isWhole`: every row there was when it began is known now.
    mutating func endPass(isWhole: Bool, now: Instant, nextAt: Instant) {
        guard let ended = pass else { return }
        pass = nil
        // One that began too early is followed by one that counts.
        nextPassAt = ended.counts && !ended.isEarly ? nextAt : now
        if isWhole, ended.counts { history.note(ended) }
        let wasComplete = isComplete
        isComplete = isWhole && ended.counts && !ended.isEarly && generation != nil
        if wasComplete, !isComplete { isIncompleteSince = now }
    }

    /// Something that was known to be missing was forgotten: a new pass, over the whole table, has to find it.
    mutating func doubt(now: Instant) {
        isComplete = false
        isIncompleteSince = now
        pass?.counts = false
        if pass?.pausedAt != nil { pass = nil }
        history = RepairPassHistory()
        nextPassAt = now
    }
}

/// Another database's marker that was found instead of this one's.
private struct ForeignMarker {
    var generation: Generation
    /// When something last spoke for hosts that use it: it was made, or they were heard to write.
    var livedAt: Instant
    /// This host has put its own there since.
    var isReplaced: Bool

    func isRemembered(now: Instant) -> Bool { now.ms(since: livedAt) < Limits.foreignMemoryMs }

    func isOfTheHosts(of other: Generation) -> Bool {
        generation.database.isSameDatabase(other.database) && generation.server == other.server
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
    /// It began before Redis' data was verified the last time.
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

/// Whether the subscription still hears: the host says a number to itself now and then, and more often while it
/// remembers what it wrote to Redis: that is forgotten once it hears what it said later.
struct Heartbeat {
    /// Nobody can say it before the host has.
    private(set) var number: UInt64 = 0
    private(set) var heard: UInt64 = 0
    private var beats: UInt64 = 0
    private let key: SipHash.Key
    private(set) var nextAt: Instant
    /// Milliseconds between two beats while something written is remembered: calls may take as long as they are
    /// allowed to without a subscription being taken for silent.
    let writingBeatMs: Int64
    private var saidAt: Instant
    private var isAwaited = false
    /// The last number should have been heard by now.
    private var isOverdue = false

    init(redisCallMs: Int64, key: SipHash.Key, now: Instant) {
        self.key = key
        writingBeatMs = Limits.writingBeatMs + redisCallMs
        saidAt = now
        nextAt = now
    }

    enum Beat {
        case say(UInt64)
        /// The last one was not heard yet: a host that stood still has it in its socket, and reads it first.
        case wait
        /// The last one was never heard.
        case silence
    }

    /// What to do at `nextAt`. `hasWritten`: what was written is remembered.
    mutating func beat(now: Instant, hasWritten: Bool) -> Beat {
        if isAwaited, heard != number {
            if isOverdue { return .silence }
            isOverdue = true
            nextAt = now.adding(ms: Limits.beatGraceMs)
            return .wait
        }
        beats += 1
        // A decimal of 2^63 or more is none to likesd.
        number = SipHash.hash(beats, 0, 0, 0, key: key) >> 1
        isAwaited = true
        isOverdue = false
        saidAt = now
        nextAt = now.adding(ms: hasWritten ? writingBeatMs : max(Limits.beatMs, writingBeatMs))
        return .say(number)
    }

    /// Something is on its way to Redis.
    mutating func write(now: Instant) { nextAt = min(nextAt, now.adding(ms: writingBeatMs)) }

    /// Returns when it was said; nil: not the last one.
    mutating func hear(_ number: UInt64) -> Instant? {
        guard number == self.number else { return nil }
        heard = number
        return saidAt
    }

    /// Either connection is new: what was said before is not waited for.
    mutating func restart(now: Instant) {
        isAwaited = false
        isOverdue = false
        nextAt = now
    }
}
