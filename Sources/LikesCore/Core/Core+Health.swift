import LikesProtocol

// HEALTH.
extension Core {
    var isDatabaseHealthy: Bool { lane.isHealthy && reader.link.isUp }
    var isRedisHealthy: Bool {
        redis.link.isUp && redis.subscriber.isUp && redis.refusals.isEmpty && coherence.trust.disputedIn == nil
            && !isIdentifying
    }

    /// Whether Redis is being identified. Without a server that takes writes this cannot end, which is not Redis'
    /// fault.
    private var isIdentifying: Bool {
        redis.link.isUp && coherence.trust.generation == nil && lane.link.isUp
    }

    /// What HEALTH says of repairs if there are many, or if they keep Redis from being read. A few are normal.
    func repairing(now: Instant) -> String? {
        let trust = coherence.trust
        guard redis.link.isUp, trust.generation != nil, trust.disputedIn == nil, canAskPrimary else { return nil }
        let passes = repairs.passes
        let isUnread = !passes.isComplete && now.ms(since: passes.isIncompleteSince) >= Limits.repairsShownMs
        guard isUnread || repairs.count >= Limits.repairsShownMin else { return nil }
        let counters = "\(Self.grouped(Int64(repairs.count))) \(Counted.noun("counter", repairs.count))"
        let known = "repairing: \(counters) left to set again"
        return readableGeneration == nil ? known + "; until then counts come from PostgreSQL" : known
    }

    /// `ok`: everything works. `degraded`: everything works, but Redis is not used, or not fully: it is down, refuses
    /// something, is disputed or not identified yet, its messages do not arrive, or much of it is being repaired.
    /// `down`: the lane or the reader is down. Without the lane changes fail. Without the reader LIKED fails, and so do
    /// counts that are not cached.
    func status(now: Instant) -> String {
        guard isDatabaseHealthy else { return "down" }
        return isRedisHealthy && repairing(now: now) == nil ? "ok" : "degraded"
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
        if !isRedisHealthy {
            let failure = redis.link.failure ?? redis.subscriber.failure
            let isDisputed = failure == nil && coherence.trust.disputedIn != nil
            let reason = redis.refusal ?? failure?.reason ?? (isDisputed ? Self.disputeText : "connecting")
            troubles.append(("Redis", reason, isDisputed ? Self.disputeAdvice : failure?.next))
        }
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
