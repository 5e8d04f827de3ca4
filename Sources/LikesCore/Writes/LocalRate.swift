/// The rate limit while Redis is away: fixed windows per user, counted in this process alone.
package struct LocalRate {
    private struct Window {
        var opened: Instant
        var requests: Int64
    }

    private var requestsMax: Int64
    private var windowSeconds: Int64
    private let usersMax: Int
    private var windows: [Int64: Window] = [:]

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
        return nil
    }

    /// Redis is back and counts again.
    package mutating func reset() { windows = [:] }

    private func isOver(_ window: Window, now: Instant) -> Bool {
        now.ms(since: window.opened) >= windowSeconds * 1_000
    }

    /// Forgets ended windows; when all still run, every one: rather too many likes for a moment than unbounded memory.
    private mutating func makeRoom(now: Instant) {
        windows = windows.filter { !isOver($0.value, now: now) }
        if windows.count >= usersMax { windows = [:] }
    }
}
