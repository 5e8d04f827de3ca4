import LikesProtocol

// When PostgreSQL is connected, and does nothing.
extension Core {
    /// At the end of each turn, once what is answered is dropped.
    mutating func lookForStalls(_ turn: inout Turn) {
        for work in Stalls.Work.allCases {
            let (isUp, isAsked) =
                switch work {
                case .storing: (lane.isHealthy, lane.calls[.commit] > 0)
                case .reading: (canAskPrimary, reader.asksForClients)
                }
            let news = reports.stalls.look(
                work, oldestAt: oldestWait(for: work), isAsked: isAsked, isUp: isUp, now: turn.now)
            if let news { tell(news, &turn) }
        }
    }

    /// PostgreSQL stored changes, or read something that a client waits for.
    mutating func progressed(_ work: Stalls.Work, now: Instant) { reports.stalls.done(work, now: now) }

    /// When the oldest request was accepted that waits for the work. Only the oldest change and the oldest read are
    /// looked at: those behind them have not waited longer.
    private func oldestWait(for work: Stalls.Work) -> Instant? {
        var oldest: Instant?
        if let index = clients.oldestChange, writes.changes[index].stage.work == work {
            oldest = writes.changes[index].acceptedAt
        }
        // A read that waits for Redis alone is none of PostgreSQL's.
        if work == .reading, reader.asksForClients, let ticket = clients.oldestRead,
            let read = clients.sessions.asked(ticket),
            clients.sessions.waiting(ticket)?.awaitsAnswer ?? false
        {
            oldest = min(oldest ?? read.at, read.at)
        }
        return oldest
    }

    private mutating func tell(_ news: Stalls.News, _ turn: inout Turn) {
        switch news {
        case .began(let work, let stall):
            let text = NextStep.joined(stalled(work, stall, now: turn.now), Self.stallAdvice)
            say(.stall(work), .warning, "PostgreSQL: \(text)", &turn)
        case .ended(let work, let stall, let isDone):
            let work = work == .storing ? "stores changes" : "reads"
            let seconds = Self.tenths((stall.doneAt ?? turn.now).ms(since: stall.since))
            let expired = "\(Self.grouped(stall.expired)) \(Counted.noun("request", Int(stall.expired)))"
            let text =
                isDone
                ? "PostgreSQL \(work) again after \(seconds) s; \(expired) got no answer in time"
                : "nobody waits any more; it is not known whether PostgreSQL \(work) again, after \(seconds) s in "
                    + "which \(expired) got no answer in time"
            say(.stall(news.work), .notice, text, &turn)
        }
    }

    /// What HEALTH says of it.
    func stalled(_ work: Stalls.Work, _ stall: Stalls.Stall, now: Instant) -> String {
        let (noun, done, count) =
            switch work {
            case .storing: ("change", "stored", writes.count)
            case .reading: ("read", "answered", clients.sessions.waitingCount)
            }
        let seconds = Self.tenths(now.ms(since: stall.since))
        let what =
            reports.stalls.isSlow(work)
            ? "\(noun)s are \(done) too slowly for \(seconds) s" : "no \(noun) was \(done) for \(seconds) s"
        let expired =
            stall.expired == 0 ? "" : ", and \(Self.grouped(stall.expired)) got no answer in time"
        guard let oldestMs = reports.stalls.oldestMs(work, now: now) else {
            return "\(what)\(expired)"
        }
        let waiting = "\(Self.grouped(Int64(count))) \(count == 1 ? "request waits" : "requests wait")"
        return "\(what): \(waiting), the oldest for \(Self.tenths(oldestMs)) s\(expired)"
    }

    /// Where to look.
    static let stallAdvice =
        "run SELECT pid, pg_blocking_pids(pid), wait_event_type, wait_event, left(query, 60) FROM pg_stat_activity "
        + "WHERE state <> 'idle'"

    static func tenths(_ milliseconds: Int64) -> String { "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100)" }
}

extension ChangeStage {
    /// What PostgreSQL is to do for it; nil: it waits for something else.
    var work: Stalls.Work? {
        switch self {
        case .queued, .sent: .storing
        case .confirming, .held, .counting: .reading
        case .following, .admission, .writingThrough: nil
        }
    }
}

extension Waiting {
    /// Whether it waits for Redis or PostgreSQL, not for another request.
    var awaitsAnswer: Bool {
        switch self {
        case .count, .liked, .gather, .list(_, isAsked: true): true
        case .change, .following, .list(_, isAsked: false), .reload: false
        }
    }
}
