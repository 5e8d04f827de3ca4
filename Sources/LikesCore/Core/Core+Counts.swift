import LikesSettings
import LikesProtocol
import LikesStorage

// The read path: local cache, Redis, PostgreSQL for counts; PostgreSQL for pairs.
extension Core {
    /// One count asked for. Behind an unanswered change of the same item and connection it waits for that; it takes the
    /// change's count when PostgreSQL has not been asked for it yet, or a newer one that is known by then. One that was
    /// read before may be older than what others were told in between.
    mutating func count(_ item: Item, _ part: Part, _ turn: inout Turn) {
        let earlier = clients.lastChange(before: part.ticket, among: writes.changes) { $0.pair.item == item }
        guard let earlier else { return fetchCount(item, part, &turn) }
        let source: CountBehind
        switch writes.changes[earlier].stage {
        case .following, .admission, .held, .queued: source = .ofChange
        // No later batch of this host is acknowledged before one on the wire is answered.
        case .sent: source = .ofSentChange
        case .confirming, .counting, .writingThrough: source = .asked
        }
        clients.followers.append(.count(part, item, source), behind: writes.changes[earlier].ticket)
        switch source {
        case .asked: return
        case .ofChange, .ofSentChange, .newer: clients.sessions.follow(part.ticket, item)
        }
    }

    private mutating func fetchCount(_ item: Item, _ part: Part, _ turn: inout Turn) {
        if let count = known.fresh(item, now: turn.now) {
            reports.statistics.localHits += 1
            give(count, to: part, &turn)
        } else {
            reports.statistics.localMisses += 1
            reads.join(item, part, isSmall: clients.sessions.asksForFew(part.ticket.connection))
        }
    }

    /// One pair asked for. Behind an unanswered change of the same pair and connection it waits for that; its answer
    /// is the change's own when the change had not been sent yet, else PostgreSQL is asked.
    mutating func liked(_ pair: Pair, _ part: Part, _ turn: inout Turn) {
        let earlier = clients.lastChange(before: part.ticket, among: writes.changes) { $0.pair == pair }
        guard let earlier else { return reads.ask(PairRead(pair: pair, asker: .part(part))) }
        let answer: Bool?
        switch writes.changes[earlier].stage {
        case .following, .admission, .held, .queued: answer = writes.changes[earlier].kind == .like
        case .confirming, .sent, .counting, .writingThrough: answer = nil
        }
        clients.followers.append(.liked(part, pair, answer: answer), behind: writes.changes[earlier].ticket)
        if answer != nil { clients.sessions.follow(part.ticket, pair.item) }
    }

    // MARK: Sending

    mutating func sendReads(_ turn: inout Turn) {
        if let generation = readableGeneration {
            while reads.hasForRedis, redis.calls[.read] < limits.callsInFlightMax {
                let taken = reads.takeForRedis(max: limits.countersPerCallMax)
                let items = taken.filter { !repairs.contains($0) }
                if items.count < taken.count { askDatabase(taken.filter(repairs.contains), &turn) }
                if items.isEmpty { continue }
                redis.call(
                    .readCounters(items, generation, writePermit(now: turn.now)), .readCounters(generation, items),
                    &turn)
            }
        } else {
            askDatabase(reads.takeForRedis(max: .max), &turn)
        }
        guard reader.link.isUp else { return }
        readRepairs(&turn)
        while reads.hasForDatabase, reader.calls[.counts] < limits.callsInFlightMax {
            let items = reads.takeForDatabase(max: limits.countersPerCallMax)
            if items.isEmpty { continue }
            reader.call(.fetches(items, writePermit(now: turn.now)), .selectCounters(items), &turn)
        }
        // A standby may not have yet what was acknowledged.
        guard canAskPrimary else { return }
        while writes.owesCounts, reader.calls[.counts] < limits.callsInFlightMax {
            let owing = writes.takeOwedCounts(max: limits.countersPerCallMax)
            let items = owing.map { writes.changes[$0].pair.item }
            reader.call(.owedCounts(owing, writePermit(now: turn.now)), .selectCounters(items), &turn)
        }
        while reads.pairsCount > 0, reader.calls[.pairs] < limits.callsInFlightMax {
            let taken = reads.takePairs(max: limits.pairsPerCallMax)
            reader.call(.pairs(taken, writePermit(now: turn.now)), .selectPairs(taken.map(\.pair)), &turn)
        }
    }

    /// Redis can't be asked, or has them not.
    mutating func askDatabase(_ items: [Item], _ turn: inout Turn) {
        reads.moveToDatabase(items, clients)
        serveStale(items, &turn)
    }

    /// With PostgreSQL away, an expired count is better than none.
    mutating func serveStale(_ items: [Item], _ turn: inout Turn) {
        guard !reader.link.isUp else { return }
        for item in items {
            guard let stale = known.cache.stale(item) else { continue }
            reports.statistics.staleServed += 1
            for part in reads.drop(item) { give(stale.count, to: part, &turn) }
        }
    }

    // MARK: Answers

    mutating func countersRead(
        _ items: [Item], _ counters: [SealedCounter?], _ generation: Generation, _ permit: WritePermit,
        _ turn: inout Turn
    ) {
        if !items.isEmpty { noteRefusal(nil, of: .reading, &turn) }
        guard generation == coherence.trust.generation else { return askDatabase(items, &turn) }
        var missed: [Item] = []
        for (item, sealed) in zip(items, counters) {
            guard let sealed, let counter = believed(sealed, generation, &turn), !repairs.contains(item) else {
                reports.statistics.redisMisses += 1
                missed.append(item)
                continue
            }
            reports.statistics.redisHits += 1
            let secondsMax = coherence.sealer.cachedSecondsMax(sealed, now: turn.now)
            if secondsMax == nil, coherence.sealer.secret != nil { known.believedAged() }
            let standing = finishFetch(known.newest(counter), secondsMax: secondsMax, permit, &turn)
            // Redis is behind what this host knows: a write-through was lost, or a stranger put back an old one.
            if standing.version > counter.version, safeguards.repairs {
                repairs.reread([standing.item], from: standing.version, heldBackFrom: turn.now)
            }
        }
        askDatabase(missed, &turn)
    }

    /// nil: it may not be an answer now.
    private mutating func believed(
        _ sealed: SealedCounter, _ generation: Generation, _ turn: inout Turn
    ) -> CounterState? {
        let standing = coherence.standing(
            of: sealed, token: generation.token, canAskPrimary: canAskPrimary, now: turn.now)
        switch standing {
        case .believed: return sealed.counter
        case .aged:
            reports.statistics.agedCounters += 1
            known.storeStale(sealed.counter, now: turn.now)
            return nil
        case .forged:
            noteForged(.counter, &turn)
            return nil
        }
    }

    mutating func fetched(_ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn) {
        if !reader.isStandby { holdAgainstKnown(counters, permit, &turn) }
        var fills: [CounterState] = []
        for counter in counters {
            reports.statistics.databaseReads += 1
            fills.append(finishFetch(counter, secondsMax: nil, permit, &turn))
        }
        fill(fills, permit, &turn)
    }

    /// Committed changes have their counts.
    mutating func counted(
        _ owing: [ChangeIndex], _ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn
    ) {
        noteRead(counters, permit, isOffered: { _ in true }, &turn)
        for (index, counter) in zip(owing, counters) {
            finish(index, .change(changed: writes.didChange(index), count: counter.count), &turn)
        }
    }

    mutating func pairsRead(_ asked: [PairRead], _ states: [PairState], _ permit: WritePermit, _ turn: inout Turn) {
        noteRead(states.map(\.counter), permit, isOffered: { asked[$0].change != nil }, &turn)
        for (read, state) in zip(asked, states) {
            switch read.asker {
            case .part(let part): give(state.liked ? 1 : 0, to: part, &turn)
            case .change(let index): confirmed(index, isLiked: state.liked, count: state.counter.count, &turn)
            }
        }
    }

    /// Counters that came with something else. (A fetch is told of those.)
    ///
    /// What came with a change and is news to this host, `isOffered` says so by place, is offered to Redis: it says so
    /// if it has something newer, which PostgreSQL is then asked about. So a reply of LIKE and the next COUNT agree.
    mutating func noteRead(
        _ counters: [CounterState], _ permit: WritePermit, isOffered: (Int) -> Bool, _ turn: inout Turn
    ) {
        holdAgainstKnown(counters, permit, &turn)
        guard permit.era == coherence.past.era else { return }
        var news: [Item: CounterState] = [:]
        for (place, counter) in counters.enumerated() {
            if isOffered(place), known.newest(counter.item)?.0 != counter { news[counter.item] = counter }
            known.read(counter, now: turn.now)
            reads.noteNewer(counter)
        }
        guard safeguards.contradictions, !news.isEmpty else { return }
        fill(news.values.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }, permit, &turn)
    }

    /// Ends a fetch; the newest state known is everyone's answer, and is returned. `permit` given before it was
    /// asked for: an answer that took too long, or past a lost subscription, is one, but no fresh one. `secondsMax`:
    /// how long it is fresh in the cache at most; nil: the TTL.
    private mutating func finishFetch(
        _ fetched: CounterState, secondsMax: Int?, _ permit: WritePermit, _ turn: inout Turn
    ) -> CounterState {
        let (waiting, committed) = reads.finish(fetched.item, clients)
        let standing = known.fetched(
            fetched, committed: committed, secondsMax: secondsMax,
            isFresh: permit.isFresh(writePermit(now: turn.now)), isOfThisEra: permit.era == coherence.past.era,
            now: turn.now)
        for part in waiting { give(standing.count, to: part, &turn) }
        return standing
    }

    // MARK: Filling Redis

    /// Puts into Redis what PostgreSQL had. Without a subscription it would not be known what was newer.
    mutating func fill(_ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn) {
        guard redis.subscriber.isUp, !reader.isStandby, permit.holds(writePermit(now: turn.now)),
            let generation = permit.generation
        else { return }
        guard redis.calls[.fill] < limits.fillsInFlightMax else {
            reports.statistics.fillsLeftOut += Int64(counters.count)
            return
        }
        let newest = written(counters, isFill: true, now: turn.now)
        redis.call(.fill(permit), .fill(generation, coherence.sealed(newest, generation, permit)), &turn)
    }
}
