import LikesProtocol

/// What has to hold from before PostgreSQL is asked for a count until it is put into Redis.
struct FillPermit: Equatable {
    var generation: Generation
    /// Which subscription heard of newer counts in the meantime.
    var subscription: UInt64
}

/// Counters put into Redis lately after a miss. Redis may have dropped a newer one just before, and would keep the
/// older for its whole TTL; the host that filled it hears of the newer by message, and sets it again.
struct Fills {
    private var versions: [Item: (version: Int64, forgetAt: Instant)] = [:]
    private var order = Ring<(Item, Instant)>()

    var count: Int { versions.count }

    func hasRoom(for more: Int) -> Bool { order.count + more <= Limits.fillsRememberedMax }

    mutating func note(_ counters: [CounterState], now: Instant) {
        forget(now: now)
        let forgetAt = now.adding(ms: Limits.fillsRememberedMs)
        for counter in counters {
            versions[counter.item] = (counter.version, forgetAt)
            order.append((counter.item, forgetAt))
        }
    }

    /// Whether an older count than this was put into Redis lately.
    mutating func isOvertaken(by counter: CounterState) -> Bool {
        guard !versions.isEmpty, let fill = versions[counter.item], fill.version < counter.version else {
            return false
        }
        versions[counter.item] = nil
        return true
    }

    mutating func forget(now: Instant) {
        while let (item, forgetAt) = order.first, forgetAt <= now {
            order.popFirst()
            if let fill = versions[item], fill.forgetAt <= now { versions[item] = nil }
        }
    }

    /// Forgets all, and returns their items.
    mutating func takeAll() -> [Item] {
        defer {
            versions = [:]
            order.removeAll()
        }
        return (0..<order.count).map { order[$0].0 }.filter { versions[$0] != nil }
    }
}
