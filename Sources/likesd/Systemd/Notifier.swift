import CSystemd
import Glibc
import LikesCore

/// Tells systemd how the daemon is. Does nothing if no systemd asked for it.
struct Notifier {
    /// Whether a service manager listens.
    let isWanted = getenv("NOTIFY_SOCKET") != nil
    private var status = ""
    /// When to look at the status line; nil: nothing has happened since the last look.
    private(set) var statusDueAt: Instant?
    private var lookedAt: Instant

    init(now: Instant) { lookedAt = now }

    /// Starting or reloading is over, whether or not the backends are there.
    func ready() { send("READY=1") }

    /// Settings are being read again; `ready` follows.
    func reloading(now: Instant) { send("RELOADING=1\nMONOTONIC_USEC=\(now.microseconds)") }

    /// The daemon makes progress.
    func alive() { send("WATCHDOG=1") }

    func stopping() { send("STOPPING=1") }

    /// Something other than the passing of time happened: the status line may have changed.
    mutating func noteActivity() {
        guard isWanted, statusDueAt == nil else { return }
        statusDueAt = lookedAt.adding(ms: EdgeLimits.statusMs)
    }

    /// Sends the status line if it is due and has changed. A line with rates is looked at once more, even if nothing
    /// else happens.
    mutating func update(now: Instant, line: (Instant) -> StatusLine) {
        guard let due = statusDueAt, due <= now else { return }
        let current = line(now)
        lookedAt = now
        statusDueAt = current.isAtRest ? nil : now.adding(ms: EdgeLimits.statusMs)
        guard current.text != status else { return }
        status = current.text
        send("STATUS=\(status)")
    }

    private func send(_ text: String) {
        // An error means that systemd does not listen, and there is nobody else to tell.
        if isWanted { sd_notify(0, text) }
    }
}
