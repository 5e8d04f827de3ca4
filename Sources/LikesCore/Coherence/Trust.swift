/// How far the counters in Redis are believed: not before its data was verified to be of this server's life and this
/// past of the database (then they may be written), and not before all that other hosts could not write there was
/// looked up in `cache_repairs`, and whether they use the same data (then they may be read).
struct Trust {
    private(set) var generation: Generation?
    private(set) var isComplete = false
    /// The marker does not fit: the database is looked at again, since it may be the host that is behind, and then
    /// another one is made.
    private(set) var awaitsSurvey = false
    /// Other hosts were seen to use the same data since it was verified.
    private(set) var isSurveyed = false
    /// Other hosts use another Redis: until all use one again, none is believed. The era in which that was found.
    private(set) var disputedIn: Int64?
    /// When other data was first seen with other hosts, to be looked at again.
    private var strangeSince: Instant?
    /// What this host used before, and until when others may do so without being in dispute with it.
    private var former: (token: String, until: Instant)?
    /// Another database's marker that was found instead of this one's, and whether this host has put its own there since.
    private var foreign: (database: DatabaseHistory, at: Instant, isReplaced: Bool)?
    /// The token of the last generation, by which messages are told from those of another.
    private(set) var token: String?

    /// When the next pass over `cache_repairs` begins.
    private(set) var nextPassAt: Instant
    private(set) var isPassUnderWay = false
    /// The pass under way began after the data was verified.
    private var passCounts = false

    init(now: Instant) { nextPassAt = now }

    /// `isMade`: by this host, just now.
    mutating func verified(_ generation: Generation, isMade: Bool = false, now: Instant) {
        if isMade { foreign?.isReplaced = true }
        if let token, token != generation.token {
            former = (token, now.adding(ms: Limits.formerGenerationMs))
        }
        self.generation = generation
        awaitsSurvey = false
        isSurveyed = false
        strangeSince = nil
        token = generation.token
        isComplete = false
        passCounts = false
        nextPassAt = now
    }

    mutating func lose() {
        generation = nil
        awaitsSurvey = false
        isSurveyed = false
        strangeSince = nil
        isComplete = false
        passCounts = false
    }

    /// What the last generation's counters were of is over: messages of it are not heard any more.
    mutating func disown() {
        lose()
        token = nil
    }

    mutating func misfit() { awaitsSurvey = true }

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

    /// What other hosts use. `era`: the present one.
    mutating func compare(_ tokens: [String], era: Int64, now: Instant) -> Agreement {
        let isStrange = tokens.contains { other in
            other != token && !(other == former?.token && now < former?.until ?? now)
        }
        guard isStrange else {
            strangeSince = nil
            isSurveyed = true
            guard let found = disputedIn else { return .agreed }
            disputedIn = nil
            return .settled(era: found)
        }
        if disputedIn != nil { return .stillDisputed }
        guard let since = strangeSince else {
            strangeSince = now
            return .unclear
        }
        guard now.ms(since: since) >= Limits.disputeConfirmMs else { return .unclear }
        disputedIn = era
        return .disputed
    }

    /// Another database's marker was found. Whether it was found before, in the time that is remembered, and has come
    /// back although this host has made its own.
    mutating func isBack(_ database: DatabaseHistory, now: Instant) -> Bool {
        let known = foreign.flatMap {
            $0.database.isSameDatabase(database) && now.ms(since: $0.at) < Limits.foreignMemoryMs ? $0 : nil
        }
        let isBack = known?.isReplaced ?? false
        foreign = (database, now, isBack)
        return isBack
    }

    /// Whether what is in Redis may be read, as far as other hosts are concerned.
    var isAgreed: Bool { isSurveyed && disputedIn == nil }

    mutating func beginPass() {
        isPassUnderWay = true
        passCounts = true
    }

    /// `isWhole`: every row there was when it began is known now.
    mutating func endPass(isWhole: Bool, now: Instant, nextAt: Instant) {
        isPassUnderWay = false
        // One that began too early is followed by one that counts.
        nextPassAt = passCounts ? nextAt : now
        isComplete = isWhole && passCounts && generation != nil
    }

    /// Something that was known to be missing was forgotten: a new pass has to find it.
    mutating func doubt(now: Instant) {
        isComplete = false
        passCounts = false
        nextPassAt = now
    }
}

/// Whether the subscription still hears: the host says a number to itself now and then, and more often while it
/// remembers what it wrote to Redis: that is forgotten once it hears what it said later.
struct Heartbeat {
    private(set) var number: UInt64 = 0
    private(set) var heard: UInt64 = 0
    private(set) var nextAt: Instant
    /// Milliseconds between two beats while something written is remembered: calls may take as long as they are
    /// allowed to without a subscription being taken for silent.
    let writingBeatMs: Int64
    private var saidAt: Instant
    private var isAwaited = false
    /// The last number should have been heard by now.
    private var isOverdue = false

    init(redisCallMs: Int64, now: Instant) {
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
        number += 1
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
