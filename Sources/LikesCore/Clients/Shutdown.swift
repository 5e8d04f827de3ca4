/// Stopping the process: what was accepted is answered, and nothing more is taken.
struct Shutdown {
    /// When it stops in any case; nil: nobody has asked for it.
    private(set) var by: Instant?
    private(set) var hasStopped = false

    var isAsked: Bool { by != nil }

    mutating func ask(now: Instant) { by = now.adding(ms: Limits.drainMsMax) }

    /// True: it stops now. `isDone`: nothing is left to do.
    mutating func ends(isDone: Bool, now: Instant) -> Bool {
        guard let by, !hasStopped, isDone || now >= by else { return false }
        hasStopped = true
        return true
    }

    var wakeAt: Instant? { hasStopped ? nil : by }
}
