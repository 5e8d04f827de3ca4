import CSystemd
import Glibc
import LikesCore

/// Tells systemd how the daemon is; without a systemd that asked for it, nothing.
struct Notifier {
    /// Whether a service manager listens.
    let isWanted = getenv("NOTIFY_SOCKET") != nil
    private var status = ""
    /// When the status line is to be looked at; nil: nothing happened since it last was.
    private(set) var statusDueAt: Instant?
    private var lookedAt: Instant

    init(now: Instant) { lookedAt = now }

    /// Starting, or reloading, is over, whether or not the backends are there.
    func ready() { send("READY=1") }

    /// Settings are being read anew; `ready` follows.
    func reloading(now: Instant) { send("RELOADING=1\nMONOTONIC_USEC=\(now.microseconds)") }

    /// The daemon makes progress.
    func alive() { send("WATCHDOG=1") }

    func stopping() { send("STOPPING=1") }

    /// Something other than time passing happened: the status line may have changed.
    mutating func noteActivity() {
        guard isWanted, statusDueAt == nil else { return }
        statusDueAt = lookedAt.adding(ms: EdgeLimits.statusMs)
    }

    /// Sends the status line when it is due and not the last one. One that shows rates is looked at once more, even if
    /// nothing happens any more.
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
        // An error means that systemd does not listen; there is nobody else to tell.
        if isWanted { sd_notify(0, text) }
    }
}
