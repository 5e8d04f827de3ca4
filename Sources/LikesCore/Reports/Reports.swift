import LikesProtocol
import LikesSettings
import LikesStorage

/// What the process reports about itself: counters of what it has done, log lines, and what only the operating system
/// knows.
struct Reports {
    var statistics = Statistics()
    private var lines = RepeatedLines()
    private var statusRates: StatusRates
    private(set) var process = ProcessFacts(residentBytes: 0, userCPUMicroseconds: 0, systemCPUMicroseconds: 0)
    let versions: VersionFacts
    let startedAt: Instant
    /// PostgreSQL servers that are passed over, and that somebody should see to.
    private(set) var serversPassedOver: [ServerAdvice] = []
    var sentinels = SentinelReports()

    init(versions: VersionFacts, now: Instant) {
        self.versions = versions
        startedAt = now
        statusRates = StatusRates(now: now)
    }

    mutating func observe(_ process: ProcessFacts) { self.process = process }

    // MARK: Lines in the log

    var wakeAt: Instant? { lines.wakeAt }

    /// Logs a line that may be repeated often.
    mutating func say(_ kind: RepeatedLines.Kind, _ level: LogLevel, _ text: String, _ turn: inout Turn) {
        lines.add(kind, level, text, &turn)
    }

    mutating func tick(_ turn: inout Turn) { lines.tick(&turn) }

    /// Logs what is held; no more lines will come.
    mutating func flush(_ turn: inout Turn) { lines.flush(&turn) }

    /// PostgreSQL servers that can be reached but must not be used. Replaces the previous list.
    mutating func passOver(_ servers: [ServerAdvice], _ turn: inout Turn) {
        for server in servers where !serversPassedOver.contains(server) {
            turn.log(.warning, "PostgreSQL: \(NextStep.joined(server.reason, server.next))")
        }
        serversPassedOver = servers
    }

    // MARK: Counters

    mutating func note(_ request: Request) {
        let kind: RequestCounts.Kind =
            switch request {
            case .like: .like
            case .unlike: .unlike
            case .count: .count
            case .mcount: .mcount
            case .liked, .mliked: .liked
            case .likes, .likers: .lists
            case .health, .info, .metrics, .reload, .ping, .echo, .quit, .reset, .handshake: .other
            case .invalid: .invalid
            }
        statistics.requests[kind] += 1
    }

    /// A change ended.
    mutating func note(_ reply: Reply, latencyMicroseconds: Int64) {
        switch reply {
        case .change(let didChange, _):
            if didChange { statistics.changed += 1 } else { statistics.unchanged += 1 }
        case .error(let error):
            if error.code == .unavailable { statistics.unavailable += 1 }
            if error.code == .uncertain { statistics.uncertain += 1 }
        default: break
        }
        let bounds = Statistics.latencyBounds
        statistics.changeLatency[bounds.firstIndex { latencyMicroseconds <= $0 } ?? bounds.count] += 1
        statistics.changeLatencySumMicroseconds += latencyMicroseconds
    }

    /// Counts what strangers put into Redis or published.
    mutating func note(_ forgery: Forgery, count: Int) {
        switch forgery {
        case .counter: statistics.forgedCounters += Int64(count)
        case .message: statistics.forgedMessages += Int64(count)
        case .marker: statistics.forgedMarkers += Int64(count)
        }
    }

    /// A connection ended because of something that the server sent.
    mutating func noteUnexpected(_ backend: Backend) {
        switch backend {
        case .redis, .subscriber: statistics.redisUnexpected += 1
        case .lane, .reader, .standby: statistics.databaseUnexpected += 1
        }
    }

    /// Likes and counts per second since the last call.
    mutating func takeRates(now: Instant) -> (likes: Int64, counts: Int64) {
        let requests = statistics.requests
        return statusRates.take(
            likes: requests[.like] + requests[.unlike], counts: requests[.count] + requests[.mcount], now: now)
    }
}

/// What no host of this database has sealed, by where it was found.
enum Forgery: Hashable {
    case counter, message, marker

    var words: String {
        switch self {
        case .counter: "a counter"
        case .message: "a message"
        case .marker: "the marker"
        }
    }
}
