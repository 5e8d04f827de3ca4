extension Simulation {
    /// While all is well, no COUNT on a host is of an earlier commit than a count that was told before it was asked, by
    /// another COUNT or with a change that changed nothing. `isTight`: for each operation.
    func checkBackwards(isTight: [Bool]) {
        var ofItem = [[Int]](repeating: [], count: plan.hostsCount * plan.items.count)
        for (place, operation) in operations.enumerated() {
            let tells = operation.kind == .count || operation.isChange && !operation.changed
            guard tells, operation.outcome == .answered, !operation.mayBeForged else { continue }
            ofItem[Int(operation.host) * plan.items.count + operation.item].append(place)
        }
        for places in ofItem { checkBackwards(places, isTight: isTight) }
    }

    /// `places`: the operations on one host that told a count of one item.
    private func checkBackwards(_ places: [Int], isTight: [Bool]) {
        guard let first = places.first else { return }
        let database = postgres(of: Int(operations[first].host))
        let entries = database.counts[operations[first].item]
        // Afterwards earlier commits are the newest again.
        guard database.jumps == 0 else { return }
        let asked = places.filter { operations[$0].kind == .count }
            .sorted { operations[$0].calledAt < operations[$1].calledAt }
        var told = places.sorted { operations[$0].repliedAt < operations[$1].repliedAt }[...]
        var newest = (commit: 0, life: Int32(-1))
        for place in asked {
            let operation = operations[place]
            while let earlier = told.first, operations[earlier].repliedAt < operation.calledAt {
                told.removeFirst()
                let commit = ToldCount.commit(operations[earlier].value)
                let life = operations[earlier].life
                if life > newest.life || commit > newest.commit { newest = (commit, life) }
            }
            guard isTight[place], newest.life == operation.life, ToldCount.commit(operation.value) < newest.commit
            else { continue }
            // A standby may tell of a commit that its primary does not show yet.
            guard entries[newest.commit].at < operation.calledAt else { continue }
            let text = "COUNT at \(operation.repliedAt) µs says \(operation.value), although the host"
            return fail(Violation(.fresh, text + " has told of commit \(newest.commit)", item: operation.item))
        }
    }
}
