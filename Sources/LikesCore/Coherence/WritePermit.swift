import LikesStorage

/// What has to hold from before PostgreSQL is asked until its answer is put into Redis.
struct WritePermit: Equatable {
    var generation: Generation?
    /// Which subscription would hear of newer counts in the meantime, or that there is none.
    var subscription: Int64
    /// When Redis' data was last identified. What was changed before may not have been told.
    var identifiedAt: Instant
    /// `DatabasePast.era`.
    var era: Int64
    var askedAt: Instant

    /// Whether the permit still holds. `now` is a permit for the present moment.
    func holds(_ now: WritePermit) -> Bool { generation != nil && generation == now.generation && isFresh(now) }

    /// Whether an answer to what was asked under the permit may be taken as current.
    func isFresh(_ now: WritePermit) -> Bool {
        subscription == now.subscription && identifiedAt == now.identifiedAt && era == now.era
            && isYoung(at: now.askedAt)
    }

    func isYoung(at now: Instant) -> Bool { now.ms(since: askedAt) <= Limits.answerAgeMsMax }
}
