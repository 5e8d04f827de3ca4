import LikesProtocol

/// One line for systemd's STATUS=.
package struct StatusLine: Equatable, Sendable {
    package var text: String
    /// False: it shows rates, which return to 0 when nothing happens any more.
    package var isAtRest: Bool
}

/// What happened per second since the last look.
struct StatusRates {
    private var lookedAt: Instant
    private var likes: Int64 = 0
    private var counts: Int64 = 0

    init(now: Instant) { lookedAt = now }

    /// Takes the present totals and returns whole numbers per second. Returns 0 if no time has passed.
    mutating func take(likes: Int64, counts: Int64, now: Instant) -> (likes: Int64, counts: Int64) {
        let passedMs = now.ms(since: lookedAt)
        guard passedMs > 0 else { return (0, 0) }
        defer {
            lookedAt = now
            self.likes = likes
            self.counts = counts
        }
        func perSecond(_ number: Int64) -> Int64 { (number * 1_000 + passedMs / 2) / passedMs }
        return (perSecond(likes - self.likes), perSecond(counts - self.counts))
    }
}

extension Core {
    /// `ok: 12 clients, 1,234 likes/s, 40,112 counts/s; PostgreSQL and Redis healthy`
    ///
    /// What has to be done comes first, since `systemctl status` cuts the line at the terminal's edge. Likes are LIKE
    /// and UNLIKE, counts are COUNT and MCOUNT. The rates are since the previous line.
    package mutating func statusLine(now: Instant) -> StatusLine {
        let rates = reports.takeRates(now: now)
        let clients = clients.sessions.openCount
        let load =
            "\(Self.grouped(Int64(clients))) \(Counted.noun("client", clients)), "
            + "\(Self.grouped(rates.likes)) likes/s, \(Self.grouped(rates.counts)) counts/s"
        let message = healthMessage(now: now)
        return StatusLine(
            text: message.isEmpty
                ? "\(status(now: now)): \(load); PostgreSQL and Redis healthy"
                : "\(status(now: now)): \(message); \(load)",
            isAtRest: rates.likes == 0 && rates.counts == 0)
    }

    /// A number in groups of three digits, separated by commas.
    static func grouped(_ number: Int64) -> String {
        let digits = Array(String(number))
        var shown = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place) % 3 == 0 { shown.append(",") }
            shown.append(digit)
        }
        return shown
    }
}
