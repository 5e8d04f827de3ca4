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
    /// Transactions that are known to have been written to another Redis, and for which no era has begun yet.
    private var strayed: Set<Int64> = []
    /// Transactions for which this host has begun an era. They are found again if so many were running that the
    /// marker's snapshot does not show that they had ended.
    private var straysDone: Set<Int64> = []
    /// The last survey's.
    private(set) var snapshot = DatabaseSnapshot.unknown
    /// `Generation.snapshot.next` of the latest generation that this host has used, whether or not a survey has told
    /// others of it. Each survey is a transaction, so this number tells generations apart even while the oldest
    /// transaction goes on.
    private(set) var latestUsed: Int64 = 0

    mutating func adopt(_ identity: DatabaseIdentity) {
        if identity != self.identity { forgetStrays() }
        self.identity = identity
    }

    /// Transaction numbers may have gone back.
    mutating func forgetStrays() {
        strayed = []
        straysDone = []
    }

    mutating func use(_ generation: Generation) { latestUsed = max(latestUsed, generation.snapshot.next) }

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
        owedReason = nil
        straysDone.formUnion(strayed)
        strayed = []
        era = min(era + 1, Generation.eraMax)
    }

    /// All hosts are in this era, or will be.
    mutating func join(era: Int64) {
        guard era > self.era else { return }
        self.era = era
        owedReason = nil
    }

    /// Takes in what a survey found to have been written to another Redis. The present generation already has what had
    /// ended when it was made: another host made it because of these transactions.
    mutating func noteStrays(_ found: [Int64], _ generation: Generation) {
        straysDone = straysDone.filter { !generation.snapshot.hasEnded($0) }
        strayed = strayed.union(found).filter { !generation.snapshot.hasEnded($0) && !straysDone.contains($0) }
    }

    /// When to begin an era because of what was written to another Redis. Not right after another era, since a host may
    /// go on writing there. nil: nothing was written there.
    func strayEraAt(now: Instant) -> Instant? {
        strayed.isEmpty ? nil : eraBegunAt?.adding(ms: Limits.eraMsMin) ?? now
    }

    /// When to begin an era although all hosts use one Redis; nil: there is no reason.
    func eraDueAt(_ survey: Survey, _ generation: Generation, now: Instant) -> Instant? {
        // Hosts were at another Redis in between and are back, so this one has missed what they changed. If transaction
        // numbers went back, higher ones named before mean nothing.
        let latest = max(survey.latest, latestUsed)
        let cameBack = latest > generation.snapshot.next && latest <= survey.snapshot.next
        // Or a host wrote to the Redis that it used before, after the others had begun to fill this one.
        return cameBack ? now : strayEraAt(now: now)
    }

    func checkInvariants() {
        precondition((0...Generation.eraMax).contains(era), "an era that no marker can name")
        precondition(strayed.isDisjoint(with: straysDone), "an era has begun for what is still to have one")
    }
}
