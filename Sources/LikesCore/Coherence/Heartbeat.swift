import LikesProtocol
import LikesSettings
import LikesStorage

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
