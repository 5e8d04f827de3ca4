import LikesProtocol
import LikesSettings
import LikesStorage
/// One connection to a backend: whether it is there, and when it is tried again.
struct Link {
    enum State: Equatable {
        case down(retryAt: Instant)
        case connecting(giveUpAt: Instant)
        case up
    }

    private(set) var state: State
    /// Why it is not there; nil while it is, and before the first attempt ended.
    private(set) var failure: BackendFailure?
    private(set) var attempts = 0
    private(set) var connectedTotal: Int64 = 0
    /// When the connection was made, the last one if it is not there.
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
    /// There is no connection, nor an attempt at one.
    var isDown: Bool { if case .down = state { true } else { false } }

    /// When the link wants attention: the next attempt, or the end of one that takes too long.
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

    /// It did what it is there for: the next loss is tried again soon. A connection that is made and then refuses all
    /// that it is asked must not be made over and over.
    mutating func proved() { attempts = 0 }

    /// It is not tried again before this moment.
    mutating func hold(until moment: Instant) {
        if case .down(let retryAt) = state { state = .down(retryAt: max(retryAt, moment)) }
    }

    /// True when this is news: the link was up, or failed in another way before. `random` spreads the next attempt.
    mutating func lost(_ failure: BackendFailure, now: Instant, random: UInt64) -> Bool {
        let isNews = isUp || failure != self.failure
        self.failure = failure
        let doublings = min(max(attempts - 1, 0), 16)
        let delay = min(Limits.reconnectMsMin << doublings, Limits.reconnectMsMax)
        // Half fixed, half random: hosts that lost the same server at once come back spread out.
        state = .down(retryAt: now.adding(ms: delay / 2 + Int64(random % UInt64(delay / 2 + 1))))
        return isNews
    }
}
