import LikesProtocol

// Connections to Redis and PostgreSQL: coming, going, failing.
extension Core {
    package mutating func redisConnected(_ turn: inout Turn) {
        redis.connected(now: turn.now)
        say(.connection(.redis), .notice, "\(Self.name(.redis)) connected", &turn)
        redisRefusals = [:]
        repairs.retryNow()
        heartbeat.restart(now: turn.now)
        verifyRedis(&turn)
    }

    /// `backend`: the lane or the reader.
    package mutating func databaseConnected(
        _ backend: Backend, _ facts: DatabaseFacts, _ turn: inout Turn
    ) {
        self[backend].connected(now: turn.now)
        say(.connection(backend), .notice, "\(Self.name(backend)) connected", &turn)
        if backend == .reader { isReaderStandby = facts.history == nil }
        if canAskPrimary, hasBelievedAged {
            cache.expireAll()
            hasBelievedAged = false
        }
        // Whatever is at the other end now, this host is to say that it lives, and to look which database it is.
        if backend == .lane {
            laneRow.surveyAt = turn.now
            laneRow.schemaChecked(now: turn.now)
        }
        if let seals = facts.seals { learn(seals, askedAt: self[backend].attemptAt, &turn) }
        guard let history = facts.history else { return }
        // Where the tables are others, all that was cached is dropped in any case.
        let isRenumbered = backend == .lane && facts.hasOtherTypes && past.history == history
        learn(history, of: backend, &turn)
        if isRenumbered { goBack("item types have other numbers", &turn) }
    }

    /// Servers of PostgreSQL that are there, and are not to be used: in place of those said before.
    package mutating func serversPassedOver(_ servers: [ServerAdvice], _ turn: inout Turn) {
        for server in servers where !serversPassedOver.contains(server) {
            turn.append(.log(.warning, "PostgreSQL: \(server.reason); next: \(server.next)"))
        }
        serversPassedOver = servers
    }

    /// The connection could not be made or went away. Its calls under way are gone with it.
    package mutating func lost(
        _ backend: Backend, _ failure: BackendFailure, _ turn: inout Turn
    ) {
        let wasUp = self[backend].isUp
        let isUnexpected = if case .unexpected = failure { true } else { false }
        if isUnexpected { heardUnexpected(backend) }
        if self[backend].lost(failure, now: turn.now, random: jitter.next()) {
            let text = "\(Self.name(backend)) lost: \(failure.text)"
            let kind = isUnexpected ? RepeatedLines.Kind.unexpected(backend) : .connection(backend)
            say(kind, .warning, text, &turn)
        }
        switch backend {
        case .redis: trust.lose(now: turn.now)
        case .lane:
            laneRow.epoch = nil
            laneRow.trouble = failure
        case .reader:
            // Its new connection has looked at the tables, and the lane's may have other rows under it than before.
            if case .schema = failure { laneRow.checkSchemaSoon(now: turn.now) }
        case .subscriber: break
        }
        let unanswered = calls.giveUp(backend)
        if wasUp, case .readCounters(let items, _, _)? = unanswered.first { setWithoutReading(items) }
        for call in unanswered { abandon(call, &turn) }
        switch backend {
        case .redis: repairs.rereadAll()
        case .subscriber: if wasUp { doubtMessages() }
        case .lane: for index in parked.takeAll().reversed() { laneQueue.prepend(index) }
        case .reader: readerLost(&turn)
        }
    }

    /// The connection to Redis ended, most likely over these: one of the values may be too large to be read in time, or
    /// at all, and would be so each time. To set it needs no look.
    private mutating func setWithoutReading(_ items: [Item]) {
        guard safeguards.repairs, canAskPrimary, !repairs.isFull else { return }
        repairs.reread(items)
    }

    private mutating func readerLost(_ turn: inout Turn) {
        serveStale(fetches.queuedForDatabase(), &turn)
        var reads = Ring<PairRead>()
        while let read = pairQueue.popFirst() {
            if case .change(let index) = read.asker { verifyInLane(index) } else { reads.append(read) }
        }
        pairQueue = reads
    }

    /// Redis did not do it.
    package mutating func redisCallFailed(
        _ call: CallID, _ failure: RedisFailure, _ turn: inout Turn
    ) {
        guard let given = calls.end(call) else { return }
        statistics.redisErrors += 1
        abandon(given, &turn)
        switch failure {
        case .late: return
        case .misfit(let misfit):
            guard redis.isUp else { return }
            giveUp(.redis, .unexpected(misfit.text), &turn)
        case .otherGeneration:
            guard redis.isUp else { return }
            giveUp(.redis, .unreachable("its data was replaced: verifying it anew"), &turn)
        case .refused(let message):
            guard let task = given.redisTask else { preconditionFailure("not a call to Redis") }
            if task == .verifying {
                giveUp(.redis, .unreachable("its data can't be verified: \(message)"), &turn)
            } else {
                noteRefusal(message, of: task, &turn)
            }
        }
    }

    /// What Redis does not do while it does the rest is shown in HEALTH, and logged when it is news.
    mutating func noteRefusal(
        _ message: String?, of task: RedisTask, _ turn: inout Turn
    ) {
        if let message, redisRefusals[task]?.message != message {
            let text = "Redis refuses \(task.rawValue): \(message)"
            say(.refusedByRedis(task), .warning, text, &turn)
        }
        redisRefusals[task] = message.map { RedisRefusal(message: $0, at: turn.now) }
    }

    /// A host at rest asks for nothing by which it would learn that Redis does it again.
    mutating func forgetOldRefusals(now: Instant) {
        guard !redisRefusals.isEmpty else { return }
        redisRefusals = redisRefusals.filter { now.ms(since: $0.value.at) < Limits.refusalShownMs }
    }

    /// PostgreSQL answered the call with an error: proven to have changed nothing.
    package mutating func statementFailed(
        _ call: CallID, _ failure: StatementFailure, _ turn: inout Turn
    ) {
        guard let given = calls.end(call) else { return }
        statistics.databaseErrors += 1
        let backend = given.backend
        switch failure {
        case .retryable: retry(given, &turn)
        case .readOnly(let text):
            requeue(given, now: turn.now)
            giveUp(backend, .readOnly(text), &turn)
        case .schema(let text):
            requeue(given, now: turn.now)
            giveUp(backend, .schema(text), &turn)
        case .rows(let text):
            let line = "PostgreSQL refused what a statement holds: \(text)"
            say(.refusedRows, .error, line, &turn)
            // It may be the tables: a partition or a default that is missing, a trigger.
            laneRow.checkSchemaSoon(now: turn.now)
            if case .commit(let sent) = given, sent.batch.pairsCount > 1 { return takeApart(sent) }
            refuse(given, "PostgreSQL refused: \(text)", &turn)
        case .permission(let text, let next):
            let line = "PostgreSQL refused a statement: \(text); next: \(next)"
            say(.refusedStatement, .error, line, &turn)
            switch given {
            case .fence:
                giveUp(backend, .schema("the lane can't be opened: \(text)", next: next), &turn)
            case .checkSchema:
                giveUp(backend, .schema("the tables can't be looked at: \(text)", next: next), &turn)
            default:
                // The look says which rights are missing, and ends the connections until they are there.
                laneRow.checkSchemaSoon(now: turn.now)
                refuse(given, "PostgreSQL refused: \(text); next: \(next)", &turn)
            }
        case .other(let text):
            say(.refusedStatement, .error, "PostgreSQL refused a statement: \(text)", &turn)
            refuse(given, "PostgreSQL refused: \(text)", &turn)
        }
    }

    /// Closes a connection that is of no use, and counts as lost.
    mutating func giveUp(
        _ backend: Backend, _ failure: BackendFailure, _ turn: inout Turn
    ) {
        turn.append(.disconnect(backend))
        lost(backend, failure, &turn)
    }

    /// Both connections to PostgreSQL: what they have learnt of the tables does not hold.
    mutating func giveUpDatabase(_ failure: BackendFailure, _ turn: inout Turn) {
        giveUp(.lane, failure, &turn)
        if !reader.isDown { giveUp(.reader, failure, &turn) }
    }

    subscript(_ backend: Backend) -> Link {
        get {
            switch backend {
            case .redis: redis
            case .subscriber: subscriber
            case .lane: lane
            case .reader: reader
            }
        }
        set {
            switch backend {
            case .redis: redis = newValue
            case .subscriber: subscriber = newValue
            case .lane: lane = newValue
            case .reader: reader = newValue
            }
        }
    }

    static func name(_ backend: Backend) -> String {
        switch backend {
        case .redis: "Redis"
        case .subscriber: "Redis (subscription)"
        case .lane: "PostgreSQL (writing)"
        case .reader: "PostgreSQL (reading)"
        }
    }

    // MARK: Calls without an answer

    /// The call's connection is gone, or Redis refused it: go on without.
    mutating func abandon(_ call: Call, _ turn: inout Turn) {
        switch call {
        case .admission(let admitted):
            for index in admitted { admitLocally(index, &turn) }
        case .readCounters(let items, _, _):
            for item in items { moveToDatabase(item) }
            serveStale(items, &turn)
        case .repair(let page, _, _): repairs.writeFailed(page, now: turn.now)
        case .writeThrough(let written, let counters, _):
            noteMissing(counters, now: turn.now)
            finishWritten(written, &turn)
        case .verify: repairs.verified(isNew: false)
        case .fill, .drop, .fence, .survey, .checkSchema: return
        case .commit(let sent): laneRow.unresolved = sent
        case .tend(let request): tendingFailed(request, now: turn.now)
        case .selectRepairs: endRepairPass(isWhole: false, now: turn.now)
        case .selectCounters, .selectPairs: requeue(call, now: turn.now)
        }
    }

    /// Proven to have changed nothing, or only reading: back into its queue, in order.
    private mutating func requeue(_ call: Call, now: Instant) {
        switch call {
        case .verify, .admission, .readCounters, .writeThrough, .repair, .fill, .drop:
            preconditionFailure("calls to Redis are not sent again")
        case .fence, .checkSchema: return
        case .survey: laneRow.surveyAt = max(laneRow.surveyAt, now.adding(ms: Limits.surveyMs))
        case .commit(let sent): requeue(sent)
        case .tend(let request): tendingFailed(request, now: now)
        case .selectRepairs: endRepairPass(isWhole: false, now: now)
        case .selectCounters(.fetches(let items, _)):
            for item in items { moveToDatabase(item) }
        case .selectCounters(.repairs(let page, _, _)): repairs.readFailed(page, now: now)
        // What is contradicted will be so again.
        case .selectCounters(.doubts): return
        case .selectCounters(.changes(let owing, _)):
            for index in owing.reversed() { countQueue.prepend(index) }
        case .selectPairs(let reads, _):
            for read in reads.reversed() {
                if case .part = read.asker { pairQueue.prepend(read) }
            }
            for read in reads {
                // A LIKE is as safe in the lane; it need not wait for the reader.
                guard case .change(let index) = read.asker else { continue }
                verifyInLane(index)
            }
        }
    }

    private mutating func verifyInLane(_ index: ChangeIndex) {
        verifyingCount -= 1
        queue(index)
        for later in held.removeValue(forKey: index) ?? [] { queue(later) }
    }

    /// Proven not to have been committed: the first in the queue again, in order.
    mutating func requeue(_ sent: SentBatch) {
        for index in sent.changes { unsend(index) }
        if sent.isSuspect {
            suspects.append(sent.changes)
        } else {
            // What stands back came after it.
            for index in parked.takeAll().reversed() { laneQueue.prepend(index) }
            for index in sent.changes.reversed() { laneQueue.prepend(index) }
        }
    }

    /// One row in there is refused. Halves of it go alone, the earlier first, until only that row is left.
    private mutating func takeApart(_ sent: SentBatch) {
        statistics.batchesTakenApart += 1
        for index in sent.changes { unsend(index) }
        let half = sent.changes.count / 2
        suspects.append(Array(sent.changes[half...]))
        suspects.append(Array(sent.changes[..<half]))
    }

    private mutating func retry(_ call: Call, _ turn: inout Turn) {
        guard case .commit(var sent) = call else {
            requeue(call, now: turn.now)
            return
        }
        statistics.batchRetries += 1
        var again: [ChangeIndex] = []
        for index in sent.changes {
            if changes[index].retries < Limits.batchRetriesMax {
                changes[index].retries += 1
                again.append(index)
            } else {
                let text = "PostgreSQL rolled back \(Limits.batchRetriesMax) times: try again later"
                finish(index, .error(ErrorReply(.unavailable, text)), &turn)
            }
        }
        sent.changes = again
        requeue(sent)
    }

    /// An answer that will not get better by asking again.
    mutating func refuse(_ call: Call, _ text: String, _ turn: inout Turn) {
        let reply = Reply.error(ErrorReply(.unavailable, text))
        switch call {
        case .verify, .admission, .readCounters, .writeThrough, .repair, .fill, .drop:
            preconditionFailure("not PostgreSQL's call")
        case .fence: giveUp(.lane, .unreachable("the lane can't be opened: \(text)"), &turn)
        case .survey, .checkSchema, .tend, .selectRepairs: requeue(call, now: turn.now)
        case .commit(let sent):
            for index in sent.changes { finish(index, reply, &turn) }
        case .selectCounters(.fetches(let items, _)):
            for item in items {
                let stale = cache.stale(item)
                for part in fetches.drop(item) {
                    if let stale {
                        resolve(part, stale.count, &turn)
                    } else {
                        answer(part.ticket, reply, &turn)
                    }
                }
            }
        case .selectCounters(.repairs(let page, _, _)): repairs.readFailed(page, now: turn.now)
        case .selectCounters(.doubts): return
        case .selectCounters(.changes(let owing, _)):
            // Committed, only the count is missing.
            let uncertain = Reply.error(
                ErrorReply(.uncertain, "the change was handled, its count is not known: \(text)"))
            for index in owing { finish(index, uncertain, &turn) }
        case .selectPairs(let reads, _):
            for read in reads {
                switch read.asker {
                case .part(let part): answer(part.ticket, reply, &turn)
                case .change(let index):
                    verifyingCount -= 1
                    let behind = held.removeValue(forKey: index) ?? []
                    finish(index, reply, &turn)
                    for later in behind { queue(later) }
                }
            }
        }
    }
}

extension BackendFailure {
    /// PostgreSQL stopped waiting for its synchronous standby.
    static let awaitsStandby = BackendFailure.unreachable(
        "it waits for a synchronous standby, and the wait was cancelled: "
            + "nothing is acknowledged before a standby has it",
        next: "start the standby, or take it out of synchronous_standby_names")

    /// The reason in words.
    var reason: String {
        switch self {
        case .unreachable(let reason, _), .unexpected(let reason, _), .schema(let reason, _), .readOnly(let reason, _):
            reason
        }
    }

    /// What to do about it.
    var next: String? {
        switch self {
        case .unreachable(_, let next), .unexpected(_, let next), .schema(_, let next), .readOnly(_, let next): next
        }
    }

    /// Both, for the log and for clients.
    package var text: String { next.map { "\(reason); next: \($0)" } ?? reason }
}
