import LikesCore

/// Redis' time, as learned from TIME: never later than it really is, so that a deadline on Redis' own clock is never
/// one that has already passed here.
struct RedisClock {
    /// Redis' clock minus this host's, in microseconds.
    private var offset: Int64?
    /// Beats since Redis was asked for its time.
    private var beats = 0

    /// Beyond what any clock shows: more could overflow the arithmetic here.
    private static let secondsMax: Int64 = 1_000_000_000_000

    /// TIME's two numbers in microseconds; nil: not a time.
    static func time(seconds: Int64, microseconds: Int64) -> Int64? {
        guard (0...secondsMax).contains(seconds), (0..<1_000_000).contains(microseconds) else { return nil }
        return seconds * 1_000_000 + microseconds
    }

    /// Redis answered with its time, in microseconds. It read its clock at some moment between the two here.
    ///
    /// The known offset stays as long as it can be true and is at least as exact: an answer that took long says little.
    /// Otherwise one of the clocks was set.
    mutating func learn(_ time: Int64, askedAt: Instant, heardAt: Instant) {
        let least = time - heardAt.microseconds
        let most = time - askedAt.microseconds
        if let offset, offset >= least, offset <= most { return }
        offset = least
    }

    /// Whether to ask for the time with this beat.
    mutating func isToBeRead() -> Bool {
        beats = (beats + 1) % EdgeLimits.beatsPerLookAtClock
        return beats == 0
    }

    /// In milliseconds of Redis' clock, which the handshake has learned.
    func deadlineMs(_ moment: Instant, plus timeoutMs: Int64) -> Int64 {
        guard let offset else { preconditionFailure("a call to Redis before its time was learnt") }
        return max(0, (moment.microseconds + offset) / 1_000 + timeoutMs)
    }
}
