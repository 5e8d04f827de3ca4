import LikesProtocol
import LikesStorage

// The path of a change after its admission: confirming its hint, a batch, write-through, its reply.
extension Core {
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
        guard redis.places.allSatisfy({ redis[$0].calls[.writeThrough] < limits.writeThroughsInFlightMax }) else {
            return
        }
        var taken = writes.takeBatch()
        guard !taken.batch.isEmpty else { return }
        for index in taken.changes { writes.end(.queue, of: index, now: turn.now) }
        reports.noteBatch(changes: taken.changes.count)
        let rows = taken.batch.seal(isSorted: safeguards.rowOrder)
        let cutOff = cutOff(rows)
        let request = CommitRequest(
            fence: fence, batch: lane.row.beginBatch(), rows: rows,
            journal: takeJournal(with: cutOff == .none ? rows : rows.filter { !cutOff.contains($0.pair.item) }),
            cutOff: cutOff, server: lane.row.servers.next(servers).joined(separator: ","))
        let sent = SentBatch(
            batch: taken.batch, changes: taken.changes, request: request, permit: writePermit(now: turn.now),
            isSuspect: taken.isSuspect)
        lane.call(.commit(sent), .commit(request), &turn)
    }

    /// Which of the rows' items cannot be written to Redis.
    private func cutOff(_ rows: [BatchRow]) -> CutOff {
        guard safeguards.repairTable else { return .none }
        let unwritable = redis.inUse.count { writableGeneration($0) == nil }
        if unwritable == 0, redis.isWhole { return .none }
        if unwritable == redis.inUse.count { return .all }
        let items = Set(rows.lazy.map(\.pair.item).filter { self.writableNode(of: $0) == nil })
        return items.isEmpty ? .none : .some(items)
    }

    /// What each node that may be written calls itself, and its place.
    private var servers: [String: NodePlace] {
        var servers: [String: NodePlace] = [:]
        for node in redis.inUse { if let generation = writableGeneration(node) { servers[generation.server] = node } }
        return servers
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
        progressed(.storing, now: turn.now)
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
            writes.end(.commit, of: index, now: turn.now)
            guard let count = result.count else {
                writes.owe(index, changed: result.changed)
                continue
            }
            if !newer.isEmpty, let known = newer[writes.changes[index].pair.item] { overtake(index, known.count) }
            if writes.writeThrough(index, .change(changed: result.changed, count: count)) { waiting.append(index) }
        }
        let recentLikes = sent.batch.recentLikes(changed: outcome.changed)
        if outcome.counters.isEmpty, recentLikes.isEmpty { return }
        for (node, part) in parts(outcome.counters, recentLikes, for: waiting) {
            if let node, writeThrough(part, sent.permit, to: node, &turn) { continue }
            // Without Redis, the batch itself has noted what it changed, for all hosts.
            let isWritable = node.map { writableGeneration($0) != nil } ?? false
            let unnoted = isWritable ? part.counters : part.counters.filter { !sent.request.cutOff.contains($0.item) }
            noteMissing(unnoted, now: turn.now)
            finishWritten(part.waiting, &turn)
        }
    }

    /// What one node is given of a batch.
    private struct Part {
        var counters: [CounterState] = []
        var recentLikes: [RecentLike] = []
        /// The changes whose counters are among these.
        var waiting: [ChangeIndex] = []
    }

    /// Divides a batch by nodes. nil: nobody has named the node.
    private func parts(
        _ counters: [CounterState], _ recentLikes: [RecentLike], for waiting: [ChangeIndex]
    ) -> [(node: NodePlace?, Part)] {
        guard redis.places.count > 1 else {
            return [(0, Part(counters: counters, recentLikes: recentLikes, waiting: waiting))]
        }
        var parts: [NodePlace?: Part] = [:]
        for counter in counters { parts[redis.node(of: counter.item), default: Part()].counters.append(counter) }
        for index in waiting {
            parts[redis.node(of: writes.changes[index].pair.item), default: Part()].waiting.append(index)
        }
        for like in recentLikes {
            guard let node = redis.nodeOfRecentLikes(user: like.pair.user) else { continue }
            parts[node, default: Part()].recentLikes.append(like)
        }
        return parts.sorted { $0.key ?? -1 < $1.key ?? -1 }.map { ($0.key, $0.value) }
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
        let current = writePermit(now: now)
        let (newest, newer) = known.committed(
            counters, isYoung: permit.isYoung(at: now),
            isFresh: { item in redis.node(of: item).map { permit.isFresh(current, on: $0) } ?? false },
            node: { redis.node(of: $0) }, now: now)
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
        progressed(.storing, now: turn.now)
        noteMissing(zip(sent.request.rows, changed).filter(\.1).map(\.0.pair.item), now: turn.now)
        for (index, didChange) in zip(sent.changes, sent.batch.replay(changed: changed)) {
            writes.owe(index, changed: didChange)
        }
        let recentLikes = sent.batch.recentLikes(changed: changed)
        guard !recentLikes.isEmpty else { return }
        let permit = writePermit(now: turn.now)
        for case (let node?, let part) in parts([], recentLikes, for: []) {
            _ = writeThrough(part, permit, to: node, &turn)
        }
    }

    /// Puts a batch's counters and recent likes into the node, which tells all hosts. False: the permit no longer
    /// allows it, and the counters are repaired instead.
    private mutating func writeThrough(
        _ part: Part, _ permit: WritePermit, to node: NodePlace, _ turn: inout Turn
    ) -> Bool {
        let current = writePermit(now: turn.now)
        guard let generation = permit.generation(on: node), generation == current.generation(on: node),
            permit.isYoung(at: turn.now)
        else { return false }
        // The subscription has changed, so a newer count may have been missed. This one may be older for a moment,
        // which is better than keeping the count from before the change.
        if !permit.holds(current, on: node) { noteMissing(part.counters.map(\.item), now: turn.now) }
        let newest = noteWriting(part.counters, isFill: false, on: node, now: turn.now)
        let sealed = coherence.sealed(newest, generation, permit)
        redis.call(
            .writeThrough(part.waiting, newest, current),
            .writeThrough(generation, counters: sealed, recent: part.recentLikes), on: node, &turn)
        return true
    }

    /// Returns the newest known state of each counter, to be put into Redis.
    mutating func noteWriting(
        _ counters: [CounterState], isFill: Bool, on node: NodePlace, now: Instant
    ) -> [CounterState] {
        coherence[node].heartbeat.write(now: now)
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
        reports.note(change, reply, now: turn.now)
        answer(change.ticket, reply, &turn)
    }
}
