import CSystemd
import Glibc
import LikesCore

/// What shows that the daemon does its work, observed at the end of a turn of the loop.
struct Progress {
    /// For how long the core's next deadline has been overdue; 0 or less: it is not.
    var overdueMs: Int64
    /// Bytes or connections of clients still wait to be taken after the turn.
    var isClientWaiting: Bool
    /// Clients served and accepted since the start.
    var servedTotal: UInt64
}

/// Tells systemd's watchdog that the daemon makes progress. A loop that turns is not yet progress: a sign is given only
/// at the end of a whole turn, if nothing due was left undone, and if waiting clients are served. Otherwise systemd
/// ends the process and starts another.
struct Watchdog {
    /// nil: nobody asked for it.
    private let intervalMs: Int64?
    /// When the next sign is due.
    private(set) var dueAt: Instant?
    /// `servedTotal` when clients were first seen waiting at a sign; nil: none waited at the last one.
    private var servedWhenWaiting: UInt64?

    /// Three signs within the time that systemd allows: one may come late.
    static let signsPerTimeout: Int64 = 3
    /// A sign is withheld if something is overdue by this: far more than any turn takes.
    static let overdueMsMax: Int64 = 1_000

    /// `timeoutMs`: after this long without a sign systemd ends the process; nil or 0: it does not watch.
    init(timeoutMs: Int64?, now: Instant) {
        intervalMs = timeoutMs.flatMap { $0 > 0 ? max(1, $0 / Watchdog.signsPerTimeout) : nil }
        dueAt = intervalMs == nil ? nil : now
    }

    /// As systemd asked for it in the environment.
    static func asked(now: Instant) -> Watchdog {
        var microseconds: UInt64 = 0
        let isAsked = sd_watchdog_enabled(0, &microseconds) > 0
        return Watchdog(timeoutMs: isAsked ? Int64(clamping: microseconds / 1_000) : nil, now: now)
    }

    /// The end of a turn. True: give the sign. `progress` is evaluated only when one is due.
    mutating func turnEnded(now: Instant, _ progress: () -> Progress) -> Bool {
        guard let intervalMs, let due = dueAt, due <= now else { return false }
        dueAt = now.adding(ms: intervalMs)
        let seen = progress()
        let stuckAt = servedWhenWaiting
        servedWhenWaiting = seen.isClientWaiting ? seen.servedTotal : nil
        let isStuck = seen.isClientWaiting && stuckAt == seen.servedTotal
        return seen.overdueMs < Watchdog.overdueMsMax && !isStuck
    }
}
