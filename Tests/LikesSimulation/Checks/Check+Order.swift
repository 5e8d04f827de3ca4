import LikesCore

/// The changes of a pair by number: after how many of them an operation may have taken effect, so that its answer, its
/// time and the order of its connection are right. A change that was done is itself the one with that number.
struct Span {
    var first: Int
    var last: Int
}

extension Simulation {
    /// Reads that followed a change which was refused, or has no answer, while they were under way: they look for
    /// themselves then, and may see what came behind them on their connection.
    func disowned() -> [Bool] {
        var disowned = [Bool](repeating: false, count: operations.count)
        // Of each connection and item, the last reply to a change that came to nothing.
        var failedAt: [OwnItem: Micros] = [:]
        for (place, operation) in operations.enumerated() where operation.connection >= 0 {
            switch operation.outcome {
            case .refused, .uncertain: if operation.isChange { failedAt[OwnItem(operation)] = operation.repliedAt }
            case .answered:
                if let at = failedAt[OwnItem(operation)] { disowned[place] = at >= operation.calledAt }
            case .unsent, .waiting, .lost: continue
            }
        }
        return disowned
    }

    /// For each of these answered operations of a pair, in the order they were asked; `nil` and the operation's place
    /// for the first that nothing explains.
    func spans(of places: [Int], _ flips: [Flip]) -> (spans: [Int: Span], unexplained: Int?) {
        var spans: [Int: Span] = [:]
        var reached: [Int32: Int] = [:]
        for place in places where operations[place].outcome == .answered {
            let operation = operations[place]
            let high = flips.partitioningIndex { $0.at > operation.repliedAt }
            let isStep = operation.isChange && operation.changed
            let before = reached[operation.connection] ?? 0
            var number = max(flips.partitioningIndex { $0.at >= operation.calledAt }, isStep ? before + 1 : before)
            while number <= high, !isExplained(operation, by: number, flips) { number += 1 }
            guard number <= high else { return (spans, place) }
            spans[place] = Span(first: number, last: number)
            if !isDisowned[place] { reached[operation.connection] = number }
        }
        var followed: [Int32: Int] = [:]
        for place in places.reversed() {
            guard let first = spans[place]?.first else { continue }
            let operation = operations[place]
            var number = flips.partitioningIndex { $0.at > operation.repliedAt }
            if !isDisowned[place] { number = min(number, followed[operation.connection] ?? number) }
            while number > first, !isExplained(operation, by: number, flips) { number -= 1 }
            spans[place]?.last = number
            let isStep = operation.isChange && operation.changed
            followed[operation.connection] = min(isStep ? number - 1 : number, followed[operation.connection] ?? .max)
        }
        return (spans, nil)
    }

    /// Whether the operation can be the change with that number, or find the pair as that change left it.
    private func isExplained(_ operation: Operation, by number: Int, _ flips: [Flip]) -> Bool {
        guard operation.isChange, operation.changed else {
            let wanted = operation.kind == .liked ? operation.value == 1 : operation.kind == .like
            return number == 0 ? !wanted : flips[number - 1].liked == wanted
        }
        guard number > 0, operation.calledAt <= flips[number - 1].at else { return false }
        let flip = flips[number - 1]
        return flip.host == Int(operation.host) && flip.liked == (operation.kind == .like) && !flip.isLost
    }
}

/// An item as one connection asks of it.
struct OwnItem: Hashable {
    var connection: Int32
    var item: Int

    init(_ operation: Operation) {
        connection = operation.connection
        item = operation.item
    }
}

/// Which of an item's commits a count may be of, for the order of its connection: not before those of the changes that
/// came earlier, not after those of the changes that come later. Of the first and last commit itself, what of it was
/// its connection's own and done by then, or still to be done.
struct CommitWindow {
    var first = 0
    var ups: Int64 = 0
    var downs: Int64 = 0
    var last = Int.max
    var upsLeft: Int64 = 0
    var downsLeft: Int64 = 0

    mutating func follow(_ commit: Int, isLike: Bool) {
        if commit > first { (first, ups, downs) = (commit, 0, 0) }
        guard commit == first else { return }
        if isLike { ups += 1 } else { downs += 1 }
    }

    mutating func precede(_ commit: Int, isLike: Bool) {
        if commit < last { (last, upsLeft, downsLeft) = (commit, 0, 0) }
        guard commit == last else { return }
        if isLike { upsLeft += 1 } else { downsLeft += 1 }
    }
}

extension Simulation {
    /// For each operation that answers with a count; `spans` of every pair.
    func commitWindows(_ spans: [Span?]) -> [CommitWindow] {
        var windows = [CommitWindow](repeating: CommitWindow(), count: operations.count)
        var open: [OwnItem: CommitWindow] = [:]
        for (place, operation) in operations.enumerated() where operation.outcome == .answered {
            guard operation.kind != .liked else { continue }
            if operation.isChange, operation.changed, let span = spans[place] {
                let commit = postgres(of: Int(operation.host)).flips[operation.pair][span.first - 1].commit
                open[OwnItem(operation), default: CommitWindow()].follow(commit, isLike: operation.kind == .like)
            }
            if let window = open[OwnItem(operation)] { windows[place] = window }
        }
        open.removeAll(keepingCapacity: true)
        for place in operations.indices.reversed() where operations[place].outcome == .answered {
            let operation = operations[place]
            guard operation.kind != .liked else { continue }
            if !isDisowned[place], let later = open[OwnItem(operation)] {
                (windows[place].last, windows[place].upsLeft, windows[place].downsLeft) =
                    (later.last, later.upsLeft, later.downsLeft)
            }
            if operation.isChange, operation.changed, let span = spans[place] {
                let database = postgres(of: Int(operation.host))
                let flips = database.flips[operation.pair]
                let (first, last) = (flips[span.first - 1].commit, flips[span.last - 1].commit)
                // The counts of a batch whose answer was lost are read after all of it.
                guard database.counts[operation.item][first].isTold, database.counts[operation.item][last].isTold
                else { continue }
                open[OwnItem(operation), default: CommitWindow()].precede(last, isLike: operation.kind == .like)
            }
        }
        return windows
    }

    /// Whether the item had this count at a moment of that time, as `host` may see it, within the commits of the
    /// window: the changes of one commit count as done one by one, for those that are answered with them. `from` and
    /// `to` are moments of what was asked and answered: a commit of the same moment may be before or after.
    /// `isFlushedEnough`: a standby may have told it before the primary showed it.
    func wasCount(
        _ told: Int64, _ item: Int, from: Micros, to: Micros, host: Int, isFlushedEnough: Bool = false,
        _ window: CommitWindow
    ) -> Bool {
        let database = postgres(of: host)
        let entries = database.counts[item]
        guard told >= 0, ToldCount.database(told) == database.number else { return false }
        let (commit, likes) = (ToldCount.commit(told), ToldCount.likes(told))
        guard entries.indices.contains(commit) else { return false }
        var next: Int? = commit
        while let place = next {
            next = entries[place].again
            let since = isFlushedEnough ? entries[place].loggedAt ?? entries[place].at : entries[place].at
            guard since <= to, place >= window.first, place <= window.last else { continue }
            let end = place + 1 < entries.count ? entries[place + 1].at : Micros.never
            if likes == entries[place].count, place < window.last, end >= from { return true }
        }
        // In the middle of the commit.
        let entry = entries[commit]
        guard commit >= window.first, commit <= window.last, commit > 0 else { return false }
        guard entry.host == host, entry.at >= from, entry.at <= to else { return false }
        let before = entries[commit - 1].count
        let (ups, downs) = commit == window.first ? (window.ups, window.downs) : (0, 0)
        let (upsLeft, downsLeft) = commit == window.last ? (window.upsLeft, window.downsLeft) : (0, 0)
        return likes >= before + ups - (entry.downs - downsLeft) && likes <= before + (entry.ups - upsLeft) - downs
    }
}

extension Array {
    /// The first place where `belongs` holds; it holds for all behind it.
    func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
