import LikesProtocol

// Turns, time, deadlines, and stopping.
extension Core {
    /// Opens the connections to the backends.
    package mutating func start(_ turn: inout Turn) { tick(&turn) }

    /// One turn of the event loop ends: sends what gathered in it.
    package mutating func turnEnded(_ turn: inout Turn) {
        boundCache()
        redis.forgetOldRefusals(now: turn.now)
        // Answers given here start the requests that follow them. Repeat until nothing new comes.
        var known = -1
        while turn.actions.count > known {
            known = turn.actions.count
            dropAnswered()
            sendRepairPass(&turn)
            sendBeat(&turn)
            sendReads(&turn)
            sendDoubts(&turn)
            sendAdmissions(&turn)
            writeRepairs(&turn)
            sendTellings(&turn)
            sendLane(&turn)
        }
        lookForStalls(&turn)
        let isAnswered = clients.sessions.waitingCount == 0 && (writes.count == 0 || !lane.link.isUp)
        let isLeft = lane.link.isUp && (leavesSomething || !lane.isIdle) || oweTelling
        if clients.shutdown.ends(isDone: isAnswered && !isLeft, now: turn.now) {
            reports.flush(&turn)
            turn.append(.stopped)
        }
        #if DEBUG
            checkInvariants()
        #endif
    }

    /// When `tick` is next needed; nil: not before another event.
    package var nextTick: Instant? {
        var next = clients.nextDeadline
        func consider(_ moment: Instant?) {
            guard let moment else { return }
            next = next.map { min($0, moment) } ?? moment
        }
        for backend in backends { consider(self[backend].wakeAt) }
        if lane.isIdle {
            consider(lane.upkeep.tendAt.map { max($0, lane.upkeep.tendNotBefore) })
            consider(tellAt)
            consider(lane.surveyAt)
            consider(lane.schemaChecks.wakeAt)
        }
        consider(standbyRetryAt)
        consider(standbysWakeAt)
        consider(reports.wakeAt)
        consider(reports.stalls.wakeAt)
        if canAskPrimary, reader.calls[.doubts] == 0 { consider(known.doubts.dueAt) }
        for node in redis.places {
            if isAwake(node) { consider(coherence[node].heartbeat.nextAt) }
            if redis[node].link.isUp, redis[node].calls[.tell] == 0 { consider(coherence[node].tellings.dueAt) }
        }
        if safeguards.repairTable, canAskPrimary, isSomeNodeIdentified, repairs.passes.pass == nil {
            consider(repairs.passes.nextAt)
        }
        if let repairAt = repairs.wakeAt, redis.places.contains(where: { redis[$0].link.isUp }) || reader.link.isUp {
            consider(repairAt)
        }
        for backend in backends { consider(hungAt(backend)) }
        consider(redis.asks.dueAt)
        consider(clients.shutdown.wakeAt)
        return next
    }

    /// `nextTick` has come, or is past.
    package mutating func tick(_ turn: inout Turn) {
        // Deadlines left for the next turn are due at once.
        var left = Limits.expiryWeightMax
        while left > 0, let holder = clients.popDeadline(by: turn.now) {
            left -= clients.weight(holder)
            expire(holder, &turn)
        }
        repairs.tick(now: turn.now)
        reports.tick(&turn)
        askCluster(&turn)
        for backend in backends { tick(backend, &turn) }
    }

    /// Answers what was accepted, takes nothing more, then `.stopped`.
    package mutating func stop(_ turn: inout Turn) {
        guard !clients.shutdown.isAsked else { return }
        clients.shutdown.ask(now: turn.now)
        turn.log(.notice, "stopping: \(Counted.text(clients.sessions.waitingCount, "request")) under way")
    }

    // MARK: Connections

    /// When the reader leaves a standby to look for the primary, which the lane has found.
    private var standbyRetryAt: Instant? {
        guard reader.link.isUp, reader.isStandby, lane.link.isUp else { return nil }
        return reader.link.upSince.adding(ms: Limits.standbyMsMax)
    }

    /// How long a call to the backend may take.
    private func callMsMax(_ backend: Backend) -> Int64 {
        switch backend {
        case .redis, .subscriber: configuration.redisCallMsMax
        case .lane, .reader: configuration.requestTimeoutMs + Limits.postgresHungGraceMs
        case .standby: Limits.standbyCallMsMax
        }
    }

    /// When the backend's oldest call will have taken too long; nil: none is under way.
    private func hungAt(_ backend: Backend) -> Instant? {
        let sentAt =
            switch backend {
            case .redis(let node): redis[node].calls.oldestSentAt
            case .subscriber: nil as Instant?
            case .lane: lane.calls.oldestSentAt
            case .reader: reader.calls.oldestSentAt
            case .standby(let place): reader.standbys[place].calls.oldestSentAt
            }
        return sentAt?.adding(ms: callMsMax(backend))
    }

    private mutating func tick(_ backend: Backend, _ turn: inout Turn) {
        switch self[backend].state {
        case .down(let retryAt):
            guard retryAt <= turn.now else { return }
            self[backend].beginAttempt(now: turn.now)
            turn.append(.connect(backend))
        case .connecting(let giveUpAt):
            guard giveUpAt <= turn.now else { return }
            let next = configuration.unanswered(backend, isClusterNode: backend.isRedis && redis.isCluster)
            giveUp(backend, .unreachable("the connection attempt got no answer", next: next), &turn)
        case .up where backend == .reader && standbyRetryAt.map { $0 <= turn.now } ?? false:
            giveUp(backend, .unreachable("a standby, although a primary is available"), &turn)
        case .up:
            guard let hungAt = hungAt(backend), hungAt <= turn.now else { return }
            // The lane's fence waits for the standby as well.
            let isAwaited = backend == .lane && lane.trouble == .awaitsStandby
            let failure =
                isAwaited ? .awaitsStandby : BackendFailure.unreachable("no answer for \(callMsMax(backend)) ms")
            giveUp(backend, failure, &turn)
        }
    }

    // MARK: Deadlines

    private mutating func expire(_ holder: Deadlines.Holder, _ turn: inout Turn) {
        switch holder {
        case .read(let ticket):
            guard let waiting = clients.sessions.waiting(ticket) else { return }
            expireRead(ticket, waiting, &turn)
        case .change(let index, let incarnation):
            guard writes.changes.isWaited(index, incarnation: incarnation) else { return }
            expireChange(index, &turn)
        }
    }

    private mutating func expireRead(_ ticket: Ticket, _ waiting: Waiting, _ turn: inout Turn) {
        if waiting.awaitsAnswer, reader.asksForClients, let asked = clients.sessions.asked(ticket) {
            reports.stalls.expired(.reading, acceptedAt: asked.at)
        }
        switch waiting {
        case .change, .reload: return
        case .following(let item):
            answer(ticket, unansweredChange(awaitsReader: false), &turn)
            reads.leave([item], clients)
        case .count(let item):
            answer(ticket, staleCount(item).map { .integer($0.count) } ?? unansweredRead, &turn)
            reads.leave([item], clients)
        case .list(_, isAsked: false): answer(ticket, unansweredChange(awaitsReader: false), &turn)
        case .liked, .list: answer(ticket, unansweredRead, &turn)
        case .gather:
            guard let gather = clients.gather(ticket) else {
                preconditionFailure("a reply of many parts without its parts")
            }
            let late = gather.reply { staleCount($0)?.count }
            answer(ticket, late ?? unansweredRead, &turn)
            reads.leave(gather.missingItems, clients)
        }
        reports.statistics.deadlinesMissed += 1
    }

    /// Replies. Whoever still holds the change frees its place in the table.
    private mutating func expireChange(_ index: ChangeIndex, _ turn: inout Turn) {
        let ticket = writes.changes[index].ticket
        reports.statistics.deadlinesMissed += 1
        if let work = writes.changes[index].stage.work {
            reports.stalls.expired(work, acceptedAt: writes.changes[index].acceptedAt)
        }
        reports.noteExpired(writes.changes[index], now: turn.now)
        switch writes.expire(index) {
        case .unavailable:
            answer(ticket, unansweredChange(awaitsReader: writes.changes[index].stage.awaitsReader), &turn)
        case .uncertain:
            let text = "sent to PostgreSQL, but no outcome in time: repeat the request, or ask LIKED"
            answer(ticket, .error(ErrorReply(.uncertain, text)), &turn)
        case .due(let reply): answer(ticket, reply, &turn)
        }
    }

    /// The reply to a read that nobody answered in time. Reads go to the reader. What the lane found says something of
    /// them only while the reader has found nothing yet, and only if it concerns more than changes.
    private var unansweredRead: Reply {
        if let failure = reader.link.failure { return Self.unanswered(because: failure) }
        let found = reader.link.isUp ? nil : lane.failure
        return Self.unanswered(because: found.flatMap { $0.stopsOnlyChanges ? nil : $0 })
    }

    /// The reply to a change that was not sent in time, or to a read behind one. Changes go to the lane: once that is
    /// up, what the reader found concerns only those that wait for the reader first.
    private func unansweredChange(awaitsReader: Bool) -> Reply {
        let found = awaitsReader || !lane.link.isUp ? reader.link.failure : nil
        return Self.unanswered(because: lane.failure ?? found)
    }

    /// PostgreSQL may well have answered at once, and only refused: where that is known, it is said.
    private static func unanswered(because failure: BackendFailure?) -> Reply {
        let text = failure?.refusal ?? "PostgreSQL did not answer in time: it is slow or overloaded"
        return .error(ErrorReply(.unavailable, text))
    }

    /// Drops answered requests at the heads of queues. So queues do not grow while a backend stays away, and the timer
    /// is not armed for them.
    private mutating func dropAnswered() {
        clients.dropAnsweredDeadlines(writes.changes)
        writes.dropAnswered()
        if reads.primaryCount > 0 { for index in dropUnaskedReads() { writes.forgetConfirmation(index) } }
    }

    /// Apart, so that its copies of the tables are gone before any of them changes.
    private mutating func dropUnaskedReads() -> [ChangeIndex] {
        let (clients, changes) = (clients, writes.changes)
        let askersMax = clients.sessions.readWeightWaiting + writes.confirmations.count
        return reads.dropUnasked(askersMax: askersMax) { read in
            switch read {
            case .list(let read): return clients.sessions.waiting(read.ticket) != nil
            case .pair(let read):
                switch read.asker {
                case .part(let part): return clients.isWaited(part)
                case .change(let index): return !changes[index].isAnswered
                }
            }
        }
    }
}
