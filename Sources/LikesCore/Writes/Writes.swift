import LikesProtocol
import LikesSettings

/// The changes under way: their table, and the queues that each passes through from admission to its reply. Changes are
/// freed only here.
struct Writes {
    private(set) var changes = Changes()
    private var admission = AdmissionQueues()
    var localRate: LocalRate
    private(set) var confirmations = Confirmations()
    private var queue: WriteQueue
    private(set) var owed = OwedCounts()
    private let limits: Limits

    init(_ configuration: Configuration, _ limits: Limits) {
        self.limits = limits
        queue = WriteQueue(limits)
        localRate = LocalRate(
            requestsMax: configuration.rateLimitRequests, windowSeconds: configuration.rateLimitWindowSeconds,
            usersMax: limits.localRateUsersMax)
    }

    var count: Int { changes.count }

    /// The change has left the stage.
    mutating func end(_ stage: StageTimes.Stage, of index: ChangeIndex, now: Instant) {
        changes.end(stage, of: index, now: now)
    }

    mutating func accept(_ change: Change) -> (ChangeIndex, incarnation: UInt32) {
        let index = changes.insert(change)
        return (index, changes[index].incarnation)
    }

    /// Forgets a change that was never sent, or that was answered at its deadline. Nothing more happens with it.
    mutating func forget(_ index: ChangeIndex) { changes.release(index) }

    /// True: the change was answered at its deadline, and is forgotten now.
    mutating func forgetIfAnswered(_ index: ChangeIndex) -> Bool {
        guard changes[index].isAnswered else { return false }
        changes.release(index)
        return true
    }

    /// Frees the place of a change that is done, and returns the change; nil: it was already answered.
    mutating func finish(_ index: ChangeIndex) -> Change? {
        let change = changes[index]
        if case .counting = change.stage { owed.end(OwnItem(change)) }
        changes.release(index)
        return change.isAnswered ? nil : change
    }

    // MARK: Admission

    /// `node`: of Redis, which counts the user's rate; nil: nobody has named it.
    /// `isOrdered`: others may be asked about earlier changes of its connection and item.
    mutating func awaitAdmission(_ index: ChangeIndex, on node: NodePlace?, isOrdered: Bool) {
        changes[index].stage = .admission
        if isOrdered { admission.line(up: index, OwnItem(changes[index])) }
        admission.append(index, node)
    }

    /// The change follows an earlier request of its connection.
    mutating func follow(_ index: ChangeIndex) { changes[index].stage = .following }

    func awaitsAdmission(_ node: NodePlace) -> Bool { admission.has(node) }

    /// The next changes for the node to admit.
    mutating func takeForAdmission(_ node: NodePlace) -> [ChangeIndex] {
        var taken: [ChangeIndex] = []
        while taken.count < limits.admissionEntriesMax, let index = admission.take(node) {
            guard changes[index].isAnswered else {
                taken.append(index)
                continue
            }
            _ = admission.decide(index, OwnItem(changes[index]), nil)
            changes.release(index)
        }
        return taken
    }

    /// The next change to admit without the node.
    mutating func takeForLocalAdmission(_ node: NodePlace?) -> ChangeIndex? { admission.take(node) }

    /// Two nodes are asked about the change.
    mutating func splitAdmission(_ index: ChangeIndex) { admission.split(index) }

    /// One of those who were asked has decided. nil: another one has not yet, or the change is among those that
    /// `takeAdmitted` returns once earlier ones are decided as well.
    mutating func admitted(_ index: ChangeIndex, _ verdict: AdmissionVerdict) -> AdmissionVerdict? {
        guard let verdict = admission.join(index, verdict) else { return nil }
        return admission.decide(index, OwnItem(changes[index]), verdict) ? nil : verdict
    }

    mutating func takeAdmitted() -> (ChangeIndex, AdmissionVerdict)? { admission.takeReady() }

    // MARK: Confirming hints

    /// Sends the change to be confirmed: PostgreSQL is asked whether the pair is liked.
    mutating func confirm(_ index: ChangeIndex) {
        changes[index].stage = .confirming
        confirmations.begin()
    }

    mutating func hold(_ index: ChangeIndex, behind earlier: ChangeIndex) {
        changes[index].stage = .held
        confirmations.hold(index, behind: earlier)
    }

    /// The confirmation ended, in whatever way. Returns the changes held behind it, to be queued.
    mutating func endConfirmation(_ index: ChangeIndex) -> [ChangeIndex] { confirmations.end(index) }

    /// Nobody waits for the like any more, so PostgreSQL need not be asked.
    mutating func forgetConfirmation(_ index: ChangeIndex) {
        let behind = confirmations.end(index)
        changes.release(index)
        for later in behind { queue(later) }
    }

    // MARK: The write queue

    mutating func queue(_ index: ChangeIndex) {
        changes[index].stage = .queued
        queue.append(index)
    }

    mutating func takeBatch() -> WriteQueue.Taken {
        let owed = owed
        let taken = queue.takeBatch(changes) { owed.isCounting($0) }
        for index in taken.answered { changes.release(index) }
        for index in taken.changes { changes[index].stage = .sent }
        return taken
    }

    /// The batch certainly did not commit.
    mutating func requeue(_ sent: SentBatch) {
        for index in sent.changes { changes[index].stage = .queued }
        queue.prepend(sent.changes, isSuspect: sent.isSuspect)
    }

    mutating func takeApart(_ sent: SentBatch) {
        for index in sent.changes { changes[index].stage = .queued }
        queue.takeApart(sent.changes)
    }

    /// PostgreSQL rolled the batch back. Returns the changes that have failed too often, and the others, which are
    /// tried again.
    mutating func retry(_ sent: SentBatch) -> (again: [ChangeIndex], over: [ChangeIndex]) {
        var (again, over): ([ChangeIndex], [ChangeIndex]) = ([], [])
        for index in sent.changes {
            if changes[index].retries < Limits.batchRetriesMax {
                changes[index].retries += 1
                again.append(index)
            } else {
                over.append(index)
            }
        }
        return (again, over)
    }

    mutating func laneLost() { queue.unpark() }

    // MARK: Committed

    /// The change's counter is on the way to Redis, and the reply waits for that. False: the change was already
    /// answered.
    mutating func writeThrough(_ index: ChangeIndex, _ reply: Reply) -> Bool {
        if forgetIfAnswered(index) { return false }
        changes[index].stage = .writingThrough(reply)
        return true
    }

    /// The reply that waited for the write-through; nil: the change does not wait for one.
    func writtenThrough(_ index: ChangeIndex) -> Reply? {
        if case .writingThrough(let reply) = changes[index].stage { reply } else { nil }
    }

    /// The change is durable, and its reply waits for its item's count.
    mutating func owe(_ index: ChangeIndex, changed: Bool) {
        if forgetIfAnswered(index) { return }
        changes[index].stage = .counting(changed: changed)
        owed.append(index, OwnItem(changes[index]))
    }

    var owesCounts: Bool { !owed.isEmpty }

    mutating func takeOwedCounts(max: Int) -> [ChangeIndex] { owed.take(max: max) }

    mutating func putBack(owing: [ChangeIndex]) { owed.putBack(owing) }

    /// Whether the change that owed its count changed something.
    func didChange(_ index: ChangeIndex) -> Bool {
        guard case .counting(let changed) = changes[index].stage else {
            preconditionFailure("a count that is not owed")
        }
        return changed
    }

    // MARK: Deadlines

    /// What a change's deadline means for its reply.
    enum Expired {
        /// The change was not sent.
        case unavailable
        /// The change was sent, and its outcome is not known in time.
        case uncertain
        /// The reply is known; only Redis has not answered yet.
        case due(Reply)
    }

    /// Whoever still holds the change frees its place.
    mutating func expire(_ index: ChangeIndex) -> Expired {
        changes[index].isAnswered = true
        switch changes[index].stage {
        case .following, .admission, .confirming, .held, .queued:
            for later in confirmations.release(behind: index) { queue(later) }
            return .unavailable
        case .sent, .counting: return .uncertain
        case .writingThrough(let due): return .due(due)
        }
    }

    /// Drops answered changes at the heads of the queues.
    mutating func dropAnswered() {
        for index in queue.dropAnswered(changes) { changes.release(index) }
        for index in owed.dropAnswered(changes) {
            owed.end(OwnItem(changes[index]))
            changes.release(index)
        }
    }

    func checkInvariants() {
        confirmations.checkInvariants(changes)
        queue.checkInvariants(changes)
        owed.checkInvariants(changes)
        admission.checkInvariants(changes)
    }
}
