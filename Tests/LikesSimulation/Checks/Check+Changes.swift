/// What clients were told of pairs and of their changes, against each other and against what PostgreSQL committed.
extension Simulation {
    func checkHistory() {
        var ofPair = [[Int]](repeating: [], count: plan.pairsCount)
        for (place, operation) in operations.enumerated() where operation.kind != .count {
            if operation.outcome != .unsent { ofPair[operation.pair].append(place) }
        }
        for pair in ofPair.indices {
            checkSearch(pair, ofPair[pair])
            checkCommits(pair, ofPair[pair])
            for place in ofPair[pair] where operations[place].isChange { checkCount(place) }
            if violation != nil { return }
        }
        checkFreshness()
    }

    /// The search that knows nothing of PostgreSQL, but for what it holds in the end.
    private func checkSearch(_ pair: Int, _ places: [Int]) {
        var entries: [Linearizability.Entry] = []
        for place in places {
            let operation = operations[place]
            let kind: Linearizability.Entry.Kind =
                switch operation.kind {
                case .like: .like
                case .unlike: .unlike
                case .liked, .count: .liked
                }
            switch operation.outcome {
            case .answered:
                let result = operation.kind == .liked ? operation.value == 1 : operation.changed
                entries.append(
                    Linearizability.Entry(
                        kind, calledAt: operation.calledAt, repliedAt: operation.repliedAt, result: result))
            case .uncertain, .lost:
                guard operation.isChange else { continue }
                entries.append(
                    Linearizability.Entry(kind, calledAt: operation.calledAt, repliedAt: .never, result: true))
            case .unsent, .waiting, .refused: continue
            }
        }
        entries.append(
            Linearizability.Entry(
                .liked, calledAt: now, repliedAt: now + 1, result: postgres.state.likes[pair] != 0))
        guard let place = Linearizability.violation(entries) else { return }
        let at = entries[place].repliedAt
        fail(Violation(.linearizable, "no order explains the answer at \(at) µs", pair: pair))
    }

    /// Each acknowledged change is a commit of its own, within its time, on its host; each commit was asked for; each
    /// answer that says "as it was" had such a moment.
    private func checkCommits(_ pair: Int, _ places: [Int]) {
        let flips = postgres.flips[pair]
        var changes: [Int] = []
        var answerless: [Int] = []
        for place in places {
            let operation = operations[place]
            switch operation.outcome {
            case .answered where operation.isChange && operation.changed: changes.append(place)
            case .answered:
                let wanted = operation.kind == .liked ? operation.value == 1 : operation.kind == .like
                guard !wasState(wanted, flips, from: operation.calledAt, to: operation.repliedAt) else { continue }
                fail(Violation(.linearizable, "the answer at \(operation.repliedAt) µs was never so", pair: pair))
            case .uncertain, .lost: if operation.isChange { answerless.append(place) }
            case .unsent, .waiting, .refused: continue
            }
        }
        // The earliest deadline first: if any assignment exists, this one does.
        var isTaken = Set<Int>()
        for flip in flips {
            func fits(_ place: Int) -> Bool {
                let operation = operations[place]
                return !isTaken.contains(place) && Int(operation.host) == flip.host
                    && (operation.kind == .like) == flip.liked && operation.calledAt <= flip.at
            }
            let owner =
                changes.filter { fits($0) && operations[$0].repliedAt >= flip.at }
                .min { operations[$0].repliedAt < operations[$1].repliedAt } ?? answerless.first(where: fits)
            if let owner {
                isTaken.insert(owner)
            } else {
                fail(Violation(.commits, "a commit at \(flip.at) µs that nobody asked for", pair: pair))
            }
        }
        for place in changes where !isTaken.contains(place) {
            let at = operations[place].repliedAt
            fail(Violation(.durable, "acknowledged at \(at) µs, never committed", pair: pair))
        }
    }

    private func wasState(_ wanted: Bool, _ flips: [Flip], from: Micros, to: Micros) -> Bool {
        var state = false
        for flip in flips {
            if flip.at > to { break }
            if flip.at > from, state == wanted { return true }
            state = flip.liked
        }
        return state == wanted
    }

    /// The first commit in the change's time that can be its own.
    func commit(of operation: Operation) -> Micros? {
        for flip in postgres.flips[operation.pair] where flip.at >= operation.calledAt {
            if flip.at > operation.repliedAt { return nil }
            if flip.liked == (operation.kind == .like), flip.host == Int(operation.host) { return flip.at }
        }
        return nil
    }

    /// The count in a change's reply.
    private func checkCount(_ place: Int) {
        let operation = operations[place]
        guard operation.outcome == .answered else { return }
        let from = operation.changed ? commit(of: operation) ?? operation.calledAt : operation.calledAt
        let host = Int(operation.host)
        if wasCount(operation.value, operation.item, from: from, to: operation.repliedAt, host: host) { return }
        let text = "the count \(operation.value) in the reply at \(operation.repliedAt) µs is none of its time"
        fail(Violation(.changeCount, text, pair: operation.pair, item: operation.item))
    }
}
