import LikesProtocol
import LikesStorage

/// One standby that answers counts.
struct Standby {
    var link: Link
    var calls = Calls<StandbyPurpose>()
    /// What its last answer proved: the moment as of which it had everything, and when the answer came. nil: there was
    /// none on this connection, or it proved nothing.
    private(set) var proof: (asOf: Instant, answeredAt: Instant)?
    /// The latest moment as of which it ever had everything on this connection; nil: it never proved one.
    private var hadAllAt: Instant?
    /// Since when its answers are too old, or prove nothing.
    private(set) var behindSince: Instant?
    /// When it last answered.
    private var answeredAt: Instant?
    /// It was connected as a standby before.
    private(set) var wasStandby = false
    /// When it was last asked how far it is.
    private var probedAt: Instant?
    /// Counts that it answered.
    private(set) var answered: Int64 = 0
    /// Counts that had to be read again from the primary: they were too old, or it did not answer.
    private(set) var refused: Int64 = 0

    init(now: Instant) { link = Link(connectMsMax: Limits.postgresConnectMsMax, now: now) }

    /// How far its last answer was behind, at most.
    private var proofLagMs: Int64? { proof.map { $0.answeredAt.ms(since: $0.asOf) } }

    /// How far it is behind: as its last answer proved, or, if that proved nothing, since it last proved anything. nil:
    /// that is not known.
    func lagMs(now: Instant) -> Int64? {
        guard link.isUp else { return nil }
        return proofLagMs ?? (behindSince == nil ? nil : hadAllAt.map { now.ms(since: $0) })
    }

    /// Whether its next answer will probably be fresh enough, and come soon.
    func isOfUse(ageMsMax: Int64, now: Instant) -> Bool {
        guard link.isUp, let proof, !isSlow(now: now), let proofLagMs else { return false }
        return now.ms(since: proof.answeredAt) <= Limits.standbyProofMs && 2 * proofLagMs <= ageMsMax
    }

    /// When its oldest call will have been under way for too long: others then ask elsewhere.
    var slowAt: Instant? { calls.oldestSentAt?.adding(ms: Limits.standbySlowMs) }

    func isSlow(now: Instant) -> Bool { slowAt.map { $0 <= now } ?? false }

    /// Whether to ask how far it is.
    func mayBeProbed(now: Instant) -> Bool {
        link.isUp && calls.isEmpty && probedAt.map { now.ms(since: $0) >= Limits.positionMs } ?? true
    }

    mutating func probed(now: Instant) { probedAt = now }

    mutating func connected(now: Instant) {
        link.connected(now: now)
        proof = nil
        hadAllAt = nil
        behindSince = nil
        probedAt = nil
        wasStandby = true
    }

    mutating func prove(_ asOf: Instant?, now: Instant) {
        proof = asOf.map { ($0, now) }
        hadAllAt = asOf ?? hadAllAt
    }

    /// Notes whether its last answer was fresh enough. Returns for how long its answers have not been, in milliseconds,
    /// once that is long enough to say so; nil: there is nothing to say.
    mutating func noteFresh(_ isFresh: Bool, now: Instant) -> Int64? {
        guard !isFresh else {
            behindSince = nil
            answeredAt = now
            return nil
        }
        // Nobody asked it meanwhile, so nobody knows.
        let since = isAsked(now: now) ? behindSince ?? now : now
        behindSince = since
        answeredAt = now
        let behindMs = now.ms(since: since)
        return behindMs >= Limits.standbyBehindShownMs ? behindMs : nil
    }

    /// Whether it answered lately.
    func isAsked(now: Instant) -> Bool { answeredAt.map { now.ms(since: $0) <= Limits.standbyRetryMs } ?? false }

    mutating func noteAnswered(_ count: Int) { answered += Int64(count) }
    mutating func noteRefused(_ count: Int) { refused += Int64(count) }

    func checkInvariants() {
        calls.checkInvariants()
        precondition(link.isUp || calls.isEmpty, "a standby's calls end with its connection")
        precondition(proof.map { $0.asOf <= $0.answeredAt } ?? true, "a proof of the future")
    }
}

/// What a call on a standby is for.
enum StandbyPurpose: CallPurpose {
    /// Counts that the caches lack, asked for in this era.
    case fetches([Item], LaneSight, era: Int64)
    /// How far it is.
    case probe(LaneSight)

    enum Kind: Int, CaseIterable { case fetches, probe }

    var kind: Kind {
        switch self {
        case .fetches: .fetches
        case .probe: .probe
        }
    }

    var timedAs: TimedCall {
        switch self {
        case .fetches: .standbyCounts
        case .probe: .standbyOther
        }
    }

    var itemsCount: Int { items.count }

    /// The lane as it was when the call was sent.
    var sight: LaneSight {
        switch self {
        case .fetches(_, let sight, _), .probe(let sight): sight
        }
    }

    /// Whether it was asked in this era.
    func isOf(era: Int64) -> Bool {
        switch self {
        case .fetches(_, _, let asked): asked == era
        case .probe: true
        }
    }

    /// The items whose counts are waited for.
    var items: [Item] {
        switch self {
        case .fetches(let items, _, _): items
        case .probe: []
        }
    }

    /// An answer with another number of elements than was asked for is a misfit.
    func checked(_ answer: StandbyAnswer) -> StandbyAnswer {
        switch answer {
        case .countersSelected(_, let counters) where counters.count != items.count:
            .misfit(.otherNumber(of: "counters"))
        default: answer
        }
    }
}
