/// How far the counters in Redis are believed: not before its data was verified to be of this server's life and this
/// past of the database (then they may be written), and not before all that other hosts could not write there was
/// looked up in `cache_repairs` (then they may be read).
struct Trust {
    private(set) var generation: Generation?
    private(set) var isComplete = false
    /// The token of the last generation, by which messages are told from those of another.
    private(set) var token: String?

    /// When the next pass over `cache_repairs` begins.
    private(set) var nextPassAt: Instant
    private(set) var isPassUnderWay = false
    /// The pass under way began after the data was verified.
    private var passCounts = false

    init(now: Instant) { nextPassAt = now }

    mutating func verified(_ generation: Generation, now: Instant) {
        self.generation = generation
        token = generation.token
        isComplete = false
        passCounts = false
        nextPassAt = now
    }

    mutating func lose() {
        generation = nil
        isComplete = false
        passCounts = false
    }

    /// What the last generation's counters were of is over: messages of it are not heard any more.
    mutating func disown() {
        lose()
        token = nil
    }

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
