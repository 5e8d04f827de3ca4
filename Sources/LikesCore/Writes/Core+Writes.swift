import LikesProtocol
import LikesStorage

// The path of a change: admission, verifying, lane, write-through.
extension Core {
    mutating func change(
        _ pair: Pair, _ kind: ChangeKind, on connection: ConnectionID, _ turn: inout Turn
    ) {
        let waitingMax = laneRate.waitingMax(requestTimeoutMs: configuration.requestTimeoutMs)
        guard changes.count < waitingMax else {
            statistics.busy += 1
            let error = ErrorReply(
                .busy, "\(changes.count) changes are waiting, more would not be stored in time: try again later")
            sessions.reply(.error(error), on: connection, &turn)
            return
        }
        let place = changes.nextIndex
        let ticket = Ticket(
            connection: connection,
            sequence: sessions[connection].firstSequence &+ UInt32(sessions[connection].slots.count))
        changes.insert(Change(ticket: ticket, pair: pair, kind: kind, stage: .following, acceptedAt: turn.now))
        let waiting = wait(.change(place), on: connection, now: turn.now)
        precondition(waiting == ticket, "a slot is the next of its connection")
        admit(place)
    }

    /// Sends the change to admission, or lets it follow the request of its connection that it must not overtake.
    mutating func admit(_ index: ChangeIndex) {
        if let earlier = blocker(of: index) {
            followers[earlier, default: []].append(.change(index))
        } else {
            changes[index].stage = .admission
            admissionQueue.append(index)
        }
    }

    /// The latest earlier request of the connection that must come first: a read that would see the change, or a
    /// change of the same item that follows something itself.
    private func blocker(of index: ChangeIndex) -> Ticket? {
        let (ticket, pair) = (changes[index].ticket, changes[index].pair)
        guard safeguards.ownOrder, sessions.isOpen(ticket.connection) else { return nil }
        let session = sessions[ticket.connection]
        guard session.readsWaiting > 0 || !followers.isEmpty || followersStarting > 0 else { return nil }
        let own = Int(ticket.sequence &- session.firstSequence)
        for offset in stride(from: min(own, session.slots.count) - 1, through: 0, by: -1) {
            guard case .waiting(let what) = session.slots[offset] else { continue }
            let earlier = Ticket(connection: ticket.connection, sequence: session.firstSequence &+ UInt32(offset))
            switch what {
            case .change(let other):
                if case .following = changes[other].stage, changes[other].pair.item == pair.item { return earlier }
            case .following, .reload: continue
            case .count(let item): if item == pair.item { return earlier }
            case .liked(let asked): if asked == pair { return earlier }
            case .gather:
                switch gathers[earlier]?.kind {
                case .counts(let items)?: if items.contains(pair.item) { return earlier }
                case .liked(let user, let items)?:
                    if user == pair.user, items.contains(pair.item) { return earlier }
                case nil: continue
                }
            }
        }
        return nil
    }

    // MARK: Sending

    mutating func sendWrites(_ turn: inout Turn) {
        if writableGeneration != nil {
            while !admissionQueue.isEmpty, calls[.admission] < limits.callsInFlightMax {
                var admitted: [ChangeIndex] = []
                while admitted.count < limits.admissionEntriesMax, let index = admissionQueue.popFirst() {
                    if changes[index].isAnswered { changes.release(index) } else { admitted.append(index) }
                }
                if admitted.isEmpty { continue }
                let entries = admitted.map { AdmissionEntry(pair: changes[$0].pair, kind: changes[$0].kind) }
                turn.append(.admit(calls.begin(.admission(admitted), now: turn.now), entries))
            }
            writeRepairs(&turn)
        } else if calls[.admission] == 0 {
            // Redis is away, or does nothing yet. Nothing overtakes what it was asked before.
            while let index = admissionQueue.popFirst() { admitLocally(index, &turn) }
        }
        sendLane(&turn)
    }

    mutating func sendBatch(_ fence: LaneFence, _ turn: inout Turn) {
        guard calls[.writeThrough] < limits.writeThroughsInFlightMax else { return }
        var batch = Batch()
        var batched: [ChangeIndex] = []
        let isSuspect = takeSuspects(into: &batch, &batched)
        if !isSuspect { takeQueued(into: &batch, &batched) }
        guard !batch.isEmpty else { return }
        statistics.batches += 1
        statistics.batchedChanges += Int64(batched.count)
        let number = laneRow.beginBatch()
        let rows = batch.seal(isSorted: safeguards.rowOrder)
        let isCutOff = safeguards.repairTable && writableGeneration == nil
        let request = CommitRequest(
            fence: fence, batch: number, rows: rows, journal: takeJournal(with: isCutOff ? [] : rows),
            isCutOff: isCutOff, server: writableGeneration?.server ?? "")
        let sent = SentBatch(
            batch: batch, changes: batched, request: request, permit: writePermit(now: turn.now), isSuspect: isSuspect)
        turn.append(.commit(calls.begin(.commit(sent), now: turn.now), request))
    }

    /// A part of a batch that was refused for its rows goes alone, so that the row in question takes no other with it.
    private mutating func takeSuspects(into batch: inout Batch, _ batched: inout [ChangeIndex]) -> Bool {
        while let part = suspects.popLast() {
            let refused = part.filter { !take($0, into: &batch, &batched) }
            if !refused.isEmpty { suspects.append(refused) }
            if !batch.isEmpty { return true }
            // They wait for a count that is being read, others need not.
            if !refused.isEmpty { return false }
        }
        return false
    }

    private mutating func takeQueued(into batch: inout Batch, _ batched: inout [ChangeIndex]) {
        // What came before them waits in a batch that was taken apart.
        let waiting = Set(suspects.joined().map { OwnItem(changes[$0]) })
        func mayGo(_ index: ChangeIndex) -> Bool { waiting.isEmpty || !waiting.contains(OwnItem(changes[index])) }
        // Those that had to stand back come first, each line as far as it may.
        var lines = Parked()
        swap(&lines, &parked)
        for _ in 0..<lines.linesCount where batched.count < limits.batchChangesMax {
            lines.takeTurn { mayGo($0) && take($0, into: &batch, &batched) }
        }
        while batched.count < limits.batchChangesMax, let index = laneQueue.popFirst() {
            let own = OwnItem(changes[index])
            if lines.hasLine(own) || !mayGo(index) || !take(index, into: &batch, &batched) {
                lines.append(index, to: own)
            }
        }
        parked = lines
    }

    /// False: not into this batch.
    private mutating func take(_ index: ChangeIndex, into batch: inout Batch, _ batched: inout [ChangeIndex]) -> Bool {
        let change = changes[index]
        if change.isAnswered {
            changes.release(index)
            return true
        }
        if !counting.isEmpty, counting[OwnItem(change)] != nil { return false }
        guard batched.count < limits.batchChangesMax, batch.add(change.pair, change.kind) else { return false }
        changes[index].stage = .sent
        batched.append(index)
        return true
    }

    // MARK: Admission

    /// A verdict for each entry, in order.
    package mutating func admitted(
        _ call: CallID, _ verdicts: [AdmissionVerdict], _ turn: inout Turn
    ) {
        guard case .admission(let admitted)? = calls.end(call) else { return }
        guard admitted.count == verdicts.count else {
            return disbelieve(.admission(admitted), .otherNumber(of: "verdicts"), &turn)
        }
        redisRefusals[.admission] = nil
        localRate.notNeeded(now: turn.now)
        for (index, verdict) in zip(admitted, verdicts) {
            switch verdict {
            case .limited(let seconds): refuseRate(index, seconds, &turn)
            case .admitted(let isRecent):
                enqueue(index, isRecent: isRecent && canAskPrimary, &turn)
            }
        }
    }

    mutating func admitLocally(_ index: ChangeIndex, _ turn: inout Turn) {
        if changes[index].isAnswered {
            changes.release(index)
        } else if let seconds = localRate.count(user: changes[index].pair.user, now: turn.now) {
            refuseRate(index, seconds, &turn)
        } else {
            enqueue(index, isRecent: false, &turn)
        }
    }

    private mutating func refuseRate(
        _ index: ChangeIndex, _ seconds: Int64, _ turn: inout Turn
    ) {
        statistics.rateLimited += 1
        let limit = configuration.rateLimitRequests
        let window = configuration.rateLimitWindowSeconds
        let text = "over \(limit) likes and unlikes in \(window) s: try again in \(seconds) s"
        finish(index, .error(ErrorReply(.rateLimited, text)), &turn)
    }

    mutating func enqueue(
        _ index: ChangeIndex, isRecent: Bool, _ turn: inout Turn
    ) {
        if changes[index].isAnswered {
            changes.release(index)
        } else if !unfollowed.isEmpty || admittedFollowing > 0, let earlier = blocker(of: index) {
            changes[index].stage = .following
            admittedFollowing += 1
            followers[earlier, default: []].append(.admittedChange(index))
        } else {
            if isRecent, !safeguards.hintVerification { return owe(index, changed: false) }
            switch earlierChange(of: index, isRecent: isRecent) {
            case .verifying(let earlier):
                changes[index].stage = .held
                held[earlier, default: []].append(index)
            case nil where isRecent:
                changes[index].stage = .verifying
                verifyingCount += 1
                pairQueue.append(PairRead(pair: changes[index].pair, asker: .change(index)))
            case .inLane, nil: queue(index)
            }
        }
    }

    mutating func queue(_ index: ChangeIndex) {
        changes[index].stage = .queued
        laneQueue.append(index)
    }

    private enum EarlierChange {
        case verifying(ChangeIndex)
        case inLane
    }

    /// An unanswered change of the same item that came before this one on its connection. Neither may be overtaken:
    /// one that is being verified holds this one back, one in the lane takes this one along, hint or not.
    private func earlierChange(of index: ChangeIndex, isRecent: Bool) -> EarlierChange? {
        let ticket = changes[index].ticket
        guard isRecent || verifyingCount > 0, safeguards.ownOrder, sessions.isOpen(ticket.connection) else {
            return nil
        }
        let session = sessions[ticket.connection]
        let own = Int(ticket.sequence &- session.firstSequence)
        var found: EarlierChange?
        for offset in stride(from: min(own, session.slots.count) - 1, through: 0, by: -1) {
            guard case .waiting(.change(let other)) = session.slots[offset],
                changes[other].pair.item == changes[index].pair.item
            else { continue }
            if case .verifying = changes[other].stage { return .verifying(other) }
            found = .inLane
        }
        return found
    }

    /// PostgreSQL's word on what the hint called a duplicate.
    mutating func verified(
        _ index: ChangeIndex, isLiked: Bool, count: Int64, _ turn: inout Turn
    ) {
        verifyingCount -= 1
        let behind = held.removeValue(forKey: index) ?? []
        if isLiked { statistics.hintedDuplicates += 1 }
        if isLiked || changes[index].isAnswered {
            finish(index, .change(changed: false, count: count), &turn)
        } else {
            queue(index)
        }
        for later in behind { queue(later) }
    }

    // MARK: Commit and write-through

    /// The batch is durable.
    package mutating func committed(
        _ call: CallID, _ outcome: BatchOutcome, _ turn: inout Turn
    ) {
        guard case .commit(let sent)? = calls.end(call) else { return }
        guard outcome.changed.count == sent.request.rows.count else {
            return disbelieve(.commit(sent), .otherNumber(of: "rows"), &turn)
        }
        let replay = sent.batch.replay(outcome)
        settle(sent, outcome, replay.results, &turn)
        if !replay.uncounted.isEmpty { lackCounters(replay.uncounted, &turn) }
    }

    private mutating func settle(
        _ sent: SentBatch, _ outcome: BatchOutcome, _ results: [ChangeResult], _ turn: inout Turn
    ) {
        noteLaneWritten(journal: sent.request.journal, now: turn.now)
        laneRow.committed(sent.request.batch)
        laneRate.note(
            changes: sent.changes.count, microseconds: turn.now.microseconds - sent.permit.askedAt.microseconds)
        holdAgainstKnown(outcome.counters, sent.permit, &turn)
        let newer = noteCommitted(outcome.counters, sent.permit, now: turn.now)
        var written: [ChangeIndex] = []
        for (index, result) in zip(sent.changes, results) {
            if changes[index].isAnswered {
                changes.release(index)
            } else if let count = result.count {
                if !newer.isEmpty, let known = newer[changes[index].pair.item] { overtake(index, known.count) }
                changes[index].stage = .writingThrough(.change(changed: result.changed, count: count))
                written.append(index)
            } else {
                owe(index, changed: result.changed)
            }
        }
        let recentLikes = sent.batch.recentLikes(changed: outcome.changed)
        if outcome.counters.isEmpty, recentLikes.isEmpty { return }
        if writeThrough(outcome.counters, recentLikes, sent.permit, for: written, &turn) { return }
        // Without Redis the batch has noted what it changed for all hosts.
        if !sent.request.isCutOff || writableGeneration != nil { noteMissing(outcome.counters, now: turn.now) }
        finishWritten(written, &turn)
    }

    /// What others changed meanwhile is known here, and others on this host may have been told: a COUNT that came after
    /// the change was sent must not go back behind it. One that came before takes the change's own count: later changes
    /// of its pipeline may be in what is newer.
    private mutating func overtake(_ index: ChangeIndex, _ count: Int64) {
        replaceSource(behind: index, with: .newer(count))
    }

    /// The change's batch was not committed: it is to be sent again, perhaps with later changes of its pipeline.
    mutating func unsend(_ index: ChangeIndex) {
        changes[index].stage = .queued
        if !followers.isEmpty { replaceSource(behind: index, with: .ofChange) }
    }

    /// Of each COUNT that came after the change was sent.
    private mutating func replaceSource(behind index: ChangeIndex, with source: CountBehind) {
        let ticket = changes[index].ticket
        guard let behind = followers[ticket] else { return }
        followers[ticket] = behind.map { follower in
            guard case .count(let part, let item, .ofSentChange) = follower else { return follower }
            return .count(part, item, source)
        }
    }

    /// The change is durable, its reply waits for its item's count.
    mutating func owe(_ index: ChangeIndex, changed: Bool) {
        guard !changes[index].isAnswered else {
            changes.release(index)
            return
        }
        changes[index].stage = .counting(changed: changed)
        counting[OwnItem(changes[index]), default: 0] += 1
        countQueue.append(index)
    }

    /// Redis has the batch's counters and recent likes. `refusal`: it had no room for some counters, and dropped them
    /// instead, so that nothing old is left of them.
    /// `kept`: what Redis had, and kept, because it looks newer.
    package mutating func wroteThrough(
        _ call: CallID, refusal: String?, kept: [KeptCounter] = [], _ turn: inout Turn
    ) {
        guard let ended = calls.end(call) else { return }
        noteRefusal(refusal, of: .writing, &turn)
        switch ended {
        case .writeThrough(let written, let counters, let permit):
            repairs.wroteThrough(counters)
            judge(kept, permit, &turn)
            finishWritten(written, &turn)
        case .repair(let page, let counters, let permit):
            repairs.wrote(page, counters, now: turn.now)
            judge(kept, permit, &turn)
        default: return
        }
        if mayStrikeOff { laneRow.tend(by: turn.now.adding(ms: Limits.mendedWaitMs)) }
    }

    mutating func finishWritten(_ written: [ChangeIndex], _ turn: inout Turn) {
        for index in written {
            guard case .writingThrough(let reply) = changes[index].stage else { continue }
            finish(index, reply, &turn)
        }
    }

    /// The change's count was read, or nobody waits for it any more: to be called before its place is freed.
    mutating func noteCounted(_ index: ChangeIndex) {
        guard case .counting = changes[index].stage else { return }
        let own = OwnItem(changes[index])
        guard let count = counting[own] else { preconditionFailure("a count that is not owed") }
        counting[own] = count > 1 ? count - 1 : nil
    }

    /// Answers a change that no queue or call holds any more, and frees its place.
    mutating func finish(_ index: ChangeIndex, _ reply: Reply, _ turn: inout Turn) {
        let change = changes[index]
        noteCounted(index)
        changes.release(index)
        guard !change.isAnswered else { return }
        statistics.note(reply, latencyMicroseconds: turn.now.microseconds - change.acceptedAt.microseconds)
        answer(change.ticket, reply, &turn)
    }
}
