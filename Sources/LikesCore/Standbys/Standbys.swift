import LikesProtocol
import LikesStorage

/// The standbys that answer counts, and the positions of the primary's log that prove how fresh they are.
struct Standbys {
    private var list: [Standby]
    private var positions = PrimaryPositions()
    /// When a count last had to be read from PostgreSQL.
    private var wantedAt: Instant?
    /// Not before this moment is the primary asked for its position again.
    private var askNotBefore: Instant
    /// Why the primary does not tell its position.
    private var refusal: String?
    /// When the standbys were last looked at. What was slow by then changes nothing until an answer comes.
    private var lookedAt: Instant
    /// The standby that was asked last. The next one has its turn when both are as busy.
    private var lastChosen = -1

    init(count: Int, now: Instant) {
        list = (0..<count).map { _ in Standby(now: now) }
        askNotBefore = now
        lookedAt = now
    }

    // Not `_read`: its coroutine would allocate.
    subscript(_ place: Int) -> Standby {
        get { list[place] }
        _modify { yield &list[place] }
    }

    var isEmpty: Bool { list.isEmpty }
    var places: Range<Int> { list.indices }
    /// Counts that all of them answered.
    var answered: Int64 { list.reduce(0) { $0 + $1.answered } }
    /// Counts that had to be read again from the primary.
    var refused: Int64 { list.reduce(0) { $0 + $1.refused } }

    // MARK: Positions

    /// Counts have to be read from PostgreSQL, so it pays to know how fresh the standbys are.
    mutating func want(now: Instant) { wantedAt = now }

    func isWanted(now: Instant) -> Bool {
        wantedAt.map { now.ms(since: $0) <= Limits.positionWantedMs } ?? false
    }

    /// When to ask the primary for its position; nil: nobody needs it.
    var askAt: Instant? {
        guard let wantedAt, list.contains(where: \.link.isUp) else { return nil }
        return askNotBefore <= wantedAt.adding(ms: Limits.positionWantedMs) ? askNotBefore : nil
    }

    mutating func asked(now: Instant) { askNotBefore = now.adding(ms: Limits.positionMs) }

    /// Why the primary does not tell its position, while it is asked for it.
    func refusal(now: Instant) -> String? {
        wantedAt.map { now.ms(since: $0) <= Limits.standbyRetryMs } ?? false ? refusal : nil
    }

    /// `refusal`: of the primary; nil: it did not answer.
    mutating func askingFailed(_ refusal: String?, now: Instant) {
        askNotBefore = now.adding(ms: Limits.standbyRetryMs)
        self.refusal = refusal
    }

    /// `sight`: of the lane when the primary was asked.
    mutating func learn(_ position: LogPosition, _ sight: LaneSight, askedAt: Instant) {
        refusal = nil
        positions.learn(PrimaryPositions.Known(askedAt: askedAt, position: position, sight: sight))
    }

    /// Another server may be the primary, so nothing is proven.
    mutating func forgetPositions(now: Instant) {
        positions.forget()
        refusal = nil
        askNotBefore = now
        for place in places { list[place].prove(nil, now: now) }
    }

    // MARK: Choosing

    /// The standby for the next call: of those that are probably fresh, the one with the fewest calls under way. nil:
    /// none has room.
    mutating func choose(ageMsMax: Int64, callsMax: Int, now: Instant) -> Int? {
        var chosen: Int?
        for turn in places {
            let place = (lastChosen + 1 + turn) % list.count
            guard list[place].isOfUse(ageMsMax: ageMsMax, now: now) else { continue }
            let calls = list[place].calls[.fetches]
            guard calls < callsMax else { continue }
            if let other = chosen, list[other].calls[.fetches] <= calls { continue }
            chosen = place
        }
        if let chosen { lastChosen = chosen }
        return chosen
    }

    /// Whether some standby is probably fresh, even if it has no room now.
    func hasOneOfUse(ageMsMax: Int64, now: Instant) -> Bool {
        list.contains { $0.isOfUse(ageMsMax: ageMsMax, now: now) }
    }

    /// Standbys to ask how far they are, since they have not proven it lately.
    func toProbe(ageMsMax: Int64, now: Instant) -> [Int] {
        guard !positions.isEmpty, isWanted(now: now) else { return [] }
        return places.filter { list[$0].mayBeProbed(now: now) && !list[$0].isOfUse(ageMsMax: ageMsMax, now: now) }
    }

    mutating func look(now: Instant) { lookedAt = now }

    /// When those who wait for a standby have waited long enough; nil: nobody does.
    var slowAt: Instant? {
        var next: Instant?
        for standby in list {
            guard let slowAt = standby.slowAt, slowAt > lookedAt else { continue }
            next = next.map { min($0, slowAt) } ?? slowAt
        }
        return next
    }

    // MARK: Answers

    /// The moment as of which the standby has everything, by what it has replayed; nil: that is not proven. `sight`:
    /// the lane's when the standby was asked; nil: the lane has another connection by now.
    mutating func prove(_ log: ReplayedLog, from place: Int, _ sight: LaneSight?, now: Instant) -> Instant? {
        let isOfLane = sight.map { $0.fence.epoch == log.epoch } ?? false
        let asOf = isOfLane ? sight.flatMap { positions.provenAt(log, lane: $0.fence.lane) } : nil
        list[place].prove(asOf, now: now)
        return asOf
    }

    /// Takes it that the standby has everything, only to show why that is wrong.
    mutating func believe(_ place: Int, now: Instant) -> Instant {
        list[place].prove(now, now: now)
        return now
    }

    func checkInvariants() {
        positions.checkInvariants()
        for standby in list { standby.checkInvariants() }
    }
}
