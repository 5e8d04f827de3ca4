import LikesCore
import LikesStorage

extension Simulation {
    /// When all has been quiet for long: nothing waits, nothing is left to be repaired, all say the same.
    func checkEnd() {
        for (place, operation) in operations.enumerated() where operation.outcome == .waiting {
            fail(
                Violation(
                    .answered, "asked at \(operation.calledAt) µs (operation \(place)), never answered",
                    pair: operation.pair, item: operation.item))
        }
        for item in plan.items.indices {
            if let found = server(of: item).counter(item), isBelieved(found) {
                let cached = found.counter
                // Where two databases share it, it has counters of either.
                let number = ToldCount.database(cached.count)
                let counter = databases[min(number, databases.count - 1)].told(item)
                if (cached.count, cached.version) != (counter.count, counter.version) {
                    let text = "Redis has \(cached.count) at version \(cached.version), not \(counter.count) at "
                    fail(Violation(.repaired, text + "\(counter.version)", item: item))
                }
            }
            // Of two on one Redis, one goes without, and nobody mends for it. Rows that are mended and for which there
            // was no room among those to be struck off stay until the next pass over the whole table, or the one after.
            for database in databases where databases.count == 1 && !plan.hasSmallLimits {
                guard let version = database.state.repairs[item]?.version else { continue }
                fail(Violation(.repaired, "cache_repairs still has version \(version)", item: item))
            }
        }
        checkAlarms()
        if let cluster { checkSlots(cluster) }
        for record in databases.flatMap(\.state.lanes) where !record.journal.isEmpty {
            let text = "lane \(record.lane) still has a journal"
            fail(Violation(.repaired, text, item: record.journal.first))
        }
        for operation in operations where Int(operation.client) >= plan.clientsCount {
            let database = postgres(of: Int(operation.host))
            let truth =
                operation.kind == .count
                ? database.told(operation.item).count : (database.state.likes[operation.pair] != 0 ? 1 : 0)
            if operation.outcome != .answered {
                fail(Violation(.answered, "not answered in the end", pair: operation.pair, item: operation.item))
            } else if operation.value != truth {
                let text = "host \(operation.host) says \(operation.value) in the end, not \(truth)"
                fail(Violation(.repaired, text, pair: operation.pair, item: operation.item))
            }
        }
        if operations.last.map({ Int($0.client) < plan.clientsCount }) ?? true {
            fail(Violation(.answered, "the audit did not take place"))
        }
    }

    /// Whether no host asks PostgreSQL instead.
    private func isBelieved(_ found: SealedCounter) -> Bool {
        guard plan.hasForgeries else { return true }
        return redis.overheard.genuine.contains(found)
            && (databases[0].seals.seconds ?? 0) - found.seal.seconds <= Limits.sealAgeMsMax / 1_000
    }

    private func checkAlarms() {
        guard databases.count == 1 else { return }
        let isSplit = plan.faults.contains { $0.kind == .redisSplit || $0.kind == .clusterNodeDeposed }
        for (number, host) in hosts.enumerated() {
            guard let alarms = host.process?.core.alarms else { continue }
            if alarms.databasesGoneBack > 0, databases[0].jumps == 0 {
                fail(Violation(.alarms, "host \(number) says that the database went back, which it did not"))
            }
            if alarms.redisDisputes > 0, !isSplit {
                fail(Violation(.alarms, "host \(number) says that others use another Redis, which they do not"))
            }
        }
        // Each host may find something out by itself, and one fault may change Redis more than once; a batch that was
        // on its way meanwhile was meant for the server from before.
        let changes = plan.faults.count { $0.kind.changesRedis }
        let most = 2 * hosts.count * (databases[0].jumps + changes)
        let begun = hosts.reduce(0) { $0 + $1.erasBegunBefore + ($1.process?.core.alarms.erasBegun ?? 0) }
        // What happens to one node of a cluster is no reason for the others to drop anything.
        let isPastOver = databases[0].jumps > 0 || plan.faults.contains { $0.kind == .redisStranger }
        if cluster != nil, begun > 0, !isPastOver {
            fail(Violation(.apart, "hosts had all nodes drop what is cached \(begun) times"))
        }
        // A stranger changes the marker again and again.
        if begun > most, !plan.faults.contains(where: { $0.kind == .redisStranger }) {
            fail(Violation(.alarms, "hosts had all drop what is cached \(begun) times, for \(most) at most"))
        }
    }
}
