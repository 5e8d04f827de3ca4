import LikesProtocol
import LikesSettings
import LikesStorage

/// What the process reports about itself: counters of what it has done, log lines, and what only the operating system
/// knows.
struct Reports {
    var statistics = Statistics()
    private var lines = RepeatedLines()
    private var statusRates: StatusRates
    private(set) var process = ProcessFacts()
    let versions: VersionFacts
    let startedAt: Instant
    /// PostgreSQL servers that are passed over, and that somebody should see to.
    private(set) var serversPassedOver: [ServerAdvice] = []
    var sentinels = SentinelReports()
    var stalls = Stalls()

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

    /// A request was received.
    mutating func note(_ command: Command) { statistics.requests[command].received += 1 }

    /// A request is answered, in whatever way.
    mutating func note(_ reply: Reply, to command: Command, tookMicroseconds: Int64) {
        statistics.requests[command].took.add(tookMicroseconds)
        guard case .error(let error) = reply else { return }
        statistics.requests[command].failed += 1
        statistics.errors[error.code] += 1
    }

    /// Requests were received and answered in the same turn, with something that was cached.
    mutating func noteAnsweredAtOnce(_ command: Command, times: Int64) {
        guard times > 0 else { return }
        statistics.requests[command].received += times
        statistics.requests[command].took.add(0, times: times)
    }

    /// A change ended, also one whose client is gone.
    mutating func note(_ change: Change, _ reply: Reply, now: Instant) {
        if case .change(let didChange, _) = reply {
            if didChange { statistics.changed += 1 } else { statistics.unchanged += 1 }
        }
        let doneAfter = now.microseconds - change.acceptedAt.microseconds
        for stage in StageTimes.Stage.allCases {
            guard let microseconds = change.times.microseconds(in: stage, doneAfter: doneAfter) else { continue }
            statistics.stages[stage.rawValue].add(microseconds)
        }
    }

    /// A change passed its deadline, in the stage that it had come to.
    mutating func noteExpired(_ change: Change, now: Instant) {
        let after = now.microseconds - change.acceptedAt.microseconds
        for stage in StageTimes.Stage.allCases {
            let microseconds = change.times.microseconds(in: stage, doneAfter: after)
            statistics.stages[stage.rawValue].add(microseconds ?? change.times.microseconds(since: stage, after))
            if microseconds == nil { return }
        }
    }

    /// A batch is sent to PostgreSQL.
    mutating func noteBatch(changes: Int) {
        statistics.batches += 1
        statistics.batchedChanges += Int64(changes)
    }

    /// A call was answered.
    mutating func note(_ purpose: some CallPurpose, sentAt: Instant, now: Instant) {
        let call = purpose.timedAs
        statistics.calls[call].took.add(now.microseconds - sentAt.microseconds)
        let items = purpose.itemsCount
        if items > 0 { statistics.calls[call].items.add(Int64(items)) }
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
            likes: requests[.like].received + requests[.unlike].received,
            counts: requests[.count].received + requests[.mcount].received, now: now)
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
