/// What clients were told of pairs and of their changes, against each other and against what PostgreSQL committed.
extension Simulation {
    func checkHistory() {
        isDisowned = disowned()
        var spans = [Span?](repeating: nil, count: operations.count)
        var ofPair = [[Int]](repeating: [], count: plan.pairsCount)
        for (place, operation) in operations.enumerated() where operation.kind != .count {
            if operation.outcome != .unsent { ofPair[operation.pair].append(place) }
        }
        for pair in ofPair.indices {
            checkSearch(pair, ofPair[pair])
            checkCommits(pair, ofPair[pair], &spans)
            if violation != nil { return }
        }
        let windows = commitWindows(spans)
        for place in operations.indices where operations[place].isChange {
            checkCount(place, windows[place])
            if violation != nil { return }
        }
        checkFreshness(windows, spans)
    }

    /// The search that knows nothing of PostgreSQL, but for what it holds in the end.
    private func checkSearch(_ pair: Int, _ places: [Int]) {
        var entries: [Linearizability.Entry] = []
        /// The last entry of each connection that later ones come behind.
        var last: [Int32: Int] = [:]
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
                        kind, calledAt: operation.calledAt, repliedAt: operation.repliedAt, result: result,
                        follows: last[operation.connection]))
                if !isDisowned[place] { last[operation.connection] = entries.count - 1 }
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
    /// answer that says "as it was" had such a moment; all in the order of their connection.
    private func checkCommits(_ pair: Int, _ places: [Int], _ spans: inout [Span?]) {
        let flips = postgres.flips[pair]
        let (found, unexplained) = self.spans(of: places, flips)
        if let unexplained {
            let operation = operations[unexplained]
            let at = operation.repliedAt
            guard operation.isChange, operation.changed else {
                let text = "the answer at \(at) µs was never so, in its connection's order"
                return fail(Violation(.linearizable, text, pair: pair))
            }
            return fail(Violation(.durable, "acknowledged at \(at) µs, never committed in its place", pair: pair))
        }
        var changes: [Int] = []
        var answerless: [Int] = []
        for place in places {
            let operation = operations[place]
            switch operation.outcome {
            case .answered:
                spans[place] = found[place]
                if operation.isChange, operation.changed { changes.append(place) }
            case .uncertain, .lost: if operation.isChange { answerless.append(place) }
            case .unsent, .waiting, .refused: continue
            }
        }
        // The earliest deadline first: if any assignment exists, this one does.
        var isTaken = Set<Int>()
        for (number, flip) in zip(1..., flips) {
            func fits(_ place: Int) -> Bool {
                let operation = operations[place]
                return !isTaken.contains(place) && Int(operation.host) == flip.host
                    && (operation.kind == .like) == flip.liked && operation.calledAt <= flip.at
            }
            func last(_ place: Int) -> Int { found[place]?.last ?? 0 }
            let owner =
                changes.filter { fits($0) && (found[$0]?.first ?? .max) <= number && last($0) >= number }
                .min { last($0) < last($1) } ?? answerless.first(where: fits)
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

    /// The count in a change's reply.
    private func checkCount(_ place: Int, _ window: CommitWindow) {
        let operation = operations[place]
        guard operation.outcome == .answered else { return }
        let (from, to, host) = (operation.calledAt, operation.repliedAt, Int(operation.host))
        if wasCount(operation.value, operation.item, from: from, to: to, host: host, window) { return }
        let text = "the count \(operation.value) in the reply at \(to) µs is none of its time, or out of order"
        fail(Violation(.changeCount, text, pair: operation.pair, item: operation.item))
    }
}
