import LikesProtocol
import LikesSettings
import LikesStorage

/// Which database this host is at, and at which of its pasts.
struct DatabasePast {
    /// nil: no server that takes writes was seen yet.
    private(set) var history: DatabaseHistory?
    /// How often what is cached was found to be of a past that is over although the server did not say so; all hosts
    /// agree upon it through Redis' marker.
    private(set) var era: Int64 = 0
    /// Why another one is to begin, with the next survey for which that is not too soon.
    private(set) var owedReason: String?
    /// When this host last found that out by itself.
    private var eraBegunAt: Instant?
    /// Transactions that are known to have been written to another Redis, and for which no era has begun yet.
    private var strayed: Set<Int64> = []
    /// Those for which this host has begun one: they are found again where so many ran that the marker's snapshot does
    /// not tell that they had ended.
    private var straysDone: Set<Int64> = []
    /// Of the last survey.
    private(set) var snapshot = DatabaseSnapshot.unknown
    /// `Generation.snapshot.next` of the latest data in Redis that this host has used, whether or not a survey has told
    /// others of it. Each survey is a transaction, so that it tells data apart even while the least one goes on.
    private(set) var latestUsed: Int64 = 0

    mutating func adopt(_ history: DatabaseHistory) {
        if history != self.history { forgetStrays() }
        self.history = history
    }

    /// Numbers of transactions may have gone back.
    mutating func forgetStrays() {
        strayed = []
        straysDone = []
    }

    mutating func use(_ generation: Generation) { latestUsed = max(latestUsed, generation.snapshot.next) }

    /// Data of a past that is over is not used again.
    mutating func forgetUsed() { latestUsed = 0 }

    mutating func survey(_ survey: Survey) { snapshot = survey.snapshot }

    /// Whether this host did not find that out just before.
    func mayBeginEra(now: Instant) -> Bool {
        eraBegunAt.map { now.ms(since: $0) >= Limits.eraMsMin } ?? true
    }

    /// It is too soon: another one begins with a later survey.
    mutating func oweEra(_ reason: String) { owedReason = reason }

    mutating func beginEra(now: Instant) {
        eraBegunAt = now
        owedReason = nil
        straysDone.formUnion(strayed)
        strayed = []
        era = min(era + 1, Limits.eraMax)
    }

    /// All hosts are in this one, or will be.
    mutating func join(era: Int64) {
        guard era > self.era else { return }
        self.era = era
        owedReason = nil
    }

    /// What a survey found to have been written to another Redis. What had ended when the present data was made is in
    /// it: another host made it for the sake of these.
    mutating func noteStrays(_ found: [Int64], _ generation: Generation) {
        straysDone = straysDone.filter { !generation.snapshot.hasEnded($0) }
        strayed = strayed.union(found).filter { !generation.snapshot.hasEnded($0) && !straysDone.contains($0) }
    }

    /// When an era is to begin for what was written to another Redis: not right after another one, since a host may go
    /// on writing there. nil: nothing was.
    func strayEraAt(now: Instant) -> Instant? {
        strayed.isEmpty ? nil : eraBegunAt?.adding(ms: Limits.eraMsMin) ?? now
    }

    /// When an era is to begin although all hosts use one Redis; nil: nothing speaks for it.
    func eraDueAt(_ survey: Survey, _ generation: Generation, now: Instant) -> Instant? {
        // Hosts were at another Redis in between, and are back: this one has missed what they changed.
        // Where the numbers of transactions went back, what was said of later ones says nothing.
        let latest = max(survey.latest, latestUsed)
        let cameBack = latest > generation.snapshot.next && latest <= survey.snapshot.next
        // Or one wrote something to the Redis that it used before, after the others had begun to fill this one.
        return cameBack ? now : strayEraAt(now: now)
    }

    func checkInvariants() {
        precondition((0...Limits.eraMax).contains(era), "an era that no marker can name")
        precondition(strayed.isDisjoint(with: straysDone), "an era has begun for what is still to have one")
    }
}
