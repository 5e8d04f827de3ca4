import LikesSettings
import LikesProtocol
import LikesStorage

// Counters that Redis may have old: noted, told to other hosts, read from PostgreSQL, set in Redis, struck off.
extension Core {
    // MARK: Noting

    /// Redis may not have what was committed of these items. `isHeldBack`: somebody may make them missing again and
    /// again, and is not to keep this host at work. Other hosts are told through PostgreSQL meanwhile.
    mutating func noteMissing(_ items: some Collection<Item>, isHeldBack: Bool = false, now: Instant) {
        guard safeguards.repairs, !items.isEmpty else { return }
        if isHeldBack { repairs.note(items, heldBackFrom: now) } else { repairs.note(items) }
        lane.upkeep.noteMissing(now: now)
    }

    /// Redis may not have these, or something newer.
    mutating func noteMissing(_ counters: some Collection<CounterState>, now: Instant) {
        guard safeguards.repairs, !counters.isEmpty else { return }
        repairs.note(counters)
        lane.upkeep.noteMissing(now: now)
    }

    /// The connection to Redis ended, most likely over these: one of the values may be too large to be read in time, or
    /// at all, and would be so each time. To set it needs no look.
    mutating func setWithoutReading(_ items: [Item]) {
        guard safeguards.repairs, canAskPrimary, !repairs.isFull else { return }
        repairs.reread(items)
    }

    /// Messages may have been missed: nothing that was cached before is fresh, and what was written to Redis may be
    /// older than what was missed.
    mutating func doubtMessages() {
        known.expireAll()
        let written = known.takeWritten()
        guard safeguards.counterMemory else { return }
        repairs.rereadAll()
        repairs.reread(written)
    }

    // MARK: What others could not write

    mutating func sendRepairPass(_ turn: inout Turn) {
        guard safeguards.repairTable, canAskPrimary, coherence.trust.generation != nil else { return }
        if let pass = repairs.passes.pass {
            guard let cursor = pass.pausedAt, !repairs.isFull else { return }
            repairs.passes.resume()
            return reader.call(.repairPass, .selectRepairs(RepairSelect(after: cursor)), &turn)
        }
        // A host at rest wakes up for both at once.
        let isAwake = redis.link.isUp && redis.subscriber.isUp && coherence.heartbeat.nextAt <= turn.now
        let dueBy = isAwake ? turn.now.adding(ms: Limits.repairPassMs / 4) : turn.now
        guard repairs.passes.nextAt <= dueBy else { return }
        let select = repairs.passes.begin(settledBefore: coherence.trust.settledBefore, now: turn.now)
        reader.call(.repairPass, .selectRepairs(select), &turn)
    }

    /// A page of `cache_repairs`.
    mutating func repairsSelected(_ page: RepairRows, _ turn: inout Turn) {
        guard let pass = repairs.passes.pass, pass.counts else { return endRepairPass(isWhole: false, now: turn.now) }
        repairs.passes.goOn(horizon: page.horizon)
        // Its host may have had no way to tell.
        for row in page.rows { known.expire(row.item, below: row.version) }
        // What Redis was heard to take a moment ago is left to who has set it, and looked at again by the next passes.
        let rows = page.rows.filter { $0.notedBy < pass.leftFrom || !known.recent.hasTaken($0) }
        repairs.learn(rows, leftFrom: pass.leftFrom)
        repairs.forgetStruckOff()
        if page.hasSettled, lane.upkeep.settled == nil {
            lane.upkeep.settled = SettledRepairs(before: coherence.trust.settledBefore)
            tendMended(now: turn.now)
        }
        guard let next = page.next else { return endRepairPass(isWhole: true, now: turn.now) }
        if repairs.isFull || coherence.trust.generation == nil {
            return repairs.passes.pause(after: next, now: turn.now)
        }
        reader.call(.repairPass, .selectRepairs(RepairSelect(after: next)), &turn)
    }

    mutating func endRepairPass(isWhole: Bool, now: Instant) {
        // Where no beat takes it along, hosts that began together drift apart.
        let ms = isWhole ? Limits.repairPassMs : Limits.repairPassRetryMs
        let spread = Int64(random.next() % UInt64(ms / 4))
        repairs.passes.end(
            isWhole: isWhole, isIdentified: coherence.trust.generation != nil, now: now,
            nextAt: now.adding(ms: ms + spread))
    }

    // MARK: Pages

    /// Takes the next page of repairs, one at a time: none where there is no room for what it mends, as long as that
    /// can be struck off. Where it can't, the rows beyond stay for a later pass.
    mutating func readRepairs(_ turn: inout Turn) {
        guard canAskPrimary, writableGeneration != nil, reader.calls[.repair] == 0 else { return }
        let strikesOff = lane.link.isUp && lane.upkeep.tendNotBefore <= turn.now && isRedisAgreed
        guard repairs.hasRoomForMended || !strikesOff else { return }
        let permit = writePermit(now: turn.now)
        guard let (page, items) = repairs.takePage(permit) else { return }
        reader.call(.repair(page, count: items.count, permit), .selectCounters(items), &turn)
    }

    mutating func writeRepairs(_ turn: inout Turn) {
        guard let generation = writableGeneration, redis.calls[.repair] == 0 else { return }
        let permit = writePermit(now: turn.now)
        guard let (page, read, asked) = repairs.takeToWrite(permit) else { return }
        let counters = written(read, isFill: false, now: turn.now)
        let sealed = coherence.sealed(counters, generation, asked)
        redis.call(
            .repair(page, counters, permit), .writeThrough(generation, counters: sealed, recent: []), &turn)
    }

    // MARK: Striking off

    mutating func tendMended(now: Instant) { if mayStrikeOff { lane.upkeep.tend(by: now) } }

    // MARK: What a stranger may have put there

    /// What Redis kept instead of what PostgreSQL had given to be written under the permit. A host's may say that
    /// PostgreSQL went back. A stranger's would stay for ever, since no host has a newer one: it goes, and what was to
    /// be written is written once more. `isNews`: others were to be told of it, and a stranger can see to it that they
    /// never are; so they are told through PostgreSQL.
    mutating func judge(_ kept: [KeptCounter], _ permit: WritePermit, isNews: Bool, _ turn: inout Turn) {
        guard !kept.isEmpty, let generation = permit.generation, generation == coherence.trust.generation else {
            return
        }
        let (newer, forged) = coherence.judge(kept, token: generation.token)
        if safeguards.contradictions, permit.era == coherence.past.era { known.doubt(newer) }
        guard !forged.isEmpty else { return }
        noteForged(.counter, count: forged.count, &turn)
        if isNews {
            noteMissing(forged.map(\.item), isHeldBack: true, now: turn.now)
        } else if safeguards.repairs {
            repairs.reread(forged.map(\.item), heldBackFrom: turn.now)
        }
        redis.call(.drop, .drop(generation, forged), &turn)
    }

    mutating func noteForged(_ forgery: Forgery, count: Int = 1, _ turn: inout Turn) {
        reports.note(forgery, count: count)
        let text =
            "ignoring \(forgery.words) in Redis without this database's seal; next: keep other Redis users from writing "
            + "likesd's keys and publishing on its channels (security.md)"
        say(.forged(forgery), .warning, text, &turn)
    }
}
