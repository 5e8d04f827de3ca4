import Glibc
import LikesCore

/// The core, the time it was last told, and its actions that are not performed yet.
///
/// Connections report what happened through `deliver`. Nothing is performed in there: it is often called from inside a
/// C library, which must not be asked for something else before it has returned.
final class CoreDriver {
    private var core: Core
    private var turn: Turn

    init(core: Core, now: Instant) {
        self.core = core
        turn = Turn(now: now)
        turn.actions.reserveCapacity(1_024)
    }

    /// The moment the present turn of the loop began, or was last refreshed.
    var now: Instant { turn.now }
    var actions: [Action] {
        _read { yield turn.actions }
        _modify { yield &turn.actions }
    }

    /// `event` must not use `now` or `actions`, which are parts of the turn that it is given.
    func deliver(_ event: (inout Core, inout Turn) -> Void) {
        event(&core, &turn)
    }

    /// Asks the core in place: reading it as a property copies all of it, with a retain for each of its tables.
    func ask<Answer>(_ question: (inout Core) -> Answer) -> Answer { question(&core) }

    func refreshNow() { turn.now = .now }
}

extension Instant {
    /// The earlier of those that are not nil.
    static func earlier(_ one: Instant?, _ other: Instant?) -> Instant? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// The monotonic clock, which sd-event's timer uses as well.
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
