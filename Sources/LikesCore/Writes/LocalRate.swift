/// The rate limit while Redis does not count: fixed windows per user, counted in this process alone.
///
/// A window stays until it ends, whether Redis counts again or not: a Redis that comes and goes gives nobody a new one,
/// and over one switch there and back nobody gets more than twice the limit.
package struct LocalRate {
    private struct Window {
        var opened: Instant
        var requests: Int64
    }

    private var requestsMax: Int64
    private var windowSeconds: Int64
    private let usersMax: Int
    private var windows: [Int64: Window] = [:]
    /// When the last one was opened.
    private var openedAt: Instant?

    /// `requestsMax` 0: no limit.
    package init(requestsMax: Int64, windowSeconds: Int64, usersMax: Int = Limits.standard.localRateUsersMax) {
        self.requestsMax = requestsMax
        self.windowSeconds = windowSeconds
        self.usersMax = usersMax
    }

    package var usersCount: Int { windows.count }

    /// Windows that run go on, and end by the new length.
    package mutating func set(requestsMax: Int64, windowSeconds: Int64) {
        self.requestsMax = requestsMax
        self.windowSeconds = windowSeconds
    }

    /// Counts one change of the user. nil: under the limit; else the seconds until its window ends, 1 or more.
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

    /// Redis has counted: once it has for the length of a window, all of these have ended.
    package mutating func notNeeded(now: Instant) {
        guard let openedAt, now.ms(since: openedAt) >= windowSeconds * 1_000 else { return }
        self.openedAt = nil
        windows = [:]
    }

    private func isOver(_ window: Window, now: Instant) -> Bool {
        now.ms(since: window.opened) >= windowSeconds * 1_000
    }

    /// Forgets ended windows; when all still run, every one: rather too many likes for a moment than unbounded memory.
    private mutating func makeRoom(now: Instant) {
        windows = windows.filter { !isOver($0.value, now: now) }
        if windows.count >= usersMax { windows = [:] }
    }
}
