import LikesProtocol
import LikesStorage

// The write lane: fencing it, tending its row, and finding out what became of a batch.
extension Core {
    /// Sends what the lane is due next; one call at a time.
    mutating func sendLane(_ turn: inout Turn) {
        guard lane.isUp, calls[.lane] == 0 else { return }
        if laneRow.epoch != nil, laneRow.isWorn(limits) {
            laneRow.renew(Int64(jitter.next() >> 1))
            laneRow.surveyAt = turn.now
        }
        guard let fence = laneRow.fence else {
            let request = FenceRequest(
                lane: laneRow.lane, former: laneRow.former,
                rows: laneRow.unresolved?.request.rows ?? [])
            turn.append(.fence(calls.begin(.fence, now: turn.now), request))
            return
        }
        // What is to be told or struck off may be much, and always more: batches take turns with it.
        let isTendDue = isTendDue(now: turn.now)
        if isTendDue, !laneRow.isTended { return sendTend(fence, &turn) }
        if laneRow.surveyAt <= turn.now { return sendSurvey(&turn) }
        if checkSchema(&turn) { return }
        laneRow.isTended = false
        sendBatch(fence, &turn)
        if isTendDue, calls[.lane] == 0 { sendTend(fence, &turn) }
    }

    // MARK: Fencing

    /// The lane is this connection's own. `state` nil: it had no row, so that nothing is known of earlier batches; it
    /// has one now, at epoch 1.
    package mutating func fenced(_ call: CallID, _ state: LaneState?, _ turn: inout Turn) {
        guard case .fence? = calls.end(call) else { return }
        lane.proved()
        laneRow.trouble = nil
        if laneRow.lacksBatch(laneRow.former == nil ? state?.batch : 0) {
            laneRow.forgetCommitted()
            goBack("it lacks a batch of this host's", &turn)
        }
        laneRow.fenced(epoch: state?.epoch ?? 1, hasRow: state != nil)
        laneRow.tendAt = laneRow.hasJournal || laneRow.isBehind ? turn.now : nil
        guard let unresolved = laneRow.unresolved else { return }
        laneRow.unresolved = nil
        let number = unresolved.request.batch
        guard let state, state.batch <= number,
            state.batch < number || state.changed.count == unresolved.request.rows.count
        else {
            let text = "the connection was lost, and PostgreSQL has no record of the batch: repeat, or ask LIKED"
            let uncertain = Reply.error(ErrorReply(.uncertain, text))
            noteMissing(unresolved.request.rows.map(\.pair.item), now: turn.now)
            for index in unresolved.changes { finish(index, uncertain, &turn) }
            return
        }
        if state.batch == number {
            statistics.batchesFoundCommitted += 1
            resolve(unresolved, changed: state.changed, &turn)
        } else {
            statistics.batchesFoundLost += 1
            requeue(unresolved)
        }
    }

    /// The batch was committed, its answer was lost: what changed is known, the counts are to be read.
    private mutating func resolve(
        _ sent: SentBatch, changed: [Bool], _ turn: inout Turn
    ) {
        noteMissing(zip(sent.request.rows, changed).filter(\.1).map(\.0.pair.item), now: turn.now)
        for (index, didChange) in zip(sent.changes, sent.batch.replay(changed: changed)) {
            owe(index, changed: didChange)
        }
        let recentLikes = sent.batch.recentLikes(changed: changed)
        guard !recentLikes.isEmpty else { return }
        _ = writeThrough([], recentLikes, writePermit(now: turn.now), for: [], &turn)
    }

    /// The lane is another's: the call did nothing.
    package mutating func fencedOff(_ call: CallID, _ turn: inout Turn) {
        guard let given = calls.end(call) else { return }
        statistics.lanesFencedOff += 1
        let text =
            "this host's lane was closed (it was taken for dead), or is not in the table any more (a restore, "
            + "TRUNCATE lanes): opening it again"
        say(.lane, .notice, text, &turn)
        switch given {
        case .commit(let sent): requeue(sent)
        case .tend(let request): tendingFailed(request, now: turn.now)
        default: preconditionFailure("only commit and tend are fenced")
        }
        // They may be others than those of which the connections have learnt.
        giveUpDatabase(.unreachable("the lane is to be opened again"), &turn)
    }

    /// The server stopped waiting for its synchronous standby. What it then says of the lane's call proves nothing: the
    /// standby may take over without it. The next connection's fence commits as well, and waits for the standby, so
    /// that what it finds is safe.
    package mutating func standbyWaitCancelled(_ turn: inout Turn) {
        guard lane.isUp else { return }
        giveUp(.lane, .awaitsStandby, &turn)
    }

    // MARK: Tending

    /// Whether the lane's row has to be written although no batch does it.
    private func isTendDue(now: Instant) -> Bool {
        guard laneRow.tendNotBefore <= now else { return false }
        if let tellAt, tellAt <= now { return true }
        if stopBy != nil, leavesSomething, changes.count == 0, calls[.writeThrough] == 0 { return true }
        return laneRow.tendAt.map { $0 <= now } ?? false
    }

    /// When others are to be told what only this process knows to be missing in Redis; nil: it is set there soon. It
    /// can't be set at once, or is much: then without delay. Of what is held back, which may come again and again, once
    /// in a while.
    var tellAt: Instant? {
        guard safeguards.repairTable, repairs.untoldCount > 0 else { return nil }
        if writableGeneration == nil || repairs.untoldCount >= limits.repairsUntoldMax { return laneRow.tendNotBefore }
        return repairs.wakeAt == nil ? nil : max(laneRow.tellNotBefore, laneRow.tendNotBefore)
    }

    private mutating func sendTend(_ fence: LaneFence, _ turn: inout Turn) {
        let mustTell = tellAt.map { $0 <= turn.now } ?? false
        let told = mustTell || stopBy != nil ? repairs.takeToTell(max: limits.tendItemsMax) : []
        if !told.isEmpty { laneRow.tellNotBefore = turn.now.adding(ms: Limits.repairRetryMs) }
        let request = TendRequest(
            fence: fence, repairs: told, mended: mayStrikeOff ? repairs.takeMended(max: limits.tendItemsMax) : [],
            journal: takeJournal(with: []), settled: mayStrikeOff ? laneRow.settled : nil)
        laneRow.tendAt = nil
        laneRow.isTended = true
        turn.append(.tend(calls.begin(.tend(request), now: turn.now), request))
    }

    /// `settledUpTo`: settled repairs went up to this transaction's, and there may be more; nil: all are gone.
    package mutating func tended(
        _ call: CallID, settledUpTo: Int64? = nil, _ turn: inout Turn
    ) {
        guard case .tend(let request)? = calls.end(call) else { return }
        // Otherwise they were found since.
        if request.settled != nil {
            laneRow.settled = settledUpTo.flatMap { from in
                laneRow.settled.map { SettledRepairs(from: from, before: $0.before) }
            }
        }
        repairs.struck(request.mended, mayBeSeen: calls[.repairSelect] > 0)
        // What is forgotten here is found in `cache_repairs` again.
        let isKept = !repairs.isFull
        repairs.told(request.repairs, isKept: isKept)
        if !isKept, !request.repairs.isEmpty { trust.doubt(now: turn.now) }
        noteLaneWritten(journal: request.journal, now: turn.now)
        tendMended(now: turn.now)
    }

    /// Rows may go that are set in this host's Redis, or settled by its data, and there are some.
    var mayStrikeOff: Bool { isRedisAgreed && (repairs.mendedCount > 0 || laneRow.settled != nil) }

    /// No other host may use another Redis, which lacks what this one's has.
    var isRedisAgreed: Bool { trust.isAgreed && trust.isUnanimous }

    mutating func tendMended(now: Instant) {
        if mayStrikeOff { laneRow.tend(by: now) }
    }

    mutating func tendingFailed(_ request: TendRequest, now: Instant) {
        repairs.tellingFailed(request.repairs)
        repairs.mendingFailed(request.mended)
        laneRow.tendNotBefore = now.adding(ms: Limits.repairRetryMs)
        laneRow.tend(by: laneRow.tendNotBefore)
    }

    /// The row says what Redis may not have: it is to be tended before the lane counts as silent.
    mutating func noteLaneWritten(journal: [Item], now: Instant) {
        let due = laneRow.tendAt
        laneRow.hasJournal = !journal.isEmpty
        laneRow.tendAt = journal.isEmpty ? nil : now.adding(ms: Limits.laneTendMs)
        // Batch after batch must not put off what is not in it.
        guard mayStrikeOff || laneRow.isBehind else { return }
        laneRow.tend(by: due ?? now.adding(ms: Limits.mendedWaitMs))
    }

    /// What Redis may not have, should this process end now: the items of these rows, those on their way there, and
    /// what it alone knows to be missing. Each once.
    mutating func takeJournal(with rows: [BatchRow]) -> [Item] {
        guard safeguards.journal else { return [] }
        laneRow.isBehind = false
        var seen: Set<Item> = []
        var journal: [Item] = []
        journal.reserveCapacity(rows.count + repairs.untoldCount)
        seen.reserveCapacity(rows.count + repairs.untoldCount)
        func add(_ item: Item) { if seen.insert(item).inserted { journal.append(item) } }
        for row in rows { add(row.pair.item) }
        for counters in calls.writtenThrough { for counter in counters { add(counter.item) } }
        for item in repairs.untoldItems { add(item) }
        return journal
    }

    // MARK: Repairs

    /// Redis may not have what was committed of these items.
    /// `isHeldBack`: somebody may make them missing again and again, and is not to keep this host at work. Other hosts
    /// are told through PostgreSQL meanwhile.
    mutating func noteMissing(_ items: some Collection<Item>, isHeldBack: Bool = false, now: Instant) {
        guard safeguards.repairs, !items.isEmpty else { return }
        if isHeldBack { repairs.note(items, heldBackFrom: now) } else { repairs.note(items) }
        tendUntold(now: now)
    }

    /// Redis may not have these, or something newer.
    mutating func noteMissing(_ counters: some Collection<CounterState>, now: Instant) {
        guard safeguards.repairs, !counters.isEmpty else { return }
        repairs.note(counters)
        tendUntold(now: now)
    }

    /// Only this process knows: the next batch's journal has them, or soon the lane's row.
    private mutating func tendUntold(now: Instant) {
        laneRow.isBehind = true
        laneRow.tend(by: now.adding(ms: Limits.mendedWaitMs))
    }

    /// Whether something of this host's is left for others to find or to do.
    var leavesSomething: Bool { laneRow.hasJournal || repairs.untoldCount > 0 }
}
