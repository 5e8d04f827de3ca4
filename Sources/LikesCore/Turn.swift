import LikesSettings

/// One turn of the event loop: the moment at which its events happen, and what the core wants done about them.
package struct Turn {
    package var now: Instant
    package var actions: [Action] = []

    package init(now: Instant) { self.now = now }

    package mutating func append(_ action: Action) { actions.append(action) }

    /// Logs a line at once. For lines that may be repeated often, use `Core.say`.
    package mutating func log(_ level: LogLevel, _ text: String) { actions.append(.log(level, text)) }
}
