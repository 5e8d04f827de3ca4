/// What scripts learn from the exit status. The numbers from 64 on are those of sysexits.h.
enum ExitStatus: Int32, CaseIterable {
    case ok = 0
    case refused = 1
    case degraded = 2
    case down = 3
    case rateLimited = 4
    case busy = 5
    case unavailable = 6
    case uncertain = 7
    case newerSchema = 8
    case differences = 9
    case incomplete = 10
    case usage = 64
    case unreachable = 69
    case output = 74
    case timedOut = 75
    case notUnderstood = 76
    case permissionDenied = 77
    case configuration = 78

    var meaning: String {
        switch self {
        case .ok: "done; for health: all is well"
        case .refused: "refused: the request is wrong, or PostgreSQL refused it; bench: all failed, or it went away"
        case .degraded: "health: degraded, it works without one of its backends"
        case .down: "health: down"
        case .rateLimited: "RATELIMITED: nothing stored, wait"
        case .busy: "BUSY: likesd is at a limit of its own, nothing stored"
        case .unavailable: "UNAVAILABLE: no PostgreSQL, nothing stored"
        case .uncertain: "UNCERTAIN: whether it was stored is unknown; repeat it, or ask 'liked'"
        case .newerSchema: "migrate, verify: the schema is newer than this likesctl"
        case .differences: "verify: there are differences that were not mended"
        case .incomplete: "verify: no differences left, but not everything could be checked"
        case .usage: "wrong usage"
        case .unreachable: "the daemon is not reachable; for migrate and verify: PostgreSQL"
        case .output: "the output could not be written"
        case .timedOut: "no answer in time"
        case .notUnderstood: "the answer was not understood"
        case .permissionDenied: "permission denied"
        case .configuration: "the configuration is wrong"
        }
    }
}

/// Why the command ends without having done its work.
struct Failure: Error {
    var status: ExitStatus
    /// What happened and what to do; may have several lines.
    var message: String
    /// PostgreSQL gave the statement up for the sake of others: the same again may well succeed.
    var isWorthRepeating = false
    /// Somebody held a lock for longer than the statement was to wait for it.
    var isLocked = false

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
