import LikesProtocol

// Turns, time, deadlines, and the end.
extension Core {
    /// Opens the backends' connections.
    package mutating func start(_ turn: inout Turn) { tick(&turn) }

    /// The end of one turn of the event loop: sends what gathered.
    package mutating func turnEnded(_ turn: inout Turn) {
        boundCache()
        forgetOldRefusals(now: turn.now)
        // Answers given on the way start what followed them: until nothing more comes of it.
        var known = -1
        while turn.actions.count > known {
            known = turn.actions.count
            dropAnswered()
            sendRepairPass(&turn)
            sendBeat(&turn)
            sendReads(&turn)
            sendDoubts(&turn)
            sendWrites(&turn)
        }
        if let stopBy, !hasStopped {
            let isDone = sessions.waitingCount == 0 && (changes.count == 0 || !lane.isUp)
            let isLeft = lane.isUp && (leavesSomething || calls[.lane] > 0)
            if (isDone && !isLeft) || turn.now >= stopBy {
                hasStopped = true
                lines.flush(&turn)
                turn.append(.stopped)
            }
        }
    }

    /// When `tick` is next wanted; nil: not before something else happens.
    package var nextTick: Instant? {
        var next = deadlines.first?.at
        func consider(_ moment: Instant?) {
            guard let moment else { return }
            next = next.map { min($0, moment) } ?? moment
        }
        for backend in Backend.allCases { consider(self[backend].wakeAt) }
        if lane.isUp, calls[.lane] == 0 {
            consider(laneRow.tendAt.map { max($0, laneRow.tendNotBefore) })
            consider(tellAt)
            consider(laneRow.surveyAt)
            consider(laneRow.doubtAt)
        }
        consider(standbyRetryAt)
        consider(lines.wakeAt)
        if canAskPrimary, calls[.doubt] == 0 { consider(doubts.dueAt) }
        if redis.isUp, subscriber.isUp { consider(heartbeat.nextAt) }
        if safeguards.repairTable, canAskPrimary, trust.generation != nil, trust.pass == nil {
            consider(trust.nextPassAt)
        }
        consider(calls.oldestSent(.redis)?.adding(ms: redisTimeoutMs))
        if let repairAt = repairs.wakeAt, redis.isUp || reader.isUp { consider(repairAt) }
        consider(calls.oldestSent(.lane)?.adding(ms: postgresHungMs))
        consider(calls.oldestSent(.reader)?.adding(ms: postgresHungMs))
        if !hasStopped { consider(stopBy) }
        return next
    }

    /// Time has come to `nextTick`, or past it.
    package mutating func tick(_ turn: inout Turn) {
        // What is left for the next turn is due at once.
        var left = Limits.expiryWeightMax
        while left > 0, let deadline = deadlines.first, deadline.at <= turn.now {
            deadlines.popFirst()
            left -= weight(deadline.holder)
            expire(deadline.holder, &turn)
        }
        repairs.tick(now: turn.now)
        lines.tick(&turn)
        for backend in Backend.allCases { tick(backend, &turn) }
    }

    /// Answer what was accepted, take nothing more, then `.stopped`.
    package mutating func stop(_ turn: inout Turn) {
        guard stopBy == nil else { return }
        stopBy = turn.now.adding(ms: Limits.drainMsMax)
        turn.append(.log(.notice, "stopping: \(sessions.waitingCount) requests under way"))
    }

    private var redisTimeoutMs: Int64 { configuration.redisCallMsMax }

    /// When the reader leaves a standby to look for the primary, which the lane has found.
    private var standbyRetryAt: Instant? {
        guard reader.isUp, isReaderStandby, lane.isUp else { return nil }
        return reader.upSince.adding(ms: Limits.standbyMsMax)
    }

    private var postgresHungMs: Int64 { configuration.requestTimeoutMs + Limits.postgresHungGraceMs }

    private mutating func tick(_ backend: Backend, _ turn: inout Turn) {
        switch self[backend].state {
        case .down(let retryAt):
            guard retryAt <= turn.now else { return }
            self[backend].beginAttempt(now: turn.now)
            turn.append(.connect(backend))
        case .connecting(let giveUpAt):
            guard giveUpAt <= turn.now else { return }
            let next = configuration.unanswered(backend)
            giveUp(
                backend, .unreachable("no answer to the attempt to connect", next: next), &turn)
        case .up where backend == .subscriber: return
        case .up where backend == .reader && standbyRetryAt.map { $0 <= turn.now } ?? false:
            giveUp(backend, .unreachable("a standby, though there is a primary"), &turn)
        case .up:
            let msMax = backend == .redis ? redisTimeoutMs : postgresHungMs
            guard let sent = calls.oldestSent(backend), sent.adding(ms: msMax) <= turn.now else { return }
            // Its fence waits for the standby as well.
            let isAwaited = backend == .lane && laneRow.trouble == .awaitsStandby
            let failure = isAwaited ? .awaitsStandby : BackendFailure.unreachable("no answer for \(msMax) ms")
            giveUp(backend, failure, &turn)
        }
    }

    // MARK: Deadlines

    private func weight(_ holder: Deadline.Holder) -> Int {
        switch holder {
        case .change: 1
        case .read(let ticket): sessions.waiting(ticket)?.weight ?? 1
        }
    }

    private mutating func expire(_ holder: Deadline.Holder, _ turn: inout Turn) {
        switch holder {
        case .read(let ticket):
            guard let waiting = sessions.waiting(ticket) else { return }
            expireRead(ticket, waiting, &turn)
        case .change(let index, let generation):
            guard changes[index].generation == generation, !changes[index].isAnswered else { return }
            expireChange(index, &turn)
        }
    }

    private mutating func expireRead(
        _ ticket: Ticket, _ waiting: Waiting, _ turn: inout Turn
    ) {
        let unavailable = Reply.error(ErrorReply(.unavailable, "PostgreSQL did not answer in time: \(databaseTrouble)"))
        switch waiting {
        case .change, .reload: return
        case .following(let item):
            answer(ticket, unavailable, &turn)
            leaveFetch(item)
        case .count(let item):
            let reply = cache.stale(item).map { Reply.integer($0.count) } ?? unavailable
            answer(ticket, reply, &turn)
            leaveFetch(item)
        case .liked: answer(ticket, unavailable, &turn)
        case .gather:
            guard let gather = gathers[ticket] else { preconditionFailure("a reply of many parts without its parts") }
            guard case .counts(let items) = gather.kind else {
                answer(ticket, unavailable, &turn)
                break
            }
            let known = gather.values.enumerated().compactMap { $1 ?? cache.stale(items[$0])?.count }
            answer(ticket, known.count == items.count ? .integers(known) : unavailable, &turn)
            leaveFetches(gather)
        }
        statistics.deadlinesMissed += 1
    }

    /// Replies; the place in the table is freed by whoever still holds the change.
    private mutating func expireChange(_ index: ChangeIndex, _ turn: inout Turn) {
        changes[index].isAnswered = true
        statistics.deadlinesMissed += 1
        let reply: Reply
        switch changes[index].stage {
        case .following, .admission, .verifying, .held, .queued:
            // Changes behind it go ahead now: they would otherwise be overtaken by later ones of their connection.
            for later in held.removeValue(forKey: index) ?? [] { queue(later) }
            reply = .error(ErrorReply(.unavailable, "PostgreSQL did not answer in time: \(databaseTrouble)"))
        case .sent, .counting:
            reply = .error(
                ErrorReply(.uncertain, "sent to PostgreSQL, no outcome in time: repeat the request, or ask LIKED"))
        case .writingThrough(let due): reply = due
        }
        answer(changes[index].ticket, reply, &turn)
    }

    /// What is to be done about PostgreSQL, in words.
    var databaseTrouble: String { (laneFailure ?? reader.failure)?.text ?? "it is slow or overloaded" }

    /// Answered requests at the head of a queue go, so that queues do not grow while a backend stays away, and the
    /// timer is not armed for them.
    private mutating func dropAnswered() {
        while let deadline = deadlines.first, !isWaiting(deadline.holder) { deadlines.popFirst() }
        if deadlines.count > 2 * (sessions.waitingCount + changes.count) + 65_536 {
            var living = Ring<Deadline>()
            while let deadline = deadlines.popFirst() { if isWaiting(deadline.holder) { living.append(deadline) } }
            deadlines = living
        }
        while let index = laneQueue.first, changes[index].isAnswered {
            laneQueue.popFirst()
            changes.release(index)
        }
        while let index = countQueue.first, changes[index].isAnswered {
            countQueue.popFirst()
            noteCounted(index)
            changes.release(index)
        }
        // A live head must not keep a long tail of those that left: clients may come and go while the reader is away.
        if pairQueue.count > 2 * (sessions.readWeightWaiting + verifyingCount) + 1_024 {
            var living = Ring<PairRead>()
            while let read = pairQueue.popFirst() { if isAsked(read) { living.append(read) } }
            pairQueue = living
        }
        while let read = pairQueue.first, !isAsked(read) { pairQueue.popFirst() }
    }

    /// False: nobody waits for the pair any more; a change in its place is freed.
    private mutating func isAsked(_ read: PairRead) -> Bool {
        switch read.asker {
        case .part(let part): return isWaited(part)
        case .change(let index):
            guard changes[index].isAnswered else { return true }
            verifyingCount -= 1
            changes.release(index)
            for later in held.removeValue(forKey: index) ?? [] { queue(later) }
            return false
        }
    }

    private func isWaiting(_ holder: Deadline.Holder) -> Bool {
        switch holder {
        case .read(let ticket): sessions.waiting(ticket) != nil
        case .change(let index, let generation):
            changes[index].generation == generation && !changes[index].isAnswered
        }
    }
}
