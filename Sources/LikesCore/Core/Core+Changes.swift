import LikesProtocol
import LikesStorage

// The path of a change: admission, confirming its hint, a batch, write-through, its reply.
extension Core {
    // MARK: Admission

    /// Sends the change to admission. If it must not overtake an earlier request of its connection, it follows that
    /// request.
    mutating func admit(_ index: ChangeIndex) {
        if let earlier = blocker(of: index) {
            clients.followers.append(.change(index), behind: earlier)
        } else {
            writes.awaitAdmission(index)
        }
    }

    private func blocker(of index: ChangeIndex) -> Ticket? {
        safeguards.ownOrder ? clients.blocker(of: writes.changes[index], among: writes.changes) : nil
    }

    mutating func sendAdmissions(_ turn: inout Turn) {
        if writableGeneration != nil {
            while writes.awaitsAdmission, redis.calls[.admission] < limits.callsInFlightMax {
                let taken = writes.takeForAdmission()
                if taken.isEmpty { continue }
                let entries = taken.map { index in
                    AdmissionEntry(pair: writes.changes[index].pair, kind: writes.changes[index].kind)
                }
                redis.call(.admission(taken), .admit(entries), &turn)
            }
        } else if redis.calls[.admission] == 0 {
            // Redis is down, or does nothing yet. No change overtakes one that Redis was asked to admit before.
            while let index = writes.takeForLocalAdmission() { admitLocally(index, &turn) }
        }
    }

    mutating func admitted(_ changes: [ChangeIndex], _ verdicts: [AdmissionVerdict], _ turn: inout Turn) {
        noteRefusal(nil, of: .admission, &turn)
        writes.localRate.notNeeded(now: turn.now)
        for (index, verdict) in zip(changes, verdicts) {
            switch verdict {
            case .limited(let seconds): refuseRate(index, seconds, &turn)
            case .admitted(let isRecent): admitted(index, isRecent: isRecent && canAskPrimary, &turn)
            }
        }
    }

    mutating func admitLocally(_ index: ChangeIndex, _ turn: inout Turn) {
        if writes.forgetIfAnswered(index) { return }
        if let seconds = writes.localRate.count(user: writes.changes[index].pair.user, now: turn.now) {
            refuseRate(index, seconds, &turn)
        } else {
            admitted(index, isRecent: false, &turn)
        }
    }

    private mutating func refuseRate(_ index: ChangeIndex, _ seconds: Int64, _ turn: inout Turn) {
        reports.statistics.rateLimited += 1
        let limit = configuration.rateLimitRequests
        let window = configuration.rateLimitWindowSeconds
        let text = "over \(limit) likes and unlikes in \(window) s: try again in \(seconds) s"
        finish(index, .error(ErrorReply(.rateLimited, text)), &turn)
    }

    /// Redis, or this process, has counted the change towards its user's rate. `isRecent`: the hint says that the pair
    /// is liked already.
    mutating func admitted(_ index: ChangeIndex, isRecent: Bool, _ turn: inout Turn) {
        if writes.forgetIfAnswered(index) { return }
        if clients.followers.mayHoldAdmitted, let earlier = blocker(of: index) {
            writes.follow(index)
            return clients.followers.append(.admittedChange(index), behind: earlier)
        }
        if isRecent, !safeguards.hintConfirmation { return writes.owe(index, changed: false) }
        switch earlierChange(of: index, isRecent: isRecent) {
        case .confirming(let earlier): writes.hold(index, behind: earlier)
        case nil where isRecent:
            writes.confirm(index)
            reads.ask(PairRead(pair: writes.changes[index].pair, asker: .change(index)))
        case .inLane, nil: writes.queue(index)
        }
    }

    private func earlierChange(of index: ChangeIndex, isRecent: Bool) -> Clients.EarlierChange? {
        guard isRecent || writes.confirmations.count > 0, safeguards.ownOrder else { return nil }
        return clients.earlierChange(of: writes.changes[index], among: writes.changes)
    }

    // MARK: Confirming hints

    /// PostgreSQL's answer about a pair that the hint calls liked already.
    mutating func confirmed(_ index: ChangeIndex, isLiked: Bool, count: Int64, _ turn: inout Turn) {
        if isLiked { reports.statistics.hintedDuplicates += 1 }
        if isLiked || writes.changes[index].isAnswered {
            endConfirmation(index, .change(changed: false, count: count), &turn)
        } else {
            queueUnconfirmed(index)
        }
    }

    /// Answers the like without a batch. The changes held behind it go on.
    mutating func endConfirmation(_ index: ChangeIndex, _ reply: Reply, _ turn: inout Turn) {
        let behind = writes.endConfirmation(index)
        finish(index, reply, &turn)
        for later in behind { writes.queue(later) }
    }

    /// The hint is wrong, or nobody can say: the like goes to the lane, which finds out without the reader.
    mutating func queueUnconfirmed(_ index: ChangeIndex) {
        let behind = writes.endConfirmation(index)
        writes.queue(index)
        for later in behind { writes.queue(later) }
    }

    // MARK: Batches

    mutating func sendBatch(_ fence: LaneFence, _ turn: inout Turn) {
        guard redis.calls[.writeThrough] < limits.writeThroughsInFlightMax else { return }
        var taken = writes.takeBatch()
        guard !taken.batch.isEmpty else { return }
        reports.statistics.batches += 1
        reports.statistics.batchedChanges += Int64(taken.changes.count)
        let rows = taken.batch.seal(isSorted: safeguards.rowOrder)
        let isCutOff = safeguards.repairTable && writableGeneration == nil
        let request = CommitRequest(
            fence: fence, batch: lane.row.beginBatch(), rows: rows, journal: takeJournal(with: isCutOff ? [] : rows),
            isCutOff: isCutOff, server: writableGeneration?.server ?? "")
        let sent = SentBatch(
            batch: taken.batch, changes: taken.changes, request: request, permit: writePermit(now: turn.now),
            isSuspect: taken.isSuspect)
        lane.call(.commit(sent), .commit(request), &turn)
    }

    /// The batch certainly did not commit. It is sent again, perhaps with later changes of the same connections.
    mutating func requeue(_ sent: SentBatch) {
        unsend(sent.changes)
        writes.requeue(sent)
    }

    /// PostgreSQL refuses one row of the batch.
    mutating func takeApart(_ sent: SentBatch) {
        reports.statistics.batchesTakenApart += 1
        unsend(sent.changes)
        writes.takeApart(sent)
    }

    private mutating func unsend(_ changes: [ChangeIndex]) {
        guard clients.followers.count > 0 else { return }
        for index in changes {
            clients.followers.replaceSource(behind: writes.changes[index].ticket, with: .ofChange)
        }
    }

    /// PostgreSQL rolled the batch back.
    mutating func retry(_ sent: SentBatch, _ turn: inout Turn) {
        reports.statistics.batchRetries += 1
        let (again, over) = writes.retry(sent)
        let text = "PostgreSQL rolled back \(Limits.batchRetriesMax) times: try again later"
        for index in over { finish(index, .error(ErrorReply(.unavailable, text)), &turn) }
        var sent = sent
        sent.changes = again
        requeue(sent)
    }

    // MARK: Commit and write-through

    /// The batch is durable.
    mutating func committed(_ sent: SentBatch, _ outcome: BatchOutcome, _ turn: inout Turn) {
        let replay = sent.batch.replay(outcome)
        conclude(sent, outcome, replay.results, &turn)
        if !replay.uncounted.isEmpty { lackCounters(replay.uncounted, &turn) }
    }

    private mutating func conclude(
        _ sent: SentBatch, _ outcome: BatchOutcome, _ results: [ChangeResult], _ turn: inout Turn
    ) {
        noteLaneWritten(journal: sent.request.journal, now: turn.now)
        lane.committed(sent, now: turn.now)
        compareWithKnown(outcome.counters, sent.permit, &turn)
        let newer = noteCommitted(outcome.counters, sent.permit, now: turn.now)
        var waiting: [ChangeIndex] = []
        for (index, result) in zip(sent.changes, results) {
            guard let count = result.count else {
                writes.owe(index, changed: result.changed)
                continue
            }
            if !newer.isEmpty, let known = newer[writes.changes[index].pair.item] { overtake(index, known.count) }
            if writes.writeThrough(index, .change(changed: result.changed, count: count)) { waiting.append(index) }
        }
        let recentLikes = sent.batch.recentLikes(changed: outcome.changed)
        if outcome.counters.isEmpty, recentLikes.isEmpty { return }
        if writeThrough(outcome.counters, recentLikes, sent.permit, for: waiting, &turn) { return }
        // Without Redis, the batch itself has noted what it changed, for all hosts.
        if !sent.request.isCutOff || writableGeneration != nil { noteMissing(outcome.counters, now: turn.now) }
        finishWritten(waiting, &turn)
    }

    /// The item has a newer count, from another host, that others on this host may have been told. A COUNT that came
    /// after the change was sent must not return an older one. A COUNT that came before takes the change's own count,
    /// since the newer one may include later changes of its pipeline.
    private mutating func overtake(_ index: ChangeIndex, _ count: Int64) {
        guard !writes.changes[index].isAnswered else { return }
        clients.followers.replaceSource(behind: writes.changes[index].ticket, with: .newer(count))
    }

    /// Puts committed counters into the cache, unless this host has heard of something newer since, or may have missed
    /// it. Returns the counters that were known to be newer.
    private mutating func noteCommitted(
        _ counters: [CounterState], _ permit: WritePermit, now: Instant
    ) -> [Item: CounterState] {
        // If the database was found to have gone back since, this commit may belong to the past that is over.
        guard permit.era == coherence.past.era else { return [:] }
        let (newest, newer) = known.committed(
            counters, isYoung: permit.isYoung(at: now), isFresh: permit.isFresh(writePermit(now: now)), now: now)
        for counter in newest { reads.noteNewer(counter) }
        return newer
    }

    /// The batch is committed, and PostgreSQL returned no count for these items although they changed. Their counts are
    /// owed. The next connection checks the tables.
    private mutating func lackCounters(_ items: [Item], _ turn: inout Turn) {
        noteMissing(items, now: turn.now)
        guard lane.link.isUp else { return }
        reports.noteUnexpected(.lane)
        giveUp(.lane, .misfit(Misfit("a batch was stored without its counters")), &turn)
    }

    /// The batch was committed, but its answer was lost. What changed is known, and the counts still have to be read.
    mutating func concludeFound(_ sent: SentBatch, changed: [Bool], _ turn: inout Turn) {
        noteMissing(zip(sent.request.rows, changed).filter(\.1).map(\.0.pair.item), now: turn.now)
        for (index, didChange) in zip(sent.changes, sent.batch.replay(changed: changed)) {
            writes.owe(index, changed: didChange)
        }
        let recentLikes = sent.batch.recentLikes(changed: changed)
        guard !recentLikes.isEmpty else { return }
        _ = writeThrough([], recentLikes, writePermit(now: turn.now), for: [], &turn)
    }

    /// Puts a batch's counters and recent likes into Redis, which tells all hosts. False: the permit no longer allows
    /// it, and the counters are repaired instead.
    private mutating func writeThrough(
        _ counters: [CounterState], _ recentLikes: [RecentLike], _ permit: WritePermit, for waiting: [ChangeIndex],
        _ turn: inout Turn
    ) -> Bool {
        let current = writePermit(now: turn.now)
        guard let generation = permit.generation, generation == current.generation, permit.isYoung(at: turn.now) else {
            return false
        }
        // The subscription has changed, so a newer count may have been missed. This one may be older for a moment,
        // which is better than keeping the count from before the change.
        if !permit.holds(current) { noteMissing(counters.map(\.item), now: turn.now) }
        let newest = noteWriting(counters, isFill: false, now: turn.now)
        let sealed = coherence.sealed(newest, generation, permit)
        redis.call(
            .writeThrough(waiting, newest, current),
            .writeThrough(generation, counters: sealed, recent: recentLikes), &turn)
        return true
    }

    /// Returns the newest known state of each counter, to be put into Redis.
    mutating func noteWriting(_ counters: [CounterState], isFill: Bool, now: Instant) -> [CounterState] {
        coherence.heartbeat.write(now: now)
        return known.noteWriting(counters, isFill: isFill, now: now)
    }

    mutating func finishWritten(_ changes: [ChangeIndex], _ turn: inout Turn) {
        for index in changes {
            guard let reply = writes.writtenThrough(index) else { continue }
            finish(index, reply, &turn)
        }
    }

    /// Answers a change that no queue or call holds any more, and frees its place.
    mutating func finish(_ index: ChangeIndex, _ reply: Reply, _ turn: inout Turn) {
        guard let change = writes.finish(index) else { return }
        reports.note(
            reply, latencyMicroseconds: turn.now.microseconds - change.acceptedAt.microseconds)
        answer(change.ticket, reply, &turn)
    }
}
