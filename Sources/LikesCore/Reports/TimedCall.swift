/// What calls to PostgreSQL and Redis are timed and measured as.
enum TimedCall: Int, CaseIterable {
    case commit, laneOther
    case counts, pairs, lists, readerOther
    case standbyCounts, standbyOther
    case redisAdmission, redisRead, redisWrite, redisOther

    /// Whether it is about something that is counted.
    var hasItems: Bool {
        switch self {
        case .commit, .counts, .pairs, .lists, .standbyCounts, .redisAdmission, .redisRead, .redisWrite: true
        case .laneOther, .readerOther, .standbyOther, .redisOther: false
        }
    }

    /// As METRICS and INFO name it.
    var backend: String {
        switch self {
        case .commit, .laneOther: "writing"
        case .counts, .pairs, .lists, .readerOther: "reading"
        case .standbyCounts, .standbyOther: "standby"
        case .redisAdmission, .redisRead, .redisWrite, .redisOther: "redis"
        }
    }

    /// As METRICS and INFO name it, beside the backend.
    var call: String {
        switch self {
        case .commit: "commit"
        case .counts, .standbyCounts: "counts"
        case .pairs: "pairs"
        case .lists: "lists"
        case .redisAdmission: "admission"
        case .redisRead: "read"
        case .redisWrite: "write"
        case .laneOther, .readerOther, .standbyOther, .redisOther: "other"
        }
    }
}

/// How long calls took that were answered, and how much each asked for.
struct CallFigures {
    struct Figures {
        /// From the call to its answer, in microseconds.
        var took = Histogram()
        /// Changes, counters, pairs or lists.
        var items = Histogram()
    }

    private var figures = ContiguousArray(repeating: Figures(), count: TimedCall.allCases.count)

    subscript(_ call: TimedCall) -> Figures {
        _read { yield figures[call.rawValue] }
        _modify { yield &figures[call.rawValue] }
    }
}
