import LikesProtocol
import LikesStorage

// What this host knows to be in Redis, and what others tell it.
extension Core {
    /// The generation to write under; nil: Redis is not there, not verified, or not the one that all hosts use.
    var writableGeneration: Generation? {
        redis.isUp && trust.disputedIn == nil && sealer.isReady ? trust.generation : nil
    }

    /// The generation to read under. While PostgreSQL can't be asked, what others could not write is not known, and
    /// something old is better than nothing.
    var readableGeneration: Generation? {
        guard redis.isUp, isRedisBelieved || !canAskPrimary else { return nil }
        return trust.generation
    }

    private var isRedisBelieved: Bool {
        // Where an era is owed, Redis has counters of a past that is over.
        trust.isComplete && !repairs.isFull && past.owedReason == nil
            && (trust.isAgreed || !lane.isUp && trust.disputedIn == nil)
    }

    /// Whether the reader is where what was acknowledged last can be seen; a standby may lag behind.
    var canAskPrimary: Bool { reader.isUp && !isReaderStandby }

    /// Taken before PostgreSQL is asked for what is to be put into Redis.
    func writePermit(now: Instant) -> WritePermit {
        let subscription = subscriber.isUp ? subscriber.connectedTotal : -subscriber.connectedTotal
        return WritePermit(
            generation: writableGeneration, subscription: subscription, verifiedAt: trust.verifiedAt, era: past.era,
            askedAt: now)
    }

    /// The generation under which an answer of PostgreSQL's may be put into Redis; nil: too much has happened since it
    /// was asked.
    private func permitted(_ permit: WritePermit, now: Instant) -> Generation? {
        permit.holds(writePermit(now: now)) ? permit.generation : nil
    }

    // MARK: What others could not write

    mutating func sendRepairPass(_ turn: inout Turn) {
        guard safeguards.repairTable, canAskPrimary, trust.generation != nil else { return }
        if let pass = trust.pass {
            guard let cursor = pass.pausedAt, !repairs.isFull else { return }
            trust.resumePass()
            return askForRepairs(RepairSelect(after: cursor), &turn)
        }
        // A host at rest wakes up for both at once.
        let isAwake = redis.isUp && subscriber.isUp && heartbeat.nextAt <= turn.now
        guard trust.nextPassAt <= (isAwake ? turn.now.adding(ms: Limits.repairPassMs / 4) : turn.now) else { return }
        askForRepairs(trust.beginPass(now: turn.now), &turn)
    }

    private mutating func askForRepairs(_ select: RepairSelect, _ turn: inout Turn) {
        turn.append(.selectRepairs(calls.begin(.selectRepairs, now: turn.now), select))
    }

    /// A page of `cache_repairs`.
    package mutating func repairsSelected(
        _ call: CallID, _ page: RepairRows, _ turn: inout Turn
    ) {
        guard case .selectRepairs? = calls.end(call) else { return }
        reader.proved()
        guard let pass = trust.pass, pass.counts else { return endRepairPass(isWhole: false, now: turn.now) }
        trust.continuePass(horizon: page.horizon)
        // Its host may have had no way to tell.
        for row in page.rows { cache.expire(row.item, below: row.version) }
        // What Redis was heard to take a moment ago is left to who has set it, and looked at again by the next passes.
        let rows = page.rows.filter { $0.notedBy < pass.leftFrom || !recent.hasTaken($0) }
        repairs.learn(rows, leftFrom: pass.leftFrom)
        repairs.forgetStruckOff()
        if page.hasSettled, laneRow.settled == nil {
            laneRow.settled = SettledRepairs(before: trust.settledBefore)
            tendMended(now: turn.now)
        }
        guard let next = page.next else { return endRepairPass(isWhole: true, now: turn.now) }
        if repairs.isFull || trust.generation == nil { return trust.pausePass(after: next, now: turn.now) }
        askForRepairs(RepairSelect(after: next), &turn)
    }

    mutating func endRepairPass(isWhole: Bool, now: Instant) {
        // Where no beat takes it along, hosts that began together drift apart.
        let ms = isWhole ? Limits.repairPassMs : Limits.repairPassRetryMs
        let spread = Int64(jitter.next() % UInt64(ms / 4))
        trust.endPass(isWhole: isWhole, now: now, nextAt: now.adding(ms: ms + spread))
    }

    // MARK: Messages

    package mutating func subscriberConnected(_ turn: inout Turn) {
        subscriber.connected(now: turn.now)
        say(.connection(.subscriber), .info, "\(Self.name(.subscriber)) connected", &turn)
        heartbeat.restart(now: turn.now)
        doubtMessages()
    }

    /// Whether all that other hosts change is heard of, or was found in `cache_repairs`.
    private var isHearing: Bool {
        subscriber.isUp && trust.generation != nil && trust.disputedIn == nil && trust.isComplete && !repairs.isFull
    }

    /// Entries are fresh for the time that is set, but not long while hosts do not hear each other.
    mutating func boundCache() {
        let ttlMs = configuration.localCacheTTLMs
        cache.setTTL(ms: isHearing ? ttlMs : min(ttlMs, Limits.unheardCacheMs))
    }

    /// Messages may have been missed: nothing that was cached before is fresh, and what was written to Redis may be
    /// older than what was missed.
    mutating func doubtMessages() {
        if safeguards.cacheExpiry { cache.expireAll() }
        let written = recent.takeWritten()
        guard safeguards.counterMemory else { return }
        repairs.rereadAll()
        repairs.reread(written)
    }

    /// Counters that Redis took from another host's write-through, or this one's, in the order in which it took them.
    package mutating func heard(
        token: String, _ counters: [SealedCounter], _ turn: inout Turn
    ) {
        guard token == trust.token else { return trust.heard(foreign: token, now: turn.now) }
        // Before PostgreSQL was there for the first time nobody knows who speaks.
        guard sealer.secret != nil || !safeguards.seals else { return }
        var contested: [Item] = []
        var contestedAgain: [Item] = []
        var forged = 0
        for sealed in counters {
            guard isGenuine(sealed, token: token) else {
                forged += 1
                continue
            }
            let counter = sealed.counter
            statistics.countersHeard += 1
            cache.update(counter)
            noteNewer(counter)
            // It was a host's word once; what Redis has by now nobody can tell from it.
            if safeguards.seals, !sealer.isRecent(sealed, now: turn.now) { continue }
            switch recent.hear(counter, now: turn.now) {
            case .contested where safeguards.counterMemory: contested.append(counter.item)
            case .contestedAgain where safeguards.counterMemory: contestedAgain.append(counter.item)
            case .inOrder, .contested, .contestedAgain: if repairs.count > 0 { repairs.heard(counter) }
            }
        }
        if forged > 0 { noteForged(.message, count: forged, &turn) }
        // Read from PostgreSQL, though the newest is known: it may have been told before, and repeated by a stranger.
        // Other hosts have heard the same: they need not be told again and again, nor of more than the lane has room
        // for.
        guard safeguards.repairs else { return }
        if repairs.untoldCount < limits.repairsUntoldMax {
            noteMissing(contested, now: turn.now)
        } else {
            repairs.reread(contested)
        }
        repairs.reread(contestedAgain, heldBackFrom: turn.now)
    }

    /// What this host changed enters its cache, unless something newer was heard of since, or may have been. Returns
    /// the counters that were known to be newer.
    mutating func noteCommitted(
        _ counters: [CounterState], _ permit: WritePermit, now: Instant
    ) -> [Item: CounterState] {
        // What was committed before the database was found to have gone back may be of the past that is over.
        guard permit.era == past.era else { return [:] }
        let isRecent = permit.isYoung(at: now)
        let isFresh = permit.isFresh(writePermit(now: now))
        var newer: [Item: CounterState] = [:]
        for counter in counters {
            let newest = safeguards.counterMemory ? recent.newest(counter) : counter
            var standing = newest
            if isRecent {
                standing = cache.store(newest, now: now)
                // What others changed since may not have been told.
                if !isFresh { cache.expire(counter.item, below: .max) }
            } else {
                cache.update(newest)
                standing = cache.stale(counter.item) ?? newest
            }
            if standing.version > counter.version { newer[counter.item] = standing }
            noteNewer(newest)
            recent.know(newest, now: now)
        }
        return newer
    }

    /// A fetch of the item on its way may bring something older.
    mutating func noteNewer(_ counter: CounterState) {
        if safeguards.fetchOvertaking { fetches.noteCommitted(counter) }
    }

    package mutating func heardBeat(_ number: UInt64, _ turn: inout Turn) {
        subscriber.proved()
        if let saidAt = heartbeat.hear(number) { recent.forget(heardUntil: saidAt) }
    }

    mutating func sendBeat(_ turn: inout Turn) {
        guard redis.isUp, subscriber.isUp, heartbeat.nextAt <= turn.now else { return }
        switch heartbeat.beat(now: turn.now, hasWritten: recent.hasWritten) {
        case .say(let number):
            turn.append(.beat(number))
            lookAtMarker(&turn)
        case .wait: break
        case .silence: giveUp(.subscriber, .unreachable("it went silent"), &turn)
        }
    }

    /// A host at rest is to learn that Redis' data is another's before it has something to write there.
    mutating func lookAtMarker(_ turn: inout Turn) {
        guard let generation = trust.generation else { return }
        turn.append(
            .readCounters(
                calls.begin(.readCounters([], generation, writePermit(now: turn.now)), now: turn.now), generation, []))
    }

    // MARK: Writing to Redis

    /// Puts a batch's counters, and its recent likes, into Redis, and tells all hosts. False: they may not be put there
    /// any more, and are repaired.
    mutating func writeThrough(
        _ counters: [CounterState], _ recentLikes: [RecentLike], _ permit: WritePermit, for waiting: [ChangeIndex],
        _ turn: inout Turn
    ) -> Bool {
        let current = writePermit(now: turn.now)
        guard let generation = permit.generation, generation == current.generation, permit.isYoung(at: turn.now) else {
            return false
        }
        // Past a change of the subscription it may be an older one: rather that for a moment than one from before.
        if !permit.holds(current) { noteMissing(counters.map(\.item), now: turn.now) }
        let newest = written(counters, isFill: false, now: turn.now)
        let id = calls.begin(.writeThrough(waiting, newest, current), now: turn.now)
        turn.append(
            .writeThrough(id, generation, counters: sealed(newest, generation, permit), recent: recentLikes))
        return true
    }

    /// Takes the next page of repairs, one at a time: none where there is no room for what it mends, as long as that
    /// can be struck off. Where it can't, the rows beyond stay for a later pass.
    mutating func readRepairs(_ turn: inout Turn) {
        guard reader.isUp, canAskPrimary, writableGeneration != nil, calls[.repairRead] == 0 else { return }
        let strikesOff = lane.isUp && laneRow.tendNotBefore <= turn.now && isRedisAgreed
        guard repairs.hasRoomForMended || !strikesOff else { return }
        let permit = writePermit(now: turn.now)
        guard let (page, items) = repairs.takePage(permit) else { return }
        let select = CounterSelect.repairs(page, count: items.count, permit)
        turn.append(.selectCounters(calls.begin(.selectCounters(select), now: turn.now), items))
    }

    mutating func writeRepairs(_ turn: inout Turn) {
        guard let generation = writableGeneration, calls[.repair] == 0 else { return }
        let permit = writePermit(now: turn.now)
        guard let (page, read, asked) = repairs.takeToWrite(permit) else { return }
        let counters = written(read, isFill: false, now: turn.now)
        let id = calls.begin(.repair(page, counters, permit), now: turn.now)
        turn.append(
            .writeThrough(id, generation, counters: sealed(counters, generation, asked), recent: []))
    }

    /// Puts into Redis what PostgreSQL had. Without a subscription it would not be known what was newer.
    mutating func fill(
        _ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn
    ) {
        guard subscriber.isUp, !isReaderStandby, let generation = permitted(permit, now: turn.now) else { return }
        guard calls[.fill] < limits.fillsInFlightMax else {
            statistics.fillsLeftOut += Int64(counters.count)
            return
        }
        let newest = written(counters, isFill: true, now: turn.now)
        let id = calls.begin(.fill(permit), now: turn.now)
        turn.append(.fill(id, generation, sealed(newest, generation, permit)))
    }

    /// PostgreSQL was asked for them, or for older ones, under the permit. A version that no history reaches is not put
    /// into Redis.
    private mutating func sealed(
        _ counters: [CounterState], _ generation: Generation, _ permit: WritePermit
    ) -> [SealedCounter] {
        var sealed: [SealedCounter] = []
        sealed.reserveCapacity(counters.count)
        for counter in counters where counter.version <= Limits.versionMax {
            sealed.append(sealer.seal(counter, token: generation.token, askedAt: permit.askedAt))
        }
        return sealed
    }

    /// What of these goes to Redis: of each counter the newest state known.
    private mutating func written(_ counters: [CounterState], isFill: Bool, now: Instant) -> [CounterState] {
        heartbeat.write(now: now)
        return counters.map { counter in
            let newest = safeguards.counterMemory ? recent.newest(counter) : counter
            recent.write(newest, isFill: isFill, now: now)
            return newest
        }
    }

    /// `kept`: what Redis had, and kept, because it looks newer.
    package mutating func filled(
        _ call: CallID, kept: [KeptCounter] = [], _ turn: inout Turn
    ) {
        guard case .fill(let permit)? = calls.end(call) else { return }
        judge(kept, permit, isNews: false, &turn)
    }
}
