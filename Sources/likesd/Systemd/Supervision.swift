import LikesCore

/// What systemd is told of the daemon: its state, its status line, and that it makes progress.
struct Supervision {
    private var notifier: Notifier
    private var watchdog: Watchdog
    private var isReloading = false

    init(now: Instant) {
        notifier = Notifier(now: now)
        watchdog = Watchdog.asked(now: now)
    }

    /// Whether a service manager listens.
    var isWanted: Bool { notifier.isWanted }

    /// When there is something to tell even if nothing happens.
    var dueAt: Instant? { Instant.earlier(notifier.statusDueAt, watchdog.dueAt) }

    func ready() { notifier.ready() }

    func stopping() { notifier.stopping() }

    mutating func reloadBegan(now: Instant) {
        isReloading = true
        notifier.reloading(now: now)
    }

    /// If settings were read again: they are in force now.
    mutating func reloadEnded() {
        guard isReloading else { return }
        isReloading = false
        notifier.ready()
    }

    /// Something other than time passing happened.
    mutating func noteActivity() { notifier.noteActivity() }

    /// The end of a turn of the loop. Each closure is called only when its answer is due.
    mutating func turnEnded(now: Instant, line: (Instant) -> StatusLine, progress: () -> Progress) {
        notifier.update(now: now, line: line)
        if watchdog.turnEnded(now: now, progress) { notifier.alive() }
    }
}
