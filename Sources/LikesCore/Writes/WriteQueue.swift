import LikesProtocol
import LikesSettings
import LikesStorage
/// Admitted changes in the order in which they go into batches.
struct WriteQueue {
    private var queue = Ring<ChangeIndex>()
    /// In stage `queued` as well, while the lane is there; without it all are in `queue`.
    private var parked = Parked()
    /// Parts of batches of which a row was refused, the next to be sent last.
    private var suspects: [[ChangeIndex]] = []
    private let batchChangesMax: Int

    init(_ limits: Limits) { batchChangesMax = limits.batchChangesMax }

    mutating func append(_ index: ChangeIndex) { queue.append(index) }

    /// The changes of a batch that is proven not to be committed: the first once more, in order.
    mutating func prepend(_ changes: [ChangeIndex], isSuspect: Bool) {
        guard !isSuspect else { return suspects.append(changes) }
        // What stands back came after it.
        unpark()
        for index in changes.reversed() { queue.prepend(index) }
    }

    /// One row of the batch is refused. Halves of it go alone, the earlier first, until only that row is left.
    mutating func takeApart(_ changes: [ChangeIndex]) {
        let half = changes.count / 2
        suspects.append(Array(changes[half...]))
        suspects.append(Array(changes[..<half]))
    }

    /// The lane is lost: whoever stands back need not any more.
    mutating func unpark() { for index in parked.takeAll().reversed() { queue.prepend(index) } }

    /// What became of the changes that were looked at for a batch.
    struct Taken {
        var batch = Batch()
        /// In the batch, in order.
        var changes: [ChangeIndex] = []
        /// Answered by their deadline: to be forgotten.
        var answered: [ChangeIndex] = []
        /// It is a part of a batch that was taken apart to find out which row is refused.
        var isSuspect = false
    }

    /// The changes of the next batch. `isCounting`: the count of an earlier change of the same item and connection is
    /// being read, so that later ones have to wait.
    mutating func takeBatch(_ changes: Changes, isCounting: (OwnItem) -> Bool) -> Taken {
        var taken = Taken()
        takeSuspects(into: &taken, changes, isCounting)
        if !taken.isSuspect { takeQueued(into: &taken, changes, isCounting) }
        return taken
    }

    /// A part of a batch that was refused for its rows goes alone, so that the row in question takes no other with it.
    private mutating func takeSuspects(into taken: inout Taken, _ changes: Changes, _ isCounting: (OwnItem) -> Bool) {
        while let part = suspects.popLast() {
            let refused = part.filter { !take($0, into: &taken, changes, isCounting) }
            if !refused.isEmpty { suspects.append(refused) }
            taken.isSuspect = !taken.batch.isEmpty
            // Those that were refused wait for a count that is being read; others need not.
            if taken.isSuspect || !refused.isEmpty { return }
        }
    }

    private mutating func takeQueued(into taken: inout Taken, _ changes: Changes, _ isCounting: (OwnItem) -> Bool) {
        // What came before them waits in a batch that was taken apart.
        let waiting = Set(suspects.joined().map { OwnItem(changes[$0]) })
        func mayGo(_ index: ChangeIndex) -> Bool { waiting.isEmpty || !waiting.contains(OwnItem(changes[index])) }
        // Those that had to stand back come first, each line as far as it may.
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

    /// False: not into this batch.
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

    /// Answered changes at the head, so that the queue does not grow while the lane stays away.
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
