import LikesProtocol
import LikesSettings
import LikesStorage

/// How far the data in Redis is believed: not before it was identified to be of this server's life and this past of the
/// database (then it may be written), and not before other hosts were seen to use the same data (then, with
/// `RepairPasses`, it may be read).
struct Trust {
    private(set) var generation: Generation?
    /// A marker that does not fit, empty: there is none. The database is looked at again, since it may be the host that
    /// is behind, and then another one is made instead.
    private(set) var unfit: String?
    /// What is under this token is of a past that is over.
    private(set) var disownedToken: String?
    /// Other hosts were seen to use the same data since it was identified.
    private(set) var isSurveyed = false
    /// Other hosts use another Redis: until all use one again, none is believed. The era in which that was found.
    private(set) var disputedIn: Int64?
    private(set) var identifiedAt: Instant
    /// When other hosts were first seen to name other data since, and which; they are to name it again.
    private var strangeSince: Instant?
    private var strange: Set<String> = []
    /// By the last survey under this data no other living host has named any else.
    private(set) var isUnanimous = false
    private var foreign: ForeignMarker?
    /// The token of the last generation, by which messages are told from those of another.
    private(set) var token: String?

    /// When Redis' data was last lost sight of.
    private var lostAt: Instant?

    init(now: Instant) {
        identifiedAt = now
    }

    /// Rows of `cache_repairs` that earlier transactions than this noted need no repair: what they say was committed
    /// before the first counter of this generation was read from PostgreSQL. 0: unknown.
    var settledBefore: Int64 { generation?.snapshot.least ?? 0 }

    /// `isMade`: by this host, just now.
    mutating func identified(_ generation: Generation, isMade: Bool = false, now: Instant) {
        if let found = foreign, found.generation.database.isSameDatabase(generation.database) {
            // It was this host that was behind.
            foreign = nil
        } else if isMade, foreign?.generation.server == generation.server {
            foreign?.isReplaced = true
        }
        self.generation = generation
        identifiedAt = now
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strangeSince = nil
        token = generation.token
    }

    /// Whether what is known to be missing is no help any more, if it is this generation's at all: while Redis was away
    /// from here for long, other hosts have repaired it.
    func isOutdated(by generation: Generation, now: Instant) -> Bool {
        generation.token != token || lostAt.map { now.ms(since: $0) > Limits.repairRowsSeenMs } ?? true
    }

    mutating func lose(now: Instant) {
        if generation != nil { lostAt = now }
        generation = nil
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strangeSince = nil
    }

    /// What the last generation's counters were of is over: messages of it are not heard any more.
    mutating func disown(now: Instant) {
        disownedToken = token
        lose(now: now)
        token = nil
    }

    mutating func misfit(_ marker: String) { unfit = marker }

    enum Agreement {
        /// All hosts that have Redis use the same data.
        case agreed
        /// Some use other data than this host: look at the marker, and ask again in a while.
        case unclear
        /// They still do: nobody is to believe either.
        case disputed
        case stillDisputed
        /// They did, and do not any more; `era`: when that was found.
        case settled(era: Int64)
    }

    /// How old a sign of life may be, in milliseconds, to say what its host uses now: one from before this host knew
    /// its own data may be of a host that has died. One that followed soon may be of a host that had not heard of it.
    func freshMs(now: Instant) -> Int64 {
        max(0, now.ms(since: strangeSince?.adding(ms: Limits.disputeConfirmMs) ?? identifiedAt))
    }

    /// What other hosts use. `era`: the present one.
    mutating func compare(_ survey: Survey, era: Int64, now: Instant) -> Agreement {
        isUnanimous = survey.generations.allSatisfy { $0 == token }
        if isUnanimous { return agree() }
        if disputedIn != nil { return .stillDisputed }
        let fresh = Set(survey.freshGenerations.filter { $0 != token })
        // Others than those from before are not named again.
        guard let strangeSince, fresh.isEmpty || !strange.isDisjoint(with: fresh) else {
            if fresh.isEmpty { return agree() }
            self.strangeSince = now
            strange = fresh
            return .unclear
        }
        if !fresh.isEmpty, now.ms(since: strangeSince) >= Limits.disputeConfirmMs {
            disputedIn = era
            return .disputed
        }
        // A host that lives would have named it again.
        let waitMs = Limits.disputeConfirmMs + Limits.surveyMs + Limits.lateSignMs
        return now.ms(since: strangeSince) < waitMs ? .unclear : agree()
    }

    /// Another database's marker was found. Whether it was found on that server before, in the time that is
    /// remembered, and has come back although this host has made its own there.
    mutating func isBack(_ found: Generation, now: Instant) -> Bool {
        let known = foreign.flatMap { $0.isRemembered(now: now) && $0.isOfTheHosts(of: found) ? $0 : nil }
        let isBack = known?.isReplaced ?? false
        let isSilent = known?.generation.token == found.token
        foreign = ForeignMarker(
            generation: found, livedAt: isSilent ? known?.livedAt ?? now : now, isReplaced: isBack)
        return isBack
    }

    /// A host that uses this data wrote to Redis.
    mutating func heard(foreign token: String, now: Instant) {
        if foreign?.generation.token == token { foreign?.livedAt = now }
    }

    /// What others use is this host's as well, or does not matter.
    @discardableResult
    mutating func agree() -> Agreement {
        strangeSince = nil
        isSurveyed = true
        guard let found = disputedIn else { return .agreed }
        disputedIn = nil
        return .settled(era: found)
    }

    /// As if no other host had named other data.
    mutating func agreeUnseen() {
        isUnanimous = true
        agree()
    }

    /// Whether what is in Redis may be read, as far as other hosts are concerned.
    var isAgreed: Bool { isSurveyed && disputedIn == nil }

    func checkInvariants() {
        precondition(generation == nil || token == generation?.token, "messages are told by the token of the data")
        precondition(!isSurveyed || generation != nil, "other hosts use the same data as none")
        precondition(generation == nil || unfit == nil, "data that is identified fits")
        precondition(disownedToken == nil || generation?.token != disownedToken, "disowned data is not believed")
    }
}

/// Another database's marker that was found instead of this one's.
private struct ForeignMarker {
    var generation: Generation
    /// When something last spoke for hosts that use it: it was made, or they were heard to write.
    var livedAt: Instant
    /// This host has put its own there since.
    var isReplaced: Bool

    func isRemembered(now: Instant) -> Bool { now.ms(since: livedAt) < Limits.foreignMemoryMs }

    func isOfTheHosts(of other: Generation) -> Bool {
        generation.database.isSameDatabase(other.database) && generation.server == other.server
    }
}
