/// Admitted changes, in the order in which they go into batches.
struct WriteQueue {
    private var queue = Ring<ChangeIndex>()
    /// Also in stage `queued`. Used only while the lane is up; without it all changes are in `queue`.
    private var parked = Parked()
    /// Parts of batches that had a refused row. The last one is sent next.
    private var suspects: [[ChangeIndex]] = []
    private let batchChangesMax: Int

    init(_ limits: Limits) { batchChangesMax = limits.batchChangesMax }

    mutating func append(_ index: ChangeIndex) { queue.append(index) }

    /// The changes of a batch that certainly did not commit come first again, in order.
    mutating func prepend(_ changes: [ChangeIndex], isSuspect: Bool) {
        guard !isSuspect else { return suspects.append(changes) }
        // The parked changes came after it.
        unpark()
        for index in changes.reversed() { queue.prepend(index) }
    }

    /// PostgreSQL refused one row of the batch. Its halves are sent alone, the earlier one first, and are halved again
    /// until only that row is left.
    mutating func takeApart(_ changes: [ChangeIndex]) {
        let half = changes.count / 2
        suspects.append(Array(changes[half...]))
        suspects.append(Array(changes[..<half]))
    }

    /// The lane is lost, so nothing has to stay parked.
    mutating func unpark() { for index in parked.takeAll().reversed() { queue.prepend(index) } }

    /// What became of the changes that were considered for a batch.
    struct Taken {
        var batch = Batch()
        /// In the batch, in order.
        var changes: [ChangeIndex] = []
        /// Their deadline has passed: to be forgotten.
        var answered: [ChangeIndex] = []
        /// The batch is a part of one that was taken apart to find the refused row.
        var isSuspect = false
    }

    /// The changes of the next batch. `isCounting`: the count for an earlier change of the same item and connection is
    /// being read, so later ones have to wait.
    mutating func takeBatch(_ changes: Changes, isCounting: (OwnItem) -> Bool) -> Taken {
        var taken = Taken()
        takeSuspects(into: &taken, changes, isCounting)
        if !taken.isSuspect { takeQueued(into: &taken, changes, isCounting) }
        return taken
    }

    /// A part of a batch that was taken apart is sent alone, so that the refused row fails no others.
    private mutating func takeSuspects(into taken: inout Taken, _ changes: Changes, _ isCounting: (OwnItem) -> Bool) {
        while let part = suspects.popLast() {
            let refused = part.filter { !take($0, into: &taken, changes, isCounting) }
            if !refused.isEmpty { suspects.append(refused) }
            taken.isSuspect = !taken.batch.isEmpty
            // The changes not taken wait for a count that is being read. Others need not wait.
            if taken.isSuspect || !refused.isEmpty { return }
        }
    }

    private mutating func takeQueued(into taken: inout Taken, _ changes: Changes, _ isCounting: (OwnItem) -> Bool) {
        // Earlier changes of theirs wait in a batch that was taken apart.
        let waiting = Set(suspects.joined().map { OwnItem(changes[$0]) })
        func mayGo(_ index: ChangeIndex) -> Bool { waiting.isEmpty || !waiting.contains(OwnItem(changes[index])) }
        // Parked changes come first, each line as far as it may.
        var lines = Parked()
        swap(&lines, &parked)
        for _ in 0..<lines.linesCount where taken.changes.count < batchChangesMax {
            lines.takeTurn { mayGo($0) && take($0, into: &taken, changes, isCounting) }
        }
        while taken.changes.count < batchChangesMax, let index = queue.popFirst() {
            let own = OwnItem(changes[index])
            if lines.hasLine(own) || !mayGo(index) || !take(index, into: &taken, changes, isCounting) {
                lines.append(index, to: own)
            }
        }
        parked = lines
    }

    /// False: the change may not join this batch.
    private func take(
        _ index: ChangeIndex, into taken: inout Taken, _ changes: Changes, _ isCounting: (OwnItem) -> Bool
    ) -> Bool {
        let change = changes[index]
        if change.isAnswered {
            taken.answered.append(index)
            return true
        }
        if isCounting(OwnItem(change)) { return false }
        guard taken.changes.count < batchChangesMax, taken.batch.add(change.pair, change.kind) else { return false }
        taken.changes.append(index)
        return true
    }

    /// Drops answered changes at the head, so that the queue does not grow while the lane stays away.
    mutating func dropAnswered(_ changes: Changes) -> [ChangeIndex] {
        var dropped: [ChangeIndex] = []
        while let index = queue.first, changes[index].isAnswered {
            queue.popFirst()
            dropped.append(index)
        }
        return dropped
    }

    func checkInvariants(_ changes: Changes) {
        func check(_ index: ChangeIndex) {
            guard case .queued = changes[index].stage else { preconditionFailure("queued, in another stage") }
        }
        for place in 0..<queue.count { check(queue[place]) }
        suspects.joined().forEach(check)
        parked.checkInvariants(changes)
    }
}
