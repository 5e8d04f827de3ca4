/// The passes over `cache_repairs`, from which this host learns what all hosts could not write to Redis. It reads no
/// counters from a node of Redis until one pass has seen every row of the node's items.
struct RepairPasses {
    private(set) var nextAt: Instant
    private(set) var pass: RepairPass?
    private var history = RepairPassHistory()
    /// The last pass over the whole table. A node that stays down leaves ever more rows there, which nobody takes in.
    private var wholeTable: (endedAt: Instant, tookMs: Int64)?
    private var nodes: [NodePasses]

    /// What the passes have found of one node's items.
    private struct NodePasses {
        /// A whole pass was made since the node's data was identified.
        var isComplete = false
        /// Since when the node's counters cannot be read, because they may have to be repaired.
        var isIncompleteSince: Instant
        /// The pass under way began before the node's data was last identified.
        var isEarly = false
        /// Rows were left out, which only a pass over the whole table finds.
        var hasGaps = false

        mutating func lack(now: Instant) {
            if isComplete { isIncompleteSince = now }
            isComplete = false
        }
    }

    init(now: Instant) {
        nextAt = now
        nodes = [NodePasses(isIncompleteSince: now)]
    }

    mutating func addNode(now: Instant) { nodes.append(NodePasses(isIncompleteSince: now)) }

    /// A whole pass was made since the node's data was identified.
    func isComplete(_ node: NodePlace) -> Bool { nodes[node].isComplete }
    /// Since when the node's counters cannot be read, because they may have to be repaired.
    func isIncompleteSince(_ node: NodePlace) -> Instant { nodes[node].isIncompleteSince }
    /// Whether rows of the node's items were left out.
    func hasGaps(_ node: NodePlace) -> Bool { nodes[node].hasGaps }

    /// The node's data was identified. `knowsMore`: what was known to be missing before is still known, so only what
    /// was noted since is new.
    mutating func identified(_ node: NodePlace, knowsMore: Bool, now: Instant) {
        guard knowsMore, !nodes[node].hasGaps else { return startOver(node, now: now) }
        nodes[node].isIncompleteSince = now
        nodes[node].isEarly = pass != nil
        nextAt = now
    }

    /// Rows were noted just now.
    mutating func passSoon(now: Instant) { nextAt = min(nextAt, now) }

    /// The node's data was lost sight of.
    mutating func lose(_ node: NodePlace) { nodes[node].isComplete = false }

    /// Begins a pass. Returns the place in the table after which its rows stand. `settledBefore`: rows of transactions
    /// before this one need no repair.
    mutating func begin(settledBefore: Int64, now: Instant) -> RepairSelect {
        let begin = mayReadWholeTable(now: now) ? history.begin(now: now) : history.recent(now: now)
        pass = RepairPass(begunAt: now, isFull: begin == nil, leftFrom: history.seenFrom(now: now))
        if begin == nil { for node in nodes.indices { nodes[node].hasGaps = false } }
        return RepairSelect(
            after: RepairCursor(begin: max(begin ?? 0, settledBefore)), settledBefore: begin == nil ? settledBefore : 0)
    }

    /// Unless something new has to be found, passes over the whole table take a tenth of the time at most.
    func mayReadWholeTable(now: Instant) -> Bool {
        wholeTable.map { last in
            now.ms(since: last.endedAt) >= min(Limits.repairPauseShare * last.tookMs, Limits.repairPauseMsMax)
        } ?? true
    }

    /// PostgreSQL answered a call of the pass. `horizon`: of the answer's snapshot.
    mutating func goOn(horizon: Int64) { if pass?.horizon == nil { pass?.horizon = horizon } }

    /// The node takes no more rows, and the pass goes on without its rows.
    mutating func leaveOut(_ node: NodePlace, now: Instant) {
        nodes[node].lack(now: now)
        nodes[node].hasGaps = true
    }

    /// There is no room for more rows. The pass goes on behind this place once there is.
    mutating func pause(after cursor: RepairCursor, now: Instant) {
        pass?.pausedAt = cursor
        pass?.pausedFrom = now
        for node in nodes.indices { nodes[node].lack(now: now) }
    }

    mutating func resume(now: Instant) {
        let pausedFrom = pass?.pausedFrom ?? now
        pass?.pausedMs += now.ms(since: pausedFrom)
        pass?.pausedAt = nil
        pass?.pausedFrom = nil
    }

    /// `isWhole`: every row that there was at the beginning is known now. `isIdentified`: whether the node's data is
    /// identified.
    mutating func end(isWhole: Bool, isIdentified: (NodePlace) -> Bool, now: Instant, nextAt: Instant) {
        guard let ended = pass else { return }
        pass = nil
        if ended.isFull { wholeTable = (now, now.ms(since: ended.begunAt) - ended.pausedMs) }
        // A pass that began too early is followed by one that counts.
        self.nextAt = ended.counts && !nodes.contains(where: \.isEarly) ? nextAt : now
        if isWhole, ended.counts { history.note(ended) }
        for node in nodes.indices {
            defer { nodes[node].isEarly = false }
            // What this pass was to find for others was forgotten.
            if !ended.counts, nodes[node].isComplete, isIdentified(node) { continue }
            let isSeen = isWhole && ended.counts && !nodes[node].isEarly && !nodes[node].hasGaps
            if isSeen, isIdentified(node) { nodes[node].isComplete = true } else { nodes[node].lack(now: now) }
        }
    }

    /// Something known to be missing on the node was forgotten. A new pass over the whole table has to find it.
    mutating func startOver(_ node: NodePlace, now: Instant) {
        nodes[node].isComplete = false
        nodes[node].isIncompleteSince = now
        pass?.counts = false
        if pass?.pausedAt != nil { pass = nil }
        history = RepairPassHistory()
        nextAt = now
    }

    func checkInvariants() {
        precondition(
            pass?.pausedAt == nil || !nodes.contains(where: \.isComplete),
            "a pass that waits for room has not seen every row")
        precondition(!nodes.contains { $0.isComplete && $0.hasGaps }, "rows that were left out are not known")
    }
}

/// One pass over the rows of `cache_repairs`, chunk by chunk.
struct RepairPass {
    let begunAt: Instant
    /// Over all rows, not only recent ones.
    let isFull: Bool
    /// Rows of transactions before this one were seen for so long that they are no longer left to other hosts.
    let leftFrom: Int64
    /// What the pass has found is still known.
    var counts = true
    /// The oldest transaction that was still running when its first chunk was read; nil: no chunk was read yet.
    var horizon: Int64?
    /// The pass waits for room, behind this place.
    var pausedAt: RepairCursor?
    /// Since when it waits, and for how long it has waited before.
    var pausedFrom: Instant?
    var pausedMs: Int64 = 0
}

/// Which rows the next pass has to read. It leaves out those noted by transactions that had ended before an earlier
/// pass.
///
/// Passes see a row until `repairRowsSeenMs` after it was noted. So a row whose repair was left to another host is
/// found again if that host did not strike it off. Later only passes over the whole table find it; the second of these
/// comes as soon as that time is over. So all other passes have to skip only as many dead rows as were noted in that
/// time, however long a snapshot keeps them.
struct RepairPassHistory {
    /// Whole passes, oldest first.
    private var passes = Ring<(begunAt: Instant, horizon: Int64)>()
    private var fullBegunAt: Instant?
    private var fullCount = 0

    mutating func note(_ pass: RepairPass) {
        guard let horizon = pass.horizon else { return }
        passes.append((pass.begunAt, horizon))
        guard pass.isFull else { return }
        fullBegunAt = pass.begunAt
        fullCount += 1
    }

    /// The first transaction whose rows a pass that begins now reads; nil: the pass is over the whole table.
    mutating func begin(now: Instant) -> Int64? {
        let fullMs = fullCount > 1 ? Limits.repairFullPassMs : Limits.repairRowsSeenMs
        guard let fullBegunAt, now.ms(since: fullBegunAt) < fullMs else { return nil }
        return recent(now: now)
    }

    /// The same for a pass that does not have to be over the whole table; nil: no pass was made yet.
    mutating func recent(now: Instant) -> Int64? {
        // Keep the last of the passes that are old enough.
        while passes.count > 1, now.ms(since: passes[1].begunAt) >= Limits.repairRowsSeenMs { passes.popFirst() }
        return passes.first?.horizon
    }

    /// The first transaction that may have noted rows less than `repairRowsSeenMs` ago; 0: any may have.
    func seenFrom(now: Instant) -> Int64 {
        guard let first = passes.first, now.ms(since: first.begunAt) >= Limits.repairRowsSeenMs else { return 0 }
        return first.horizon
    }
}
