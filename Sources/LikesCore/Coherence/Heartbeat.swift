import LikesStorage

/// Checks that the subscription works: the host publishes a number now and then, and expects to hear it. It does so
/// more often while it remembers what it wrote to Redis, which it forgets once it hears a later number.
struct Heartbeat {
    /// Nobody else can say the number before this host has.
    private(set) var number: UInt64 = 0
    private(set) var heard: UInt64 = 0
    private var beats: UInt64 = 0
    private let key: SipHash.Key
    private(set) var nextAt: Instant
    /// All messages sent before this moment were heard.
    private(set) var heardUntil: Instant
    /// Milliseconds between two beats while something written is remembered. Longer than calls may take, so that a slow
    /// call does not make the subscription look silent.
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
        heardUntil = now
    }

    enum Beat {
        case say(UInt64)
        /// The last number was not heard yet. If the host stood still, it is in the socket and is read first.
        case wait
        /// The last number was never heard.
        case silence
    }

    /// What to do at `nextAt`. `hasWritten`: something written is remembered.
    mutating func beat(now: Instant, hasWritten: Bool) -> Beat {
        if isAwaited, heard != number {
            if isOverdue { return .silence }
            isOverdue = true
            nextAt = now.adding(ms: Limits.beatGraceMs)
            return .wait
        }
        beats += 1
        // likesd does not accept a decimal of 2^63 or more.
        number = SipHash.hash(beats, 0, 0, 0, key: key) >> 1
        isAwaited = true
        isOverdue = false
        saidAt = now
        nextAt = now.adding(ms: hasWritten ? writingBeatMs : max(Limits.beatMs, writingBeatMs))
        return .say(number)
    }

    /// Something is on its way to Redis.
    mutating func write(now: Instant) { nextAt = min(nextAt, now.adding(ms: writingBeatMs)) }

    /// When the number was said; nil: it is not the last one.
    mutating func hear(_ number: UInt64) -> Instant? {
        guard number == self.number else { return nil }
        heard = number
        heardUntil = saidAt
        return saidAt
    }

    /// One of the two connections is new: a number said before is not expected any more.
    mutating func restart(now: Instant) {
        isAwaited = false
        isOverdue = false
        nextAt = now
    }
}
