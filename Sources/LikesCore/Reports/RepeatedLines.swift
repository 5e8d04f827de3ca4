import LikesProtocol
import LikesStorage
import LikesSettings

/// Lines of the log that a server, or a client, can bring about again and again. Of each kind so many are said in a
/// while; of those beyond it the last one is said at its end, with how many more there were.
struct RepeatedLines {
    enum Kind: Hashable {
        /// PostgreSQL refused a statement for what it holds.
        case refusedRows
        /// … or for another reason that concerns that statement alone.
        case refusedStatement
        case refusedByRedis(RedisTask)
        /// A connection came or went.
        case connection(Backend)
        /// … for what the server said.
        case unexpected(Backend)
        /// The lane was closed by another host.
        case lane
        /// PostgreSQL, or Redis, turned out to be at another past.
        case past
        /// Something in Redis is a stranger's.
        case forged(Forgery)
        case reload
        /// Clients can't be accepted.
        case accepting
        /// A client was closed for the memory it held.
        case clientMemory
        /// What PostgreSQL says beside its answers.
        case notice

        /// Lines in `Limits.logWindowMs`. What is refused comes with each request; all else tells of steps, of which
        /// some belong together.
        var linesMax: Int {
            switch self {
            case .refusedRows, .refusedStatement, .refusedByRedis, .forged, .unexpected, .accepting, .clientMemory: 1
            case .connection, .lane, .past: Limits.logStepsMax
            case .reload, .notice: 2 * Limits.reloadProblemsMax
            }
        }
    }

    private struct Window {
        var end: Instant
        var said = 0
        /// The last line that was not said, and how many were not.
        var held: (level: LogLevel, text: String, count: Int)?
    }

    private var windows: [Kind: Window] = [:]

    /// When held lines are due; nil: none are.
    var wakeAt: Instant? { windows.values.lazy.filter { $0.held != nil }.map(\.end).min() }

    mutating func add(
        _ kind: Kind, _ level: LogLevel, _ text: String, _ turn: inout Turn
    ) {
        close(kind, &turn)
        var window = windows[kind] ?? Window(end: turn.now.adding(ms: Limits.logWindowMs))
        if window.said < kind.linesMax {
            window.said += 1
            turn.append(.log(level, text))
        } else {
            window.held = (level, text, (window.held?.count ?? 0) + 1)
        }
        windows[kind] = window
    }

    mutating func tick(_ turn: inout Turn) {
        guard let wakeAt, wakeAt <= turn.now else { return }
        for kind in windows.keys { close(kind, &turn) }
    }

    /// Nothing comes any more.
    mutating func flush(_ turn: inout Turn) {
        for window in windows.values { say(window, &turn) }
        windows = [:]
    }

    /// What is said at the end of a window counts in the next one.
    private mutating func close(_ kind: Kind, _ turn: inout Turn) {
        guard let window = windows[kind], window.end <= turn.now else { return }
        say(window, &turn)
        windows[kind] = window.held.map { _ in Window(end: turn.now.adding(ms: Limits.logWindowMs), said: 1) }
    }

    private func say(_ window: Window, _ turn: inout Turn) {
        guard let held = window.held else { return }
        let more = held.count > 1 ? " … and \(held.count - 1) more like it" : ""
        turn.append(.log(held.level, held.text + more))
    }
}
