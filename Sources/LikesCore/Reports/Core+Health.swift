import LikesProtocol

// HEALTH and systemd's status line.
extension Core {
    var isDatabaseHealthy: Bool { lane.isUp && reader.isUp }
    var isRedisHealthy: Bool { redis.isUp && subscriber.isUp && redisRefusals.isEmpty }

    private var redisRefusal: String? {
        redisRefusals.min { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) is refused: \($0.value)" }
    }

    /// `ok`: all there. `degraded`: without Redis, everything works from PostgreSQL. `down`: without PostgreSQL only
    /// cached counts are served.
    private var status: String { isDatabaseHealthy ? (isRedisHealthy ? "ok" : "degraded") : "down" }

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

    private var healthMessage: String {
        var messages: [String] = []
        if !isDatabaseHealthy {
            messages.append("PostgreSQL: " + ((lane.failure ?? reader.failure)?.text ?? "connecting"))
        }
        if !isRedisHealthy {
            let failure = (redis.failure ?? subscriber.failure)?.text
            messages.append("Redis: " + (redisRefusal ?? failure ?? "connecting"))
        }
        return messages.joined(separator: "; ")
    }

    /// One line for systemd's STATUS=.
    package func statusLine(now: Instant) -> String {
        let message = healthMessage
        let clients = "\(sessions.openCount) clients"
        return message.isEmpty ? "ok: \(clients)" : "\(status): \(clients); \(message)"
    }
}
