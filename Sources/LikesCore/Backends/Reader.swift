import LikesProtocol
import LikesStorage

/// The connections that read from PostgreSQL, and the calls under way on them: one for everything, and one for each
/// standby that answers counts.
struct Reader {
    var link: Link
    var calls = Calls<ReaderPurpose>()
    var standbys: Standbys
    /// The server follows a primary, and may lag behind it.
    private(set) var isStandby = false

    init(standbys: Int, now: Instant) {
        link = Link(connectMsMax: Limits.postgresConnectMsMax, now: now)
        self.standbys = Standbys(count: standbys, now: now)
    }

    /// Whether the reader sees everything that was acknowledged.
    var seesPrimary: Bool { link.isUp && !isStandby }

    /// Whether it has been asked for something that a client waits for, and has not answered.
    var asksForClients: Bool { calls[.counts] + calls[.pairs] + calls[.lists] > 0 }

    mutating func call(_ purpose: ReaderPurpose, _ request: ReaderRequest, _ turn: inout Turn) {
        turn.append(.reader(calls.begin(purpose, now: turn.now), request))
    }

    mutating func connected(isStandby: Bool, now: Instant) {
        link.connected(now: now)
        self.isStandby = isStandby
    }

    func checkInvariants() {
        calls.checkInvariants()
        precondition(link.isUp || calls.isEmpty, "the reader's calls end with its connection")
        standbys.checkInvariants()
    }
}

/// What a call on the reader is for.
enum ReaderPurpose: CallPurpose {
    /// Counts that the caches lack.
    case fetches([Item], WritePermit)
    /// The counts for committed changes that still lack theirs.
    case owedCounts([ChangeIndex], WritePermit)
    /// PostgreSQL's state of the counters to repair.
    case repair(Repairs.PageNumber, on: NodePlace, count: Int, WritePermit)
    /// Counters for which this host heard of a newer version than PostgreSQL had, and the era in which it heard.
    case doubts([Doubt], era: Int64)
    case pairs([PairRead], WritePermit)
    case lists([ListRead])
    /// A chunk of `cache_repairs`.
    case repairPass
    /// Where the primary's log ends.
    case position(LaneSight, askedAt: Instant)

    enum Kind: Int, CaseIterable {
        /// Counts that a client waits for.
        case counts
        case repair, doubts, pairs, lists, repairPass, position
    }

    var kind: Kind {
        switch self {
        case .fetches, .owedCounts: .counts
        case .repair: .repair
        case .doubts: .doubts
        case .pairs: .pairs
        case .lists: .lists
        case .repairPass: .repairPass
        case .position: .position
        }
    }

    /// Whether a client waits for the answer.
    var isForClients: Bool {
        switch self {
        case .fetches, .owedCounts, .pairs, .lists: true
        case .repair, .doubts, .repairPass, .position: false
        }
    }

    var timedAs: TimedCall {
        switch self {
        case .fetches, .owedCounts: .counts
        case .pairs: .pairs
        case .lists: .lists
        case .repair, .doubts, .repairPass, .position: .readerOther
        }
    }

    /// An answer with another number of elements than was asked for is a misfit.
    func checked(_ answer: ReaderAnswer) -> ReaderAnswer {
        switch answer {
        case .countersSelected(let counters) where counters.count != itemsCount:
            .misfit(.otherNumber(of: "counters"))
        case .pairsSelected(let states) where states.count != itemsCount: .misfit(.otherNumber(of: "pairs"))
        case .listsSelected(let pages) where pages.count != itemsCount: .misfit(.otherNumber(of: "lists"))
        default: answer
        }
    }

    var itemsCount: Int {
        switch self {
        case .fetches(let items, _): items.count
        case .owedCounts(let changes, _): changes.count
        case .repair(_, _, let count, _): count
        case .doubts(let doubts, _): doubts.count
        case .pairs(let reads, _): reads.count
        case .lists(let reads): reads.count
        case .repairPass, .position: 0
        }
    }
}
