import LikesProtocol
import LikesSettings
import LikesStorage

/// Log lines that a server or a client can cause repeatedly. In a time window, only a limited number of each kind is
/// logged. At the end of the window the last of the others is logged, with how many more there were. As long as they
/// keep coming, that is all that is logged of them, and each window is twice as long as the one before.
struct RepeatedLines {
    enum Kind: Hashable {
        /// PostgreSQL refused a statement because of its data.
        case refusedRows
        /// … or for another reason that concerns only that statement.
        case refusedStatement
        case refusedByRedis(RedisTask)
        /// A connection was made or lost.
        case connection(Backend)
        /// … because of something that the server sent.
        case unexpected(Backend)
        /// Redis' Sentinels.
        case sentinels
        /// A cluster's slots have moved.
        case cluster
        /// A standby stays behind.
        case behind(Int)
        /// Another host closed the lane.
        case lane
        /// PostgreSQL or Redis turned out to be at another past.
        case past
        /// A stranger put something into Redis.
        case forged(Forgery)
        case reload
        /// Clients cannot be accepted.
        case accepting
        /// PostgreSQL does nothing for requests that wait.
        case stall(Stalls.Work)
        /// A client was closed because of the memory it held.
        case clientMemory
        /// PostgreSQL's messages outside of its answers.
        case notice

        /// Lines in `Limits.logWindowMs`. Refusals may come with each request. All other kinds tell of steps, and some
        /// of these belong together.
        var linesMax: Int {
            switch self {
            case .refusedRows, .refusedStatement, .refusedByRedis, .forged, .unexpected, .accepting, .clientMemory,
                .behind:
                1
            // A beginning and an end.
            case .stall: 2
            case .connection, .sentinels, .cluster, .lane, .past: Limits.logStepsMax
            case .reload, .notice: 2 * Limits.reloadProblemsMax
            }
        }
    }

    private struct Window {
        var end: Instant
        var lengthMs = Limits.logWindowMs
        /// Lines that came in it.
        var seen = 0
        var said = 0
        /// The last line that was held back, and how many were.
        var held: (level: LogLevel, text: String, count: Int)?
    }

    private var windows: [Kind: Window] = [:]

    /// When held lines are due; nil: there are none.
    var wakeAt: Instant? { windows.values.lazy.filter { $0.held != nil }.map(\.end).min() }

    mutating func add(
        _ kind: Kind, _ level: LogLevel, _ text: String, _ turn: inout Turn
    ) {
        close(kind, &turn)
        var window = windows[kind] ?? Window(end: turn.now.adding(ms: Limits.logWindowMs))
        window.seen += 1
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

    /// Logs what is held; no more lines will come.
    mutating func flush(_ turn: inout Turn) {
        for window in windows.values { say(window, &turn) }
        windows = [:]
    }

    private mutating func close(_ kind: Kind, _ turn: inout Turn) {
        guard let window = windows[kind], window.end <= turn.now else { return }
        say(window, &turn)
        let isSoon = turn.now.ms(since: window.end) < window.lengthMs
        let goesOn = window.held != nil || isSoon && window.seen >= kind.linesMax
        let lengthMs = min(2 * window.lengthMs, Limits.logWindowMsMax)
        let end = turn.now.adding(ms: lengthMs)
        windows[kind] = goesOn ? Window(end: end, lengthMs: lengthMs, said: kind.linesMax) : nil
    }

    private func say(_ window: Window, _ turn: inout Turn) {
        guard let held = window.held else { return }
        let more = held.count > 1 ? " … and \(held.count - 1) more like it" : ""
        turn.append(.log(held.level, held.text + more))
    }
}
