import LikesProtocol
import LikesStorage

// HEALTH.
extension Core {
    var isDatabaseHealthy: Bool { lane.isHealthy && reader.link.isUp }
    var isRedisHealthy: Bool { redis.isWhole && redis.inUse.allSatisfy(isHealthy) }

    /// Whether the node of Redis does all that it is asked.
    func isHealthy(_ node: NodePlace) -> Bool {
        let (access, trust) = (redis[node], coherence[node].trust)
        // Without a server that takes writes nothing can be identified, which is not Redis' fault.
        let isIdentifying = access.link.isUp && trust.generation == nil && lane.link.isUp
        return access.link.isUp && access.subscriber.isUp && access.refusals.isEmpty && trust.dispute == nil
            && !isIdentifying
    }

    /// What HEALTH says of repairs if there are many, or if they keep Redis from being read. A few are normal.
    func repairing(now: Instant) -> String? {
        let usable = redis.inUse.filter {
            coherence[$0].trust.generation != nil && coherence[$0].trust.dispute == nil
        }
        guard !usable.isEmpty, canAskPrimary else { return nil }
        let passes = repairs.passes
        let isUnread = usable.contains {
            !passes.isComplete($0) && now.ms(since: passes.isIncompleteSince($0)) >= Limits.repairsShownMs
        }
        guard isUnread || repairs.count >= Limits.repairsShownMin else { return nil }
        let counters = "\(Self.grouped(Int64(repairs.count))) \(Counted.noun("counter", repairs.count))"
        let known = "repairing: \(counters) left to set again"
        return usable.allSatisfy { readableGeneration($0) == nil }
            ? known + "; until then counts come from PostgreSQL" : known
    }

    /// `ok`: everything works. `degraded`: everything works, but Redis is not used, or not fully: it is down, refuses
    /// something, is disputed or not identified yet, its messages do not arrive, or much of it is being repaired. Or
    /// PostgreSQL is connected, and does nothing for the requests that wait.
    /// `down`: the lane or the reader is down. Without the lane changes fail. Without the reader LIKED fails, and so do
    /// counts that are not cached.
    func status(now: Instant) -> String {
        guard isDatabaseHealthy else { return "down" }
        let isStalled = Stalls.Work.allCases.contains { reports.stalls[$0] != nil }
        return isRedisHealthy && repairing(now: now) == nil && !isStalled ? "ok" : "degraded"
    }

    func healthReply(now: Instant) -> Reply {
        var fields: [Reply] = [
            .text("status"), .text(status(now: now)),
            .text("database"), .text(isDatabaseHealthy ? "healthy" : "unhealthy"),
            .text("redis"), .text(isRedisHealthy ? "healthy" : "unhealthy"),
        ]
        let message = healthMessage(now: now)
        if !message.isEmpty { fields += [.text("message"), .text(message)] }
        return .map(fields)
    }

    /// What to do, the commands first, in the order in which to do it; empty when all is well. Always one line,
    /// whatever a server said or a setting holds: systemd would read what follows a line break as another message.
    func healthMessage(now: Instant) -> String {
        var troubles: [(backend: String, reason: String, next: String?)] = []
        if !isDatabaseHealthy {
            let failure = lane.failure ?? reader.link.failure
            troubles.append(("PostgreSQL", failure?.reason ?? "connecting", failure?.next))
        }
        for work in Stalls.Work.allCases {
            guard let stall = reports.stalls[work] else { continue }
            let isSaid = troubles.contains { $0.next == Self.stallAdvice }
            troubles.append(("PostgreSQL", stalled(work, stall, now: now), isSaid ? nil : Self.stallAdvice))
        }
        let nodesFrom = troubles.count
        for node in redis.inUse where !isHealthy(node) {
            let failure = redis[node].link.failure ?? redis[node].subscriber.failure
            let isDisputed = failure == nil && coherence[node].trust.dispute != nil
            let state = redis[node].link.isUp && redis[node].subscriber.isUp ? "identifying its data" : "connecting"
            let reason = redis[node].refusal ?? failure?.reason ?? (isDisputed ? disputeText : state)
            let next = isDisputed ? disputeAdvice : failure?.next
            // Most of what befalls several nodes of a cluster is the same.
            let same = troubles[nodesFrom...].firstIndex { $0.reason == reason && $0.next == next }
            if let same {
                troubles[same].backend += ",\(address(node))"
            } else {
                troubles.append(("Redis\(address(node))", reason, next))
            }
        }
        if !redis.isWhole {
            let missing = RedisSlot.count - redis.slotsCount
            troubles.append(("Redis", "\(missing) slots have no node", "run redis-cli --cluster check HOST:PORT"))
        }
        if let failure = redis.asks.failure { troubles.append(("Redis", failure.reason, failure.next)) }
        if let repairing = repairing(now: now) { troubles.append(("Redis", repairing, nil)) }
        for server in reports.serversPassedOver { troubles.append(("PostgreSQL", server.reason, server.next)) }
        troubles += standbyTroubles(now: now)
        for trouble in reports.sentinels.last?.troubles ?? []
        where !troubles.contains(where: { $0.1 == trouble.reason }) {
            troubles.append(("Redis", trouble.reason, trouble.next))
        }
        var word = "next"
        let message = troubles.map { trouble in
            guard let next = trouble.next else { return "\(trouble.backend): \(trouble.reason)" }
            defer { word = "then" }
            return "\(word): \(next) (\(trouble.backend): \(trouble.reason))"
        }.joined(separator: "; ")
        return ForeignText.escaped(message)
    }
}
