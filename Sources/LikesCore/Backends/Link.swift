/// The state of one connection to a backend, and when the next attempt is due.
struct Link {
    enum State: Equatable {
        case down(retryAt: Instant)
        case connecting(giveUpAt: Instant)
        case up
    }

    private(set) var state: State
    /// Why the connection is down; nil while it is up, and before the first attempt has ended.
    private(set) var failure: BackendFailure?
    private(set) var attempts = 0
    private(set) var connectedTotal: Int64 = 0
    /// When the current connection was made, or the last one if the link is down.
    private(set) var upSince: Instant
    /// When the last attempt began.
    private(set) var attemptAt: Instant
    private let connectMsMax: Int64

    init(connectMsMax: Int64, now: Instant) {
        self.connectMsMax = connectMsMax
        state = .down(retryAt: now)
        upSince = now
        attemptAt = now
    }

    var isUp: Bool { state == .up }
    /// There is neither a connection nor an attempt at one.
    var isDown: Bool { if case .down = state { true } else { false } }

    /// When the link next needs attention: to try again, or to end an attempt that takes too long.
    var wakeAt: Instant? {
        switch state {
        case .down(let retryAt): retryAt
        case .connecting(let giveUpAt): giveUpAt
        case .up: nil
        }
    }

    mutating func beginAttempt(now: Instant) {
        attempts += 1
        attemptAt = now
        state = .connecting(giveUpAt: now.adding(ms: connectMsMax))
    }

    mutating func connected(now: Instant) {
        upSince = now
        connectedTotal += 1
        failure = nil
        state = .up
    }

    /// The connection did its work, so the next loss is retried soon. A connection that is made and then refuses every
    /// request must not be made again without a pause.
    mutating func proved() { attempts = 0 }

    /// The server may be elsewhere now: the next attempt is due soon, however many have failed. `random` spreads hosts
    /// that hear of it together.
    mutating func trySoon(now: Instant, random: UInt64) {
        guard case .down(let retryAt) = state else { return }
        attempts = 0
        state = .down(retryAt: min(retryAt, now.adding(ms: Int64(random % UInt64(Limits.reconnectMsMin + 1)))))
    }

    /// It leads to another server from now on: the next attempt is due now, as if it were the first.
    mutating func restart(now: Instant) {
        attempts = 0
        failure = nil
        state = .down(retryAt: now)
    }

    /// Delays the next attempt to this moment or later.
    mutating func stayDown(until moment: Instant) {
        if case .down(let retryAt) = state { state = .down(retryAt: max(retryAt, moment)) }
    }

    /// True when this is news: the link was up, or had failed in another way. `random` spreads the next attempt.
    mutating func lost(_ failure: BackendFailure, now: Instant, random: UInt64) -> Bool {
        let isNews = isUp || failure != self.failure
        self.failure = failure
        let doublings = min(max(attempts - 1, 0), 16)
        let delay = min(Limits.reconnectMsMin << doublings, Limits.reconnectMsMax)
        // Half fixed, half random: hosts that lost the same server together do not come back together.
        state = .down(retryAt: now.adding(ms: delay / 2 + Int64(random % UInt64(delay / 2 + 1))))
        return isNews
    }
}
