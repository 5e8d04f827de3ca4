import LikesProtocol
import LikesStorage

// The read path. Counts: local cache, Redis, PostgreSQL. Pairs and lists: PostgreSQL.
extension Core {
    /// What is known of the item, however old, for when nothing better can be had in time; nil: nothing. Never older
    /// than what was committed here while the count was being read.
    func staleCount(_ item: Item) -> CounterState? {
        guard let newer = reads.newer(item) else { return known.stale(item) }
        return known.stale(item).map { $0.version > newer.version ? $0 : newer } ?? newer
    }

    /// A client asks for one count. If an unanswered change of the same item and connection came before, the read waits
    /// for it. It takes the change's count if PostgreSQL has not been asked for that yet, or a newer count that is
    /// known by then. A count read earlier may be older than what others were told in between.
    mutating func count(_ item: Item, _ part: Part, _ turn: inout Turn) {
        let earlier = clients.lastChange(before: part.ticket, among: writes.changes) { $0.pair.item == item }
        guard let earlier else { return fetchCount(item, part, &turn) }
        let source: CountBehind
        switch writes.changes[earlier].stage {
        case .following, .admission, .held, .queued: source = .ofChange
        // While this batch is on the wire, no later batch of this host is acknowledged.
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
            give(count, isCached: true, to: part, &turn)
        } else {
            reports.statistics.localMisses += 1
            reads.join(
                item, part, on: redis.node(of: item), isSmall: clients.sessions.asksForFew(part.ticket.connection))
        }
    }

    /// A client asks for one pair. If an unanswered change of the same pair and connection came before, the read waits
    /// for it. It takes the change's own result if the change had not been sent yet. Otherwise PostgreSQL is asked. If
    /// a list that waits came last, the read waits for that: it must show nothing older.
    mutating func liked(_ pair: Pair, _ part: Part, _ turn: inout Turn) {
        let earlier = clients.lastChangeOrList(
            before: part.ticket, among: writes.changes, change: { $0.pair == pair }, list: { $0.sees(pair) })
        let change: ChangeIndex
        switch earlier {
        case nil: return reads.ask(PairRead(pair: pair, asker: .part(part)))
        case .list(let ticket)?: return clients.followers.append(.liked(part, pair, answer: nil), behind: ticket)
        case .change(let index)?: change = index
        }
        let answer: Bool?
        switch writes.changes[change].stage {
        case .following, .admission, .held, .queued: answer = writes.changes[change].kind == .like
        case .confirming, .sent, .counting, .writingThrough: answer = nil
        }
        clients.followers.append(.liked(part, pair, answer: answer), behind: writes.changes[change].ticket)
        if answer != nil { clients.sessions.follow(part.ticket, pair.item) }
    }

    /// A client asks for a page. If unanswered changes of its connection that the page may show came before, or lists
    /// that wait themselves, it waits for them, one after the other.
    mutating func list(_ read: ListRead) {
        let earlier = clients.lastChangeOrList(
            before: read.ticket, among: writes.changes, change: { read.query.sees($0.pair) },
            list: { $0.overlaps(read.query) })
        switch earlier {
        case nil:
            clients.sessions.ask(read)
            reads.ask(read)
        case .list(let ticket)?: clients.followers.append(.list(read), behind: ticket)
        case .change(let index)?: clients.followers.append(.list(read), behind: writes.changes[index].ticket)
        }
    }

    // MARK: Sending

    mutating func sendReads(_ turn: inout Turn) {
        for node in redis.places { sendReads(to: node, &turn) }
        guard reader.link.isUp else { return }
        readRepairs(&turn)
        let isShared = sendToStandbys(&turn)
        while reads.hasForPrimary(isOnly: isShared), reader.calls[.counts] < limits.callsInFlightMax {
            let items = reads.takeForPrimary(isOnly: isShared, max: limits.countersPerCallMax)
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
        sendPairsAndLists(&turn)
    }

    private mutating func sendPairsAndLists(_ turn: inout Turn) {
        while let next = reads.next {
            switch next {
            case .pairs:
                guard reader.calls[.pairs] < limits.callsInFlightMax else { return }
                let taken = reads.takePairs(max: limits.pairsPerCallMax)
                reader.call(.pairs(taken, writePermit(now: turn.now)), .selectPairs(taken.map(\.pair)), &turn)
            case .lists:
                guard reader.calls[.lists] < limits.callsInFlightMax else { return }
                let taken = reads.takeLists(max: limits.listsPerCallMax, rowsMax: limits.listRowsPerCallMax)
                reader.call(.lists(taken), .selectLists(taken.map(\.query)), &turn)
            }
        }
    }

    private mutating func sendReads(to node: NodePlace, _ turn: inout Turn) {
        guard let generation = readableGeneration(node) else {
            return askDatabase(reads.takeForRedis(node, max: .max), &turn)
        }
        while reads.hasForRedis(node), redis[node].calls[.read] < limits.callsInFlightMax {
            let taken = reads.takeForRedis(node, max: limits.countersPerCallMax)
            let items = repairs.without(taken, on: node)
            if items.count < taken.count { askDatabase(repairs.among(taken, on: node), &turn) }
            if items.isEmpty { continue }
            redis.call(
                .readCounters(items, generation, writePermit(now: turn.now)), .readCounters(generation, items),
                on: node, &turn)
        }
    }

    /// Redis cannot be asked, or lacks these items.
    mutating func askDatabase(_ items: [Item], _ turn: inout Turn) {
        reads.moveToDatabase(items, isOnlyPrimary: false, clients)
        serveStale(items, &turn)
    }

    /// While the reader is down, an expired count is better than none.
    mutating func serveStale(_ items: [Item], _ turn: inout Turn) {
        guard !reader.link.isUp else { return }
        for item in items {
            guard let stale = staleCount(item) else { continue }
            reports.statistics.staleServed += 1
            for part in reads.drop(item) { give(stale.count, isCached: true, to: part, &turn) }
        }
    }

    // MARK: Answers

    mutating func countersRead(
        _ items: [Item], _ counters: [SealedCounter?], _ generation: Generation, _ permit: WritePermit,
        on node: NodePlace, _ turn: inout Turn
    ) {
        if !items.isEmpty { noteRefusal(nil, of: .reading, on: node, &turn) }
        guard generation == coherence[node].trust.generation else { return askDatabase(items, &turn) }
        var missed: [Item] = []
        for (item, sealed) in zip(items, counters) {
            guard let sealed, let counter = believed(sealed, generation, &turn), !repairs.contains(item, on: node)
            else {
                reports.statistics.redisMisses += 1
                missed.append(item)
                continue
            }
            reports.statistics.redisHits += 1
            let secondsMax = coherence.sealer.cachedSecondsMax(sealed, now: turn.now)
            if secondsMax == nil, coherence.sealer.secret != nil { known.believedAged() }
            let standing = finishFetch(known.newest(counter), isFromRedis: true, secondsMax: secondsMax, permit, &turn)
            // Redis is behind what this host knows: a write-through was lost, or a stranger put an old counter back.
            if standing.version > counter.version, safeguards.repairs {
                repairs[node].reread([standing.item], from: standing.version, delayedFrom: turn.now)
            }
        }
        askDatabase(missed, &turn)
    }

    /// The counter from Redis, if it may be believed now; nil: it may not.
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
        if !reader.isStandby { compareWithKnown(counters, permit, &turn) }
        var fills: [CounterState] = []
        for counter in counters {
            reports.statistics.databaseReads += 1
            let standing = finishFetch(counter, isFromRedis: false, secondsMax: nil, permit, &turn)
            // Only what the primary has said goes into Redis.
            if standing.version == counter.version || !known.isFromStandby(standing) { fills.append(standing) }
        }
        fill(fills, permit, &turn)
    }

    /// PostgreSQL returned the counts for committed changes.
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

    mutating func listsRead(_ asked: [ListRead], _ pages: [ListPage], _ turn: inout Turn) {
        for (read, page) in zip(asked, pages) {
            let reply: Reply =
                switch page {
                case .items(let items): .array(items.map { .text(configuration.itemTypes.text(of: $0)) })
                case .users(let users): .integers(users)
                case .withoutIndex: .error(ErrorReply(.err, LikersQuery.withoutIndex))
                }
            answer(read.ticket, reply, &turn)
        }
    }

    /// Takes in counters that came along with another answer. Fetches under way learn of them.
    ///
    /// Counters that came with a change and are news to this host are offered to Redis (`isOffered`, by index). If
    /// Redis has something newer it says so, and PostgreSQL is asked about that. So the reply to a LIKE and the next
    /// COUNT agree.
    mutating func noteRead(
        _ counters: [CounterState], _ permit: WritePermit, isOffered: (Int) -> Bool, _ turn: inout Turn
    ) {
        compareWithKnown(counters, permit, &turn)
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

    /// Ends a fetch. The newest known state answers all who wait, and is returned. `permit` was given before the fetch
    /// was sent: an answer that took too long, or that came after the subscription was lost, still counts, but is not
    /// fresh. `secondsMax`: how long the count is fresh in the cache at most; nil: the TTL.
    private mutating func finishFetch(
        _ fetched: CounterState, isFromRedis: Bool, secondsMax: Int?, _ permit: WritePermit, _ turn: inout Turn
    ) -> CounterState {
        let (waiting, newer) = reads.finish(fetched.item, clients)
        let standing = known.fetched(
            fetched, newer: newer, secondsMax: secondsMax,
            isFresh: isFresh(permit, fetched.item, now: turn.now), isOfThisEra: permit.era == coherence.past.era,
            node: redis.node(of: fetched.item), now: turn.now)
        for part in waiting { give(standing.count, isCached: isFromRedis, to: part, &turn) }
        return standing
    }

    // MARK: Filling Redis

    /// Puts counts from PostgreSQL into Redis. Not without a subscription, since then this host would not hear of newer
    /// ones.
    mutating func fill(_ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn) {
        guard !reader.isStandby else { return }
        for case (let node?, let counters) in redis.byNode(counters, { $0.item }) {
            fill(counters, permit, on: node, &turn)
        }
    }

    private mutating func fill(
        _ counters: [CounterState], _ permit: WritePermit, on node: NodePlace, _ turn: inout Turn
    ) {
        guard redis[node].subscriber.isUp, permit.holds(writePermit(now: turn.now), on: node),
            let generation = permit.generation(on: node)
        else { return }
        guard redis[node].calls[.fill] < limits.fillsInFlightMax else {
            reports.statistics.fillsLeftOut += Int64(counters.count)
            return
        }
        let newest = noteWriting(counters, isFill: true, on: node, now: turn.now)
        redis.call(
            .fill(permit), .fill(generation, coherence.sealed(newest, generation, permit)), on: node, &turn)
    }

    /// Whether an answer about the item, asked for under the permit, may be taken as current.
    func isFresh(_ permit: WritePermit, _ item: Item, now: Instant) -> Bool {
        guard let node = redis.node(of: item) else { return permit.isYoung(at: now) }
        return permit.isFresh(nodePermit(node), era: coherence.past.era, on: node, now: now)
    }
}
