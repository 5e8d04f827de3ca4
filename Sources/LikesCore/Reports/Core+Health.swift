import LikesProtocol

// HEALTH.
extension Core {
    var isDatabaseHealthy: Bool { lane.isUp && reader.isUp && laneRow.trouble == nil }
    /// Why nothing can be written; nil: it can, or nothing is known yet.
    var laneFailure: BackendFailure? { lane.failure ?? laneRow.trouble }
    var isRedisHealthy: Bool {
        redis.isUp && subscriber.isUp && redisRefusals.isEmpty && trust.disputedIn == nil && !isVerifyingRedis
    }

    /// Without a server that takes writes it is not known whether its data fits: that is no fault of Redis'.
    private var isVerifyingRedis: Bool { redis.isUp && trust.generation == nil && lane.isUp }

    private var redisRefusal: String? {
        redisRefusals.min { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) is refused: \($0.value)" }
    }

    /// `ok`: all there. `degraded`: without Redis, everything works from PostgreSQL. `down`: without PostgreSQL only
    /// cached counts are served.
    var status: String { isDatabaseHealthy ? (isRedisHealthy ? "ok" : "degraded") : "down" }

    func healthReply() -> Reply {
        var fields: [Reply] = [
            .text("status"), .text(status),
            .text("database"), .text(isDatabaseHealthy ? "healthy" : "unhealthy"),
            .text("redis"), .text(isRedisHealthy ? "healthy" : "unhealthy"),
        ]
        let message = healthMessage
        if !message.isEmpty { fields += [.text("message"), .text(message)] }
        return .map(fields)
    }

    /// What is to be done, the command first, in the order in which it has to be done; empty when all is well.
    /// One line, whatever a server said or a setting names: behind the end of one systemd would read another message.
    var healthMessage: String {
        var troubles: [(backend: String, reason: String, next: String?)] = []
        if !isDatabaseHealthy {
            let failure = laneFailure ?? reader.failure
            troubles.append(("PostgreSQL", failure?.reason ?? "connecting", failure?.next))
        }
        if !isRedisHealthy {
            let failure = redis.failure ?? subscriber.failure
            let isDisputed = failure == nil && trust.disputedIn != nil
            let reason = redisRefusal ?? failure?.reason ?? (isDisputed ? Self.disputeText : "connecting")
            troubles.append(("Redis", reason, isDisputed ? Self.disputeAdvice : failure?.next))
        }
        for server in serversPassedOver { troubles.append(("PostgreSQL", server.reason, server.next)) }
        var word = "next"
        let message = troubles.map { trouble in
            guard let next = trouble.next else { return "\(trouble.backend): \(trouble.reason)" }
            defer { word = "then" }
            return "\(word): \(next) (\(trouble.backend): \(trouble.reason))"
        }.joined(separator: "; ")
        return message.unicodeScalars.reduce(into: "") { line, scalar in
            line.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7f ? " " : scalar)
        }
    }
}
