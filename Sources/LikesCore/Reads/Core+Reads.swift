import LikesProtocol
import LikesStorage

// The read path: local cache, Redis, PostgreSQL for counts; PostgreSQL for pairs.
extension Core {
    /// One count asked for. Behind an unanswered change of the same item and connection it waits for that; it takes the
    /// change's count when PostgreSQL has not been asked for it yet, or a newer one that is known by then. One that was
    /// read before may be older than what others were told in between.
    mutating func count(_ item: Item, _ part: Part, _ turn: inout Turn) {
        guard let index = lastChange(before: part.ticket, where: { $0.pair.item == item }) else {
            return fetchCount(item, part, &turn)
        }
        let source: CountBehind
        switch changes[index].stage {
        case .following, .admission, .held, .queued: source = .ofChange
        // No later batch of this host is acknowledged before one on the wire is answered.
        case .sent: source = .ofSentChange
        case .verifying, .counting, .writingThrough: source = .asked
        }
        followers[changes[index].ticket, default: []].append(.count(part, item, source))
        switch source {
        case .asked: return
        case .ofChange, .ofSentChange, .newer: sessions.follow(part.ticket, item)
        }
    }

    mutating func fetchCount(_ item: Item, _ part: Part, _ turn: inout Turn) {
        if let count = cache.fresh(item, now: turn.now) {
            statistics.localHits += 1
            resolve(part, count, &turn)
        } else {
            statistics.localMisses += 1
            fetches.join(
                item, part, isSmall: asksForFew(part.ticket.connection), mayWait: safeguards.fetchJoining)
        }
    }

    private func asksForFew(_ connection: ConnectionID) -> Bool {
        sessions.isOpen(connection) && sessions[connection].weightInFlight <= Limits.fewInFlightMax
    }

    /// One pair asked for. Behind an unanswered change of the same pair and connection it waits for that; its answer
    /// is the change's own when the change had not been sent yet, else PostgreSQL is asked.
    mutating func liked(_ pair: Pair, _ part: Part, _ turn: inout Turn) {
        guard let index = lastChange(before: part.ticket, where: { $0.pair == pair }) else {
            pairQueue.append(PairRead(pair: pair, asker: .part(part)))
            return
        }
        let answer: Bool?
        switch changes[index].stage {
        case .following, .admission, .held, .queued: answer = changes[index].kind == .like
        case .verifying, .sent, .counting, .writingThrough: answer = nil
        }
        followers[changes[index].ticket, default: []].append(.liked(part, pair, answer: answer))
        if answer != nil { sessions.follow(part.ticket, pair.item) }
    }

    /// The latest unanswered change that came before the request on its connection and fits.
    private func lastChange(before ticket: Ticket, where fits: (Change) -> Bool) -> ChangeIndex? {
        guard sessions.isOpen(ticket.connection), sessions[ticket.connection].changesWaiting > 0 else { return nil }
        let session = sessions[ticket.connection]
        let own = Int(ticket.sequence &- session.firstSequence)
        for offset in stride(from: min(own, session.slots.count) - 1, through: 0, by: -1) {
            if case .waiting(.change(let index)) = session.slots[offset], fits(changes[index]) { return index }
        }
        return nil
    }

    // MARK: Sending

    mutating func sendReads(_ turn: inout Turn) {
        if let generation = readableGeneration {
            while fetches.hasForRedis, calls[.read] < limits.callsInFlightMax {
                let taken = fetches.takeForRedis(max: limits.countersPerCallMax)
                let items = taken.filter { !repairs.contains($0) }
                if items.count < taken.count { askDatabase(taken.filter(repairs.contains), &turn) }
                if items.isEmpty { continue }
                turn.append(
                    .readCounters(
                        calls.begin(.readCounters(items, generation, writePermit(now: turn.now)), now: turn.now),
                        generation,
                        items))
            }
        } else {
            askDatabase(fetches.takeForRedis(max: .max), &turn)
        }
        guard reader.isUp else { return }
        readRepairs(&turn)
        while fetches.hasForDatabase, calls[.counterSelect] < limits.callsInFlightMax {
            let items = fetches.takeForDatabase(max: limits.countersPerCallMax)
            if items.isEmpty { continue }
            turn.append(
                .selectCounters(
                    calls.begin(.selectCounters(.fetches(items, writePermit(now: turn.now))), now: turn.now), items))
        }
        // A standby may not have yet what was acknowledged.
        guard canAskPrimary else { return }
        while !countQueue.isEmpty, calls[.counterSelect] < limits.callsInFlightMax { sendOwedCounts(&turn) }
        while !pairQueue.isEmpty, calls[.pairSelect] < limits.callsInFlightMax {
            var reads: [PairRead] = []
            while reads.count < limits.pairsPerCallMax, let read = pairQueue.popFirst() { reads.append(read) }
            let id = calls.begin(.selectPairs(reads, writePermit(now: turn.now)), now: turn.now)
            turn.append(.selectPairs(id, reads.map(\.pair)))
        }
    }

    private mutating func sendOwedCounts(_ turn: inout Turn) {
        var owing: [ChangeIndex] = []
        while owing.count < limits.countersPerCallMax, let index = countQueue.popFirst() {
            owing.append(index)
        }
        let id = calls.begin(.selectCounters(.changes(owing, writePermit(now: turn.now))), now: turn.now)
        turn.append(.selectCounters(id, owing.map { changes[$0].pair.item }))
    }

    // MARK: Answers

    /// For each item, in order, its counter or nil on a miss.
    package mutating func countersRead(
        _ call: CallID, _ counters: [SealedCounter?], _ turn: inout Turn
    ) {
        guard case .readCounters(let items, let generation, let permit)? = calls.end(call) else { return }
        guard items.count == counters.count else {
            return disbelieve(
                .readCounters(items, generation, permit), .otherNumber(of: "counters"), &turn)
        }
        if !items.isEmpty { redisRefusals[.reading] = nil }
        guard generation == trust.generation else { return askDatabase(items, &turn) }
        var missed: [Item] = []
        for (item, sealed) in zip(items, counters) {
            if let counter = believed(sealed, generation, &turn), !repairs.contains(item) {
                statistics.redisHits += 1
                let known = safeguards.counterMemory ? recent.newest(counter) : counter
                let secondsMax = sealed.flatMap { sealer.cachedSecondsMax($0, now: turn.now) }
                if secondsMax == nil, sealer.secret != nil { hasBelievedAged = true }
                let standing = finishFetch(known, secondsMax: secondsMax, permit, &turn)
                // Redis is behind what this host knows: a write-through was lost, or a stranger put back an old one.
                if standing.version > counter.version, safeguards.repairs {
                    repairs.reread([standing.item], from: standing.version, heldBackFrom: turn.now)
                }
            } else {
                statistics.redisMisses += 1
                missed.append(item)
            }
        }
        askDatabase(missed, &turn)
    }

    /// nil: there is none that may be an answer now.
    private mutating func believed(
        _ sealed: SealedCounter?, _ generation: Generation, _ turn: inout Turn
    ) -> CounterState? {
        guard let sealed else { return nil }
        switch standing(of: sealed, token: generation.token, now: turn.now) {
        case .believed: return sealed.counter
        case .aged:
            statistics.agedCounters += 1
            // In case PostgreSQL does not answer.
            if cache.stale(sealed.counter.item) == nil { cache.storeStale(sealed.counter, now: turn.now) }
            return nil
        case .forged:
            noteForged(.counter, &turn)
            return nil
        }
    }

    /// For each item, in order; an item without a row has count 0 and version 0.
    package mutating func countersSelected(
        _ call: CallID, _ counters: [CounterState], _ turn: inout Turn
    ) {
        guard case .selectCounters(let select)? = calls.end(call) else { return }
        guard counters.count == select.count else {
            return disbelieve(.selectCounters(select), .otherNumber(of: "counters"), &turn)
        }
        reader.proved()
        switch select {
        case .fetches(_, let permit):
            if !isReaderStandby { holdAgainstKnown(counters, permit, &turn) }
            var fills: [CounterState] = []
            for counter in counters {
                statistics.databaseReads += 1
                fills.append(finishFetch(counter, permit, &turn))
            }
            fill(fills, permit, &turn)
        case .repairs(let page, _, let permit):
            // Other hosts may have had no way to tell this one.
            noteRead(counters, permit, isOffered: { _ in false }, &turn)
            repairs.read(page, counters)
        case .doubts(let claims, let era): settleDoubts(claims, era: era, counters, &turn)
        case .changes(let owing, let permit):
            noteRead(counters, permit, isOffered: { _ in true }, &turn)
            for (index, counter) in zip(owing, counters) {
                guard case .counting(let changed) = changes[index].stage else {
                    preconditionFailure("a count that is not owed")
                }
                finish(index, .change(changed: changed, count: counter.count), &turn)
            }
        }
    }

    /// Counters that came with something else. They do not enter the cache where nothing is held of the item: a newer
    /// one may have left the cache while this one was on its way. (A fetch is told of those.)
    ///
    /// What came with a change and is news to this host, `isOffered` says so by place, is offered to Redis: it says so
    /// if it has something newer, which PostgreSQL is then asked about. So a reply of LIKE and the next COUNT agree.
    private mutating func noteRead(
        _ counters: [CounterState], _ permit: WritePermit, isOffered: (Int) -> Bool, _ turn: inout Turn
    ) {
        holdAgainstKnown(counters, permit, &turn)
        guard permit.era == past.era else { return }
        var news: [Item: CounterState] = [:]
        for (place, counter) in counters.enumerated() {
            if isOffered(place), newestKnown(counter.item)?.0 != counter { news[counter.item] = counter }
            if cache.update(counter) { recent.know(counter, now: turn.now) }
            noteNewer(counter)
        }
        guard safeguards.contradictions, !news.isEmpty else { return }
        fill(
            news.values.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }, permit, &turn)
    }

    /// Redis can't be asked, or has them not.
    private mutating func askDatabase(_ items: [Item], _ turn: inout Turn) {
        for item in items { moveToDatabase(item) }
        serveStale(items, &turn)
    }

    mutating func moveToDatabase(_ item: Item) {
        let (sessions, gathers) = (sessions, gathers)
        fetches.moveToDatabase(item) { Self.isWaited($0, sessions, gathers) }
    }

    /// A part of a reply stopped waiting for the item's count.
    mutating func leaveFetch(_ item: Item) {
        let (sessions, gathers) = (sessions, gathers)
        fetches.leave(item) { Self.isWaited($0, sessions, gathers) }
    }

    private mutating func endFetch(_ item: Item) -> (waiting: [Part], committed: CounterState?) {
        let (sessions, gathers) = (sessions, gathers)
        return fetches.finish(item) { Self.isWaited($0, sessions, gathers) }
    }

    /// For each pair, in order.
    package mutating func pairsSelected(
        _ call: CallID, _ states: [PairState], _ turn: inout Turn
    ) {
        guard case .selectPairs(let reads, let permit)? = calls.end(call) else { return }
        guard reads.count == states.count else {
            return disbelieve(.selectPairs(reads, permit), .otherNumber(of: "pairs"), &turn)
        }
        reader.proved()
        let isOffered: (Int) -> Bool = { if case .change = reads[$0].asker { true } else { false } }
        noteRead(states.map(\.counter), permit, isOffered: isOffered, &turn)
        for (read, state) in zip(reads, states) {
            switch read.asker {
            case .part(let part): resolve(part, state.liked ? 1 : 0, &turn)
            case .change(let index):
                verified(index, isLiked: state.liked, count: state.counter.count, &turn)
            }
        }
    }

    /// Ends a fetch; the newest state known is everyone's answer, and is returned. `permit` given before it was
    /// asked for: an answer that took too long, or past a lost subscription, is one, but no fresh one. `secondsMax`:
    /// how long it is fresh in the cache at most; nil: the TTL.
    private mutating func finishFetch(
        _ fetched: CounterState, secondsMax: Int? = nil, _ permit: WritePermit, _ turn: inout Turn
    ) -> CounterState {
        let isFresh = permit.isFresh(writePermit(now: turn.now))
        var standing = fetched
        if isFresh {
            standing = cache.store(fetched, secondsMax: secondsMax, now: turn.now)
        } else if permit.era == past.era {
            if cache.update(fetched) { recent.know(fetched, now: turn.now) }
            if let held = cache.stale(fetched.item), held.version > fetched.version { standing = held }
        }
        let (waiting, committed) = endFetch(fetched.item)
        if let committed, committed.version > standing.version {
            standing = isFresh ? cache.store(committed, secondsMax: secondsMax, now: turn.now) : committed
        }
        for part in waiting { resolve(part, standing.count, &turn) }
        return standing
    }

    /// With PostgreSQL away, an expired count is better than none.
    mutating func serveStale(_ items: [Item], _ turn: inout Turn) {
        guard !reader.isUp else { return }
        for item in items {
            guard let stale = cache.stale(item) else { continue }
            statistics.staleServed += 1
            for part in fetches.drop(item) { resolve(part, stale.count, &turn) }
        }
    }
}
