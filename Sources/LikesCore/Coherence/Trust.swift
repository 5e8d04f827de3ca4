import LikesStorage

/// How far the data in Redis is believed. It may be written once it is identified as belonging to this server's life
/// and this past of the database. It may be read (see also `RepairPasses`) once other hosts were seen to use the same
/// data.
struct Trust {
    private(set) var generation: Generation?
    /// A marker that does not fit; empty: there is none. The database is looked at again, since this host may be the
    /// one that is behind. Only then is another marker made instead.
    private(set) var unfit: String?
    /// Data under this token belongs to a past that is over.
    private(set) var disownedToken: String?
    /// Since the data was identified, other hosts were seen to use it too.
    private(set) var isSurveyed = false
    private(set) var dispute: Dispute?
    private(set) var identifiedAt: Instant
    /// Other data that other hosts name. Each has to name it again: many wake up from a pause and name once what they
    /// used before it.
    private var strange: [NamedData: Sighting] = [:]
    /// In the last survey under this data, no other living host named other data.
    private(set) var isUnanimous = false
    private var foreign: ForeignMarker?
    /// The token of the last generation, which tells its messages from others.
    private(set) var token: String?

    /// When this host last lost sight of Redis' data.
    private var lostAt: Instant?
    private var last: Generation?

    /// Other hosts were found to use another Redis. No Redis is believed until all hosts use one again.
    struct Dispute: Equatable {
        /// When that was found, and the data in use then.
        let era: Int64
        let token: String?
    }

    init(now: Instant) {
        identifiedAt = now
    }

    /// `Generation.snapshot.next` of the last data that was not disowned; nil: there was none.
    var madeBefore: Int64? { token == nil ? nil : last?.snapshot.next }

    /// Whether the data was made before the last that this host used. Then it was dropped since, and lacks changes.
    func isPast(_ found: Generation) -> Bool { last.map { found.isOlder(than: $0) } ?? false }

    /// `Generation.server` of the last data; nil: there was none.
    var server: String? { last?.server }

    /// Rows of `cache_repairs` noted by transactions before this one need no repair: their changes were committed
    /// before the first counter of this generation was read from PostgreSQL. 0: unknown.
    var settledBefore: Int64 { generation?.snapshot.least ?? 0 }

    /// `isMade`: this host made the marker just now.
    mutating func identified(_ generation: Generation, isMade: Bool = false, now: Instant) {
        if let found = foreign, found.generation.database.isSameDatabase(generation.database) {
            // This host was the one that was behind.
            foreign = nil
        } else if isMade, foreign?.generation.server == generation.server {
            foreign?.isReplaced = true
        }
        self.generation = generation
        identifiedAt = now
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strange = [:]
        token = generation.token
        last = generation
    }

    /// Whether what is known to be missing is of no more use, if it belongs to this generation at all: Redis was out of
    /// this host's reach for so long that other hosts have repaired it.
    func isOutdated(by generation: Generation, now: Instant) -> Bool {
        generation.token != token || lostAt.map { now.ms(since: $0) > Limits.repairRowsSeenMs } ?? true
    }

    mutating func lose(now: Instant) {
        if generation != nil { lostAt = now }
        generation = nil
        unfit = nil
        isSurveyed = false
        isUnanimous = false
        strange = [:]
    }

    /// The past that the last generation's counters belong to is over. Its messages are not heard any more.
    mutating func disown(now: Instant) {
        // A second reason may come before other data is found.
        if let token { disownedToken = token }
        lose(now: now)
        token = nil
    }

    mutating func misfit(_ marker: String) { unfit = marker }

    enum Agreement: Equatable {
        /// All hosts that have Redis use the same data.
        case agreed
        /// Some hosts use other data than this host: read the marker, and ask again in a while.
        case unclear
        /// They still do: no host should believe either.
        case disputed
        case stillDisputed
        /// They did, and no longer do.
        case agreedAgain(Dispute)
    }

    /// Other data than this host's, named by a host that lives.
    struct NamedData: Hashable {
        /// `LaneNumber.process`.
        let process: Int64
        let token: String
    }

    /// A sign of life that named other data.
    private struct Sighting {
        var signedAt: Instant
        /// When this host heard of it.
        var seenAt: Instant
    }

    /// A living host that named other data names it again within this time.
    private static let namedAgainMs = Limits.disputeConfirmMs + Limits.surveyMs + Limits.lateSignMs

    /// What a survey says of other hosts.
    struct Others {
        /// The processes that it tells of.
        var processes: Set<Int64> = []
        /// With the latest sign of life that says so.
        var named: [NamedData: Instant] = [:]

        mutating func add(_ named: NamedData, signedAt: Instant) {
            self.named[named] = max(signedAt, self.named[named] ?? signedAt)
        }
    }

    /// Takes in which other data other hosts use. `era`: the present one.
    mutating func compare(_ others: Others, era: Int64, now: Instant) -> Agreement {
        // A survey need not tell of all hosts.
        strange = strange.filter { named, sighting in
            others.processes.contains(named.process) ? others.named[named] != nil : isAwaited(sighting, now: now)
        }
        isUnanimous = others.named.isEmpty
        if isUnanimous { return agree() }
        if dispute != nil { return .stillDisputed }
        if note(others, now: now) {
            dispute = Dispute(era: era, token: token)
            return .disputed
        }
        return strange.values.contains { isAwaited($0, now: now) } ? .unclear : agree()
    }

    /// Returns whether a host names again what it named before. However long a survey takes, the signs of life that it
    /// tells of are as far apart as they were.
    private mutating func note(_ others: Others, now: Instant) -> Bool {
        var isNamedAgain = false
        for (named, signedAt) in others.named {
            if let first = strange[named] {
                let apartMs = signedAt.ms(since: first.signedAt)
                guard apartMs >= Limits.disputeConfirmMs else { continue }
                isNamedAgain = isNamedAgain || apartMs < Self.namedAgainMs
                strange[named] = Sighting(signedAt: signedAt, seenAt: now)
            } else if signedAt >= identifiedAt {
                // One from before may be from a host that has died.
                strange[named] = Sighting(signedAt: signedAt, seenAt: now)
            }
        }
        return isNamedAgain
    }

    private func isAwaited(_ sighting: Sighting, now: Instant) -> Bool {
        now.ms(since: sighting.seenAt) < Self.namedAgainMs
    }

    /// Another database's marker was found. Returns whether it was found on that server before, recently enough to be
    /// remembered, and is back although this host has made its own marker there.
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

    /// Other hosts use the same data as this host, or the difference does not matter.
    @discardableResult
    mutating func agree() -> Agreement {
        isSurveyed = true
        guard let found = dispute else { return .agreed }
        dispute = nil
        return .agreedAgain(found)
    }

    /// As if no other host had named other data.
    mutating func agreeUnseen() {
        isUnanimous = true
        agree()
    }

    /// Whether other hosts' use of Redis allows this host to read it.
    var isAgreed: Bool { isSurveyed && dispute == nil }

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
    /// When there was last a sign of hosts that use it: it was made, or they were heard to write.
    var livedAt: Instant
    /// This host has since put its own marker there.
    var isReplaced: Bool

    func isRemembered(now: Instant) -> Bool { now.ms(since: livedAt) < Limits.foreignMemoryMs }

    func isOfTheHosts(of other: Generation) -> Bool {
        generation.database.isSameDatabase(other.database) && generation.server == other.server
    }
}
