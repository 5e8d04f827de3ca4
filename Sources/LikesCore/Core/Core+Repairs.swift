import LikesProtocol
import LikesStorage

// Counters that may be old in Redis: noted, told to other hosts, read from PostgreSQL, set in Redis, struck off.
extension Core {
    // MARK: Noting

    /// Redis may lack what was committed of these items. `isDelayed`: somebody may cause this repeatedly and must not
    /// keep this host busy, so the repairs wait. Meanwhile other hosts are told through PostgreSQL.
    mutating func noteMissing(_ items: some Collection<Item>, isDelayed: Bool = false, now: Instant) {
        guard safeguards.repairs, !items.isEmpty else { return }
        for (node, items) in redis.byNode(Array(items), { $0 }) {
            if isDelayed { repairs[node ?? 0].note(items, delayedFrom: now) } else { repairs[node ?? 0].note(items) }
        }
        lane.upkeep.noteMissing(now: now)
    }

    /// Redis may lack these counters and any newer ones.
    mutating func noteMissing(_ counters: some Collection<CounterState>, now: Instant) {
        guard safeguards.repairs, !counters.isEmpty else { return }
        for (node, counters) in redis.byNode(Array(counters), { $0.item }) { repairs[node ?? 0].note(counters) }
        lane.upkeep.noteMissing(now: now)
    }

    /// The connection to Redis ended, most likely because of these items: a value may be too large to be read in time,
    /// or at all, and would be so again. Setting a counter does not read it.
    mutating func setWithoutReading(_ items: [Item], on node: NodePlace) {
        guard safeguards.repairs, canAskPrimary, !repairs[node].isFull else { return }
        repairs[node].reread(items)
    }

    /// Messages may have been missed. Nothing that was cached before is fresh, and what this host wrote to Redis may be
    /// older than what it missed.
    mutating func doubtMessages(of node: NodePlace) {
        known.expireAll(of: node)
        let written = known.takeWritten { redis.node(of: $0) == node }
        guard safeguards.counterMemory else { return }
        repairs[node].rereadAll()
        repairs[node].reread(written)
    }

    // MARK: Repairs of other hosts

    var isSomeNodeIdentified: Bool { redis.inUse.contains { coherence[$0].trust.generation != nil } }

    /// Rows of `cache_repairs` noted by transactions before this one need no repair on any node. 0: unknown.
    private var settledBefore: Int64 {
        redis.inUse.map { coherence[$0].trust.settledBefore }.min() ?? 0
    }

    /// Whether rows of the node's items are taken in.
    private func takesRepairs(_ node: NodePlace) -> Bool {
        coherence[node].trust.generation != nil && !repairs[node].isFull
    }

    /// What was left out while a node had no room is read again once it has much of it.
    private mutating func fillGaps(now: Instant) {
        guard repairs.passes.pass == nil, repairs.passes.mayReadWholeTable(now: now) else { return }
        for node in repairs.places
        where repairs.passes.hasGaps(node) && coherence[node].trust.generation != nil
            && repairs[node].count < limits.repairsMax / 2
        {
            repairs.passes.startOver(node, now: now)
        }
    }

    mutating func sendRepairPass(_ turn: inout Turn) {
        guard safeguards.repairTable, canAskPrimary, isSomeNodeIdentified else { return }
        if let pass = repairs.passes.pass {
            guard let cursor = pass.pausedAt, redis.inUse.contains(where: takesRepairs) else { return }
            repairs.passes.resume(now: turn.now)
            return reader.call(.repairPass, .selectRepairs(RepairSelect(after: cursor)), &turn)
        }
        fillGaps(now: turn.now)
        // An idle host wakes up once for both.
        let isAwake = redis.places.contains { self.isAwake($0) && coherence[$0].heartbeat.nextAt <= turn.now }
        let dueBy = isAwake ? turn.now.adding(ms: Limits.repairPassMs / 4) : turn.now
        guard repairs.passes.nextAt <= dueBy else { return }
        let select = repairs.passes.begin(settledBefore: settledBefore, now: turn.now)
        reader.call(.repairPass, .selectRepairs(select), &turn)
    }

    /// PostgreSQL returned a chunk of `cache_repairs`.
    mutating func repairsSelected(_ chunk: RepairRows, _ turn: inout Turn) {
        guard let pass = repairs.passes.pass, pass.counts else { return endRepairPass(isWhole: false, now: turn.now) }
        repairs.passes.goOn(horizon: chunk.horizon)
        // The host that noted the row may have had no way to tell this one.
        for row in chunk.rows { known.expire(row.item, below: row.version) }
        // If Redis was heard to take the version a moment ago, the host that set it strikes the row off. The next
        // passes check that.
        let rows = chunk.rows.filter { $0.notedBy < pass.leftFrom || !known.recent.hasTaken($0) }
        let goesOn = redis.inUse.contains(where: takesRepairs)
        for (node, rows) in redis.byNode(rows, { $0.item }) {
            let node = node ?? 0
            if goesOn, !takesRepairs(node) {
                repairs.passes.leaveOut(node, now: turn.now)
            } else {
                repairs[node].learn(rows, leftFrom: pass.leftFrom)
            }
        }
        repairs.forgetStruckOff()
        if chunk.hasSettled, lane.upkeep.settled == nil {
            lane.upkeep.settled = SettledRepairs(before: settledBefore)
            tendMended(now: turn.now)
        }
        guard let next = chunk.next else { return endRepairPass(isWhole: true, now: turn.now) }
        if !redis.inUse.contains(where: takesRepairs) {
            return repairs.passes.pause(after: next, now: turn.now)
        }
        reader.call(.repairPass, .selectRepairs(RepairSelect(after: next)), &turn)
    }

    mutating func endRepairPass(isWhole: Bool, now: Instant) {
        // A pass that is not tied to a beat comes at a random time, so that hosts that began together drift apart.
        let ms = isWhole ? Limits.repairPassMs : Limits.repairPassRetryMs
        let spread = Int64(random.next() % UInt64(ms / 4))
        repairs.passes.end(
            isWhole: isWhole, isIdentified: { coherence[$0].trust.generation != nil }, now: now,
            nextAt: now.adding(ms: ms + spread))
    }

    // MARK: Pages

    /// Takes the next page of repairs, one at a time, of one node after the other. As long as rows can be struck off,
    /// it takes none without room for the rows that the page will mend. If they can't be struck off, rows over the
    /// limit stay for a later pass.
    mutating func readRepairs(_ turn: inout Turn) {
        guard repairs.count > 0, canAskPrimary, reader.calls[.repair] == 0 else { return }
        for node in redis.placesInTurn where writableGeneration(node) != nil {
            let strikesOff = lane.link.isUp && lane.upkeep.tendNotBefore <= turn.now && isRedisAgreed(node)
            guard repairs[node].hasRoomForMended || !strikesOff else { continue }
            let permit = writePermit(now: turn.now)
            guard let (page, items) = repairs[node].takePage(permit) else { continue }
            redis.hadTurn(node)
            return reader.call(.repair(page, on: node, count: items.count, permit), .selectCounters(items), &turn)
        }
    }

    mutating func writeRepairs(_ turn: inout Turn) {
        for node in redis.places { writeRepairs(to: node, &turn) }
    }

    private mutating func writeRepairs(to node: NodePlace, _ turn: inout Turn) {
        guard repairs.isPageRead(node), redis[node].calls[.repair] == 0, let generation = writableGeneration(node)
        else { return }
        let permit = writePermit(now: turn.now)
        guard let (page, read, asked) = repairs[node].takeToWrite(permit) else { return }
        let counters = noteWriting(read, isFill: false, on: node, now: turn.now)
        let sealed = coherence.sealed(counters, generation, asked)
        redis.call(
            .repair(page, counters, permit), .writeThrough(generation, counters: sealed, recent: []), on: node, &turn)
    }

    // MARK: Striking off

    mutating func tendMended(now: Instant) { if mayStrikeOff { lane.upkeep.tend(by: now) } }

    // MARK: Forged counters

    /// Judges the counters that Redis kept in place of the ones given, which PostgreSQL had returned under the permit.
    /// A counter of a host may show that PostgreSQL went back. A stranger's counter would stay for ever, since no host
    /// has a newer one: it is deleted, and the right one is written again. `isNews`: others were to hear of the
    /// counters. A stranger can keep them from ever hearing, so they are told through PostgreSQL.
    mutating func judge(
        _ kept: [KeptCounter], _ permit: WritePermit, isNews: Bool, on node: NodePlace, _ turn: inout Turn
    ) {
        guard !kept.isEmpty, let generation = permit.generation(on: node),
            generation == coherence[node].trust.generation
        else {
            return
        }
        let (newer, forged) = coherence.judge(kept, token: generation.token)
        if safeguards.contradictions, permit.era == coherence.past.era { known.doubt(newer) }
        guard !forged.isEmpty else { return }
        noteForged(.counter, count: forged.count, &turn)
        if isNews {
            noteMissing(forged.map(\.item), isDelayed: true, now: turn.now)
        } else if safeguards.repairs {
            repairs[node].reread(forged.map(\.item), delayedFrom: turn.now)
        }
        redis.call(.drop, .drop(generation, forged), on: node, &turn)
    }

    mutating func noteForged(_ forgery: Forgery, count: Int = 1, _ turn: inout Turn) {
        reports.note(forgery, count: count)
        let text =
            "ignoring \(forgery.words) in Redis without this database's seal; next: unless the reference service still "
            + "runs beside likesd (moving.md), keep other Redis users from writing likesd's keys and publishing on its "
            + "channels (security.md)"
        say(.forged(forgery), .warning, text, &turn)
    }
}
