/// What clients were told of pairs and of their changes, against each other and against what PostgreSQL committed.
extension Simulation {
    func checkHistory() {
        isDisowned = disowned()
        var spans = [Span?](repeating: nil, count: operations.count)
        for database in databases {
            var ofPair = [[Int]](repeating: [], count: plan.pairsCount)
            for (place, operation) in operations.enumerated() where operation.kind != .count {
                guard operation.outcome != .unsent, hosts[Int(operation.host)].database == database.number else {
                    continue
                }
                ofPair[operation.pair].append(place)
            }
            for pair in ofPair.indices {
                let unowned = checkCommits(pair, ofPair[pair], database, &spans)
                if violation == nil { checkSearch(pair, ofPair[pair], database, unowned) }
                if violation != nil { return }
            }
        }
        let windows = commitWindows(spans)
        for place in operations.indices where operations[place].isChange {
            checkCount(place, windows[place])
            if violation != nil { return }
        }
        checkFreshness(windows, spans)
    }

    /// The search that knows nothing of PostgreSQL, but for what it holds in the end, and of changes that nobody asked
    /// for: `unowned`.
    private func checkSearch(_ pair: Int, _ places: [Int], _ database: Postgres, _ unowned: [Flip]) {
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
        for flip in unowned {
            entries.append(
                Linearizability.Entry(flip.liked ? .like : .unlike, calledAt: flip.at, repliedAt: flip.at, result: true)
            )
        }
        entries.append(
            Linearizability.Entry(
                .liked, calledAt: now, repliedAt: now + 1, result: database.state.likes[pair] != 0))
        guard let place = Linearizability.violation(entries) else { return }
        let at = entries[place].repliedAt
        fail(Violation(.linearizable, "no order explains the answer at \(at) µs", pair: pair))
    }

    /// Each acknowledged change is a commit of its own, within its time, on its host; each commit was asked for; each
    /// answer that says "as it was" had such a moment; all in the order of their connection. Returns the changes of the
    /// pair that belong to no answer, since the database went back, or did so itself.
    private func checkCommits(
        _ pair: Int, _ places: [Int], _ database: Postgres, _ spans: inout [Span?]
    ) -> [Flip] {
        let flips = database.flips[pair]
        let (found, unexplained) = self.spans(of: places, flips)
        if let unexplained {
            let operation = operations[unexplained]
            let at = operation.repliedAt
            guard operation.isChange, operation.changed else {
                let text = "the answer at \(at) µs was never so, in its connection's order"
                fail(Violation(.linearizable, text, pair: pair))
                return []
            }
            fail(Violation(.durable, "acknowledged at \(at) µs, never committed in its place", pair: pair))
            return []
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
        // The earliest deadline first: if any assignment exists, this one does. What the database went back behind
        // comes last, since the batch may have been sent and committed again.
        var isTaken = Set<Int>()
        var unowned = flips.filter(\.isByNobody)
        for isUndone in [false, true] {
            for (number, flip) in zip(1..., flips) where flip.isUndone == isUndone && !flip.isByNobody {
                func isAsked(_ place: Int) -> Bool {
                    let operation = operations[place]
                    return Int(operation.host) == flip.host && (operation.kind == .like) == flip.liked
                        && operation.calledAt <= flip.at
                }
                func first(_ place: Int) -> Int { found[place]?.first ?? .max }
                func last(_ place: Int) -> Int { found[place]?.last ?? 0 }
                let owner =
                    flip.isLost
                    ? nil
                    : changes.filter {
                        !isTaken.contains($0) && isAsked($0) && first($0) <= number
                            && last($0) >= number
                    }
                    // Of two that end with the same, the one that begins earlier may own what was undone.
                    .min {
                        (last($0), first($1)) < (last($1), first($0))
                    }
                        ?? answerless.first { !isTaken.contains($0) && isAsked($0) }
                if let owner {
                    isTaken.insert(owner)
                } else if isUndone, places.contains(where: { operations[$0].isChange && isAsked($0) }) {
                    unowned.append(flip)
                } else {
                    fail(Violation(.commits, "a commit at \(flip.at) µs that nobody asked for", pair: pair))
                }
            }
        }
        for place in changes where !isTaken.contains(place) {
            let at = operations[place].repliedAt
            fail(Violation(.durable, "acknowledged at \(at) µs, never committed", pair: pair))
        }
        return unowned
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
