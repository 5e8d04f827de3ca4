import LikesProtocol

// The lane: fencing it, tending its row, and resolving a batch.
extension Core {
    /// Sends what is due next on the lane; one call at a time.
    mutating func sendLane(_ turn: inout Turn) {
        guard lane.isIdle else { return }
        let isMistakable = !reader.standbys.isEmpty && lane.row.mayBeMistaken
        if lane.isWorn || isMistakable {
            lane.renew(LaneNumber.next(after: lane.row.lane, &random), now: turn.now)
        }
        let isTendDue = isTendDue(now: turn.now)
        switch lane.due(isTendDue: isTendDue, now: turn.now) {
        case .fence(let request): lane.call(.fence, .fence(request), &turn)
        case .tend(let fence): sendTend(fence, &turn)
        case .survey: sendSurvey(&turn)
        case .checkSchema: lane.checkSchema(&turn)
        case .batch(let fence):
            lane.upkeep.batchHasItsTurn()
            sendBatch(fence, &turn)
            if isTendDue, lane.isIdle { sendTend(fence, &turn) }
        }
    }

    // MARK: Fencing

    mutating func fenced(_ state: LaneState?, _ turn: inout Turn) {
        lane.link.proved()
        if lane.row.lacksBatch(state) {
            lane.row.forgetCommitted()
            goBack("a batch from this host is missing", &turn)
        }
        lane.fenced(state, now: turn.now)
        switch lane.resolve(state) {
        case .nothing: return
        case .committed(let sent, let changed):
            reports.statistics.batchesFoundCommitted += 1
            concludeFound(sent, changed: changed, &turn)
        case .lost(let sent):
            reports.statistics.batchesFoundLost += 1
            requeue(sent)
        case .unknown(let sent):
            let text = "the connection was lost, and PostgreSQL has no record of the batch: repeat, or ask LIKED"
            let uncertain = Reply.error(ErrorReply(.uncertain, text))
            noteMissing(sent.request.rows.map(\.pair.item), now: turn.now)
            for index in sent.changes { finish(index, uncertain, &turn) }
        }
    }

    /// The lane is another connection's: the call did nothing.
    mutating func fencedOff(_ purpose: LanePurpose, _ turn: inout Turn) {
        reports.statistics.lanesFencedOff += 1
        let text =
            "this host's lane was closed (the host was taken for dead) or removed (a restore, TRUNCATE lanes); "
            + "opening it again"
        say(.lane, .notice, text, &turn)
        switch purpose {
        case .commit(let sent): requeue(sent)
        case .tend(let request): tendingFailed(request, now: turn.now)
        case .fence, .survey, .checkSchema: preconditionFailure("only commit and tend are fenced")
        }
        // The tables may be others than the ones that the connections know.
        giveUpDatabase(.unreachable("the lane is to be opened again"), &turn)
    }

    /// The server stopped waiting for its synchronous standby. From then on its answer to the lane's call proves
    /// nothing, since the standby may take over without that transaction. The next connection's fence also commits and
    /// waits for the standby, so what it finds is safe.
    package mutating func standbyWaitCancelled(_ turn: inout Turn) {
        guard lane.link.isUp else { return }
        giveUp(.lane, .awaitsStandby, &turn)
    }

    // MARK: Tending

    /// Whether to write the lane's row although no batch is due.
    private func isTendDue(now: Instant) -> Bool {
        guard lane.upkeep.tendNotBefore <= now else { return false }
        if let tellAt, tellAt <= now { return true }
        let isWriting = redis.callsCount(.writeThrough) > 0 || oweTelling
        if clients.shutdown.isAsked, leavesSomething, writes.count == 0, !isWriting { return true }
        return lane.upkeep.tendAt.map { $0 <= now } ?? false
    }

    /// When to tell other hosts what only this process knows to be missing in Redis. nil: need not be told, since it is
    /// set there soon. If it cannot be set now, or if there is much, others are told without delay. What is held back,
    /// and may come again and again, is told only once in a while.
    var tellAt: Instant? {
        guard safeguards.repairTable, repairs.untoldCount > 0 else { return nil }
        let upkeep = lane.upkeep
        let isCutOff = repairs.places.contains { repairs[$0].untoldCount > 0 && writableGeneration($0) == nil }
        if isCutOff || repairs.untoldCount >= limits.repairsUntoldMax {
            return upkeep.tendNotBefore
        }
        return repairs.wakeAt == nil ? nil : max(upkeep.tellNotBefore, upkeep.tendNotBefore)
    }

    private mutating func sendTend(_ fence: LaneFence, _ turn: inout Turn) {
        let mustTell = tellAt.map { $0 <= turn.now } ?? false
        let told = mustTell || clients.shutdown.isAsked ? repairs.takeToTell(max: limits.tendItemsMax) : []
        let request = TendRequest(
            fence: fence, repairs: told,
            mended: repairs.takeMended(max: limits.tendItemsMax, where: isRedisAgreed),
            journal: takeJournal(with: []), settled: isRedisAgreed ? lane.upkeep.settled : nil)
        lane.upkeep.tendSent(tells: !told.isEmpty, now: turn.now)
        lane.call(.tend(request), .tend(request), &turn)
    }

    mutating func tended(_ request: TendRequest, settledUpTo: Int64?, _ turn: inout Turn) {
        // Those that were found since are still to be struck off.
        if request.settled != nil { lane.upkeep.struckOff(settledUpTo: settledUpTo) }
        repairs.struck(request.mended, mayBeSeen: reader.calls[.repairPass] > 0)
        // What this process forgets is found in `cache_repairs` again.
        repairs.told(request.repairs, nodeOf: redis.node, now: turn.now)
        noteLaneWritten(journal: request.journal, now: turn.now)
        tendMended(now: turn.now)
    }

    mutating func tendingFailed(_ request: TendRequest, now: Instant) {
        repairs.tellingFailed(request.repairs)
        repairs.mendingFailed(request.mended)
        lane.upkeep.tendingFailed(now: now)
    }

    mutating func noteLaneWritten(journal: [Item], now: Instant) {
        lane.upkeep.written(hasJournal: !journal.isEmpty, mayStrikeOff: mayStrikeOff, now: now)
    }

    mutating func takeJournal(with rows: [BatchRow]) -> [Item] {
        guard safeguards.journal else { return [] }
        lane.upkeep.journalTaken()
        return Journal.items(
            rows: rows, onTheirWay: redis.onTheirWay, owed: coherence.places.flatMap { coherence[$0].tellings.owed },
            untold: repairs.untold)
    }
}
