/// The rate limit while Redis does not count: fixed windows per user, counted in this process alone.
///
/// A window stays until it ends, also if Redis counts again meanwhile. So a user gets no new window from a Redis that
/// comes and goes, and no more than twice the limit from one switch there and back.
package struct LocalRate {
    private struct Window {
        var opened: Instant
        var requests: Int64
    }

    private var requestsMax: Int64
    private var windowSeconds: Int64
    private let usersMax: Int
    private var windows: [Int64: Window] = [:]
    /// When the last window was opened.
    private var openedAt: Instant?

    /// `requestsMax` 0: no limit.
    package init(requestsMax: Int64, windowSeconds: Int64, usersMax: Int = Limits.standard.localRateUsersMax) {
        self.requestsMax = requestsMax
        self.windowSeconds = windowSeconds
        self.usersMax = usersMax
    }

    package var usersCount: Int { windows.count }

    /// Windows that are open stay open, and end by the new length.
    package mutating func set(requestsMax: Int64, windowSeconds: Int64) {
        self.requestsMax = requestsMax
        self.windowSeconds = windowSeconds
    }

    /// Counts one change of the user. nil: the user is under the limit; otherwise the seconds until the window ends, 1
    /// or more.
    package mutating func count(user: Int64, now: Instant) -> Int64? {
        guard requestsMax > 0 else { return nil }
        if var window = windows[user], !isOver(window, now: now) {
            window.requests += 1
            windows[user] = window
            guard window.requests > requestsMax else { return nil }
            let left = windowSeconds * 1_000 - now.ms(since: window.opened)
            return max(1, (left + 999) / 1_000)
        }
        if windows.count >= usersMax { makeRoom(now: now) }
        windows[user] = Window(opened: now, requests: 1)
        openedAt = now
        return nil
    }

    /// Redis has counted. Once it has done so for the length of a window, all windows here have ended.
    package mutating func notNeeded(now: Instant) {
        guard let openedAt, now.ms(since: openedAt) >= windowSeconds * 1_000 else { return }
        self.openedAt = nil
        windows = [:]
    }

    private func isOver(_ window: Window, now: Instant) -> Bool {
        now.ms(since: window.opened) >= windowSeconds * 1_000
    }

    /// Forgets ended windows. If none has ended, forgets all: too many likes for a moment are better than unbounded
    /// memory.
    private mutating func makeRoom(now: Instant) {
        windows = windows.filter { !isOver($0.value, now: now) }
        if windows.count >= usersMax { windows = [:] }
    }
}
