import LikesProtocol
import LikesSettings
import LikesStorage

/// What has to hold from before PostgreSQL is asked until its answer is put into Redis.
struct WritePermit: Equatable {
    var generation: Generation?
    /// Which subscription heard of newer counts in the meantime, or the lack of one.
    var subscription: Int64
    /// When Redis' data was last identified: what was changed before may not have been told.
    var identifiedAt: Instant
    /// `DatabasePast.era`.
    var era: Int64
    var askedAt: Instant

    /// Whether it still does; `now` would be given at this moment.
    func holds(_ now: WritePermit) -> Bool { generation != nil && generation == now.generation && isFresh(now) }

    /// Whether what was asked for then may be taken for what is.
    func isFresh(_ now: WritePermit) -> Bool {
        subscription == now.subscription && identifiedAt == now.identifiedAt && era == now.era
            && isYoung(at: now.askedAt)
    }

    func isYoung(at now: Instant) -> Bool { now.ms(since: askedAt) <= Limits.answerAgeMsMax }
}
