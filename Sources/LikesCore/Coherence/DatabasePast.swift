/// Which database this host is at, and at which of its pasts.
struct DatabasePast {
    /// nil: no server that takes writes was seen yet.
    private(set) var history: DatabaseHistory?
    /// How often what is cached was found to be of a past that is over although the server did not say so; all hosts
    /// agree upon it through Redis' marker.
    var era: Int64 = 0
    /// Why another one is to begin, with the next survey for which that is not too soon.
    var owedReason: String?
    /// When this host last found that out by itself.
    private var eraBegunAt: Instant?
    /// The last transaction for whose sake an era was begun since it was to be written to another Redis.
    var strayed: Int64 = 0
    /// Of the last survey.
    private(set) var since: Int64 = 0
    /// `Generation.since` of the latest data in Redis that this host has used, whether or not a survey has told others
    /// of it.
    private(set) var latestUsed: Int64 = 0

    mutating func adopt(_ history: DatabaseHistory) { self.history = history }

    mutating func use(_ generation: Generation) { latestUsed = max(latestUsed, generation.since) }

    /// Data of a past that is over is not used again.
    mutating func forgetUsed() { latestUsed = 0 }

    mutating func survey(_ survey: Survey) { since = survey.since }

    /// Whether this host did not find that out just before.
    func mayBeginEra(now: Instant) -> Bool {
        eraBegunAt.map { now.ms(since: $0) >= Limits.eraMsMin } ?? true
    }

    mutating func beginEra(now: Instant) {
        eraBegunAt = now
        owedReason = nil
        era = min(era + 1, Limits.eraMax)
    }

    /// All hosts are in this one, or will be.
    mutating func join(era: Int64) { self.era = max(self.era, era) }
}
