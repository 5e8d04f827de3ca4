/// Committed changes whose item's count still has to be read.
struct OwedCounts {
    private var queue = Ring<ChangeIndex>()
    /// How many changes of each connection and item owe a count. Later changes wait in the write queue, since the count
    /// being read must not include them.
    private var counting: [OwnItem: Int] = [:]

    var isEmpty: Bool { queue.isEmpty }
    /// How many pairs of a connection and an item have a count being read.
    var countingCount: Int { counting.count }

    func isCounting(_ own: OwnItem) -> Bool { !counting.isEmpty && counting[own] != nil }

    mutating func append(_ index: ChangeIndex, _ own: OwnItem) {
        counting[own, default: 0] += 1
        queue.append(index)
    }

    mutating func take(max: Int) -> [ChangeIndex] {
        var owing: [ChangeIndex] = []
        while owing.count < max, let index = queue.popFirst() { owing.append(index) }
        return owing
    }

    /// Their counts were not read.
    mutating func putBack(_ owing: [ChangeIndex]) { for index in owing.reversed() { queue.prepend(index) } }

    /// The count was read, or nobody waits for it any more.
    mutating func end(_ own: OwnItem) {
        guard let count = counting[own] else { preconditionFailure("a count that is not owed") }
        counting[own] = count > 1 ? count - 1 : nil
    }

    /// Drops answered changes at the head, so that the queue does not grow while the reader stays away.
    mutating func dropAnswered(_ changes: Changes) -> [ChangeIndex] {
        var dropped: [ChangeIndex] = []
        while let index = queue.first, changes[index].isAnswered {
            queue.popFirst()
            dropped.append(index)
        }
        return dropped
    }

    func checkInvariants(_ changes: Changes) {
        for place in 0..<queue.count {
            let change = changes[queue[place]]
            guard case .counting = change.stage else { preconditionFailure("owes a count, in another stage") }
            precondition(counting[OwnItem(change)] != nil, "later changes of its connection wait for the count")
        }
    }
}
