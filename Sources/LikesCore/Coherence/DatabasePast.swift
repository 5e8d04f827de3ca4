import LikesStorage

/// Which database this host is at, and at which of its pasts.
struct DatabasePast {
    /// nil: no server that takes writes was seen yet.
    private(set) var identity: DatabaseIdentity?
    /// How often the cached data was found to belong to a past that is over, without the server saying so. All hosts
    /// agree on the number through Redis' marker.
    private(set) var era: Int64 = 0
    /// Why another era should begin, with the next survey for which that is not too soon.
    private(set) var owedReason: String?
    /// When this host last began an era by itself.
    private var eraBegunAt: Instant?
    /// The last survey's.
    private(set) var snapshot = DatabaseSnapshot.unknown
    /// The greatest `SurveyRequest.since` of what this host has used, whether or not a survey has told others of it.
    /// Each survey is a transaction, so this number tells generations apart even while the oldest transaction goes on.
    private(set) var latestUsed: Int64 = 0
    private var othersBackAt: Instant?

    mutating func adopt(_ identity: DatabaseIdentity) { self.identity = identity }

    /// `since`: `Generation.snapshot.next` of the oldest data in use.
    mutating func use(since: Int64) { latestUsed = max(latestUsed, since) }

    /// Data of a past that is over is not used again.
    mutating func forgetUsed() { latestUsed = 0 }

    mutating func survey(_ survey: Survey) { snapshot = survey.snapshot }

    /// Whether this host's last own era began long enough ago.
    func mayBeginEra(now: Instant) -> Bool {
        eraBegunAt.map { now.ms(since: $0) >= Limits.eraMsMin } ?? true
    }

    /// It is too soon: another era begins with a later survey.
    mutating func oweEra(_ reason: String) { owedReason = reason }

    mutating func beginEra(now: Instant) {
        eraBegunAt = now
        othersBackAt = nil
        owedReason = nil
        era = min(era + 1, Generation.eraMax)
    }

    /// All hosts are in this era, or will be.
    mutating func join(era: Int64) {
        guard era > self.era else { return }
        self.era = era
        owedReason = nil
    }

    /// When to begin an era because of what was written to another Redis. Not right after another era, since a host
    /// may go on writing there.
    func strayEraAt(now: Instant) -> Instant { eraBegunAt?.adding(ms: Limits.eraMsMin) ?? now }

    /// Hosts were at another Redis in between and are back, so that this one has missed what they changed: since when
    /// surveys show that. nil: they were not. `newest`: `Generation.snapshot.next` of the newest data in use. Hosts
    /// name the oldest that they use; of a cluster's nodes, each may have been given new data at another time.
    /// nil: this host does not know all that it uses.
    mutating func othersCameBack(_ survey: Survey, newest: Int64?, now: Instant) -> Instant? {
        let latest = max(survey.latest, latestUsed)
        // If transaction numbers went back, higher ones named before mean nothing.
        let areBack = newest.map { latest > $0 } ?? false && latest <= survey.snapshot.next
        othersBackAt = areBack ? othersBackAt ?? now : nil
        return othersBackAt
    }

    func checkInvariants() {
        precondition((0...Generation.eraMax).contains(era), "an era that no marker can name")
    }
}
