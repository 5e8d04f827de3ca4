import LikesProtocol

/// What scripts learn from likesctl's exit status. Numbers from 64 up are those of sysexits.h.
package enum ExitStatus: Int32, CaseIterable, Sendable {
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
    case olderSchema = 11
    case usage = 64
    case unreachable = 69
    case output = 74
    case timedOut = 75
    case notUnderstood = 76
    case permissionDenied = 77
    case configuration = 78

    /// The status for a code from the daemon; nil stands for a code that this version does not know.
    package init(_ code: ErrorCode?) {
        switch code {
        case .err, .noProto, nil: self = .refused
        case .rateLimited: self = .rateLimited
        case .busy: self = .busy
        case .unavailable: self = .unavailable
        case .uncertain: self = .uncertain
        case .noPermission: self = .permissionDenied
        case .configuration: self = .configuration
        }
    }

    /// The code of an error in JSON: the daemon's own code if there is one. nil: no error ends with this status.
    package var code: String? {
        switch self {
        case .ok, .degraded, .down, .differences: nil
        case .refused: ErrorCode.err.rawValue
        case .rateLimited: ErrorCode.rateLimited.rawValue
        case .busy: ErrorCode.busy.rawValue
        case .unavailable: ErrorCode.unavailable.rawValue
        case .uncertain: ErrorCode.uncertain.rawValue
        case .permissionDenied: ErrorCode.noPermission.rawValue
        case .configuration: ErrorCode.configuration.rawValue
        case .newerSchema: "NEWERSCHEMA"
        case .olderSchema: "OLDERSCHEMA"
        case .incomplete: "INCOMPLETE"
        case .usage: "USAGE"
        case .unreachable: "UNREACHABLE"
        case .output: "OUTPUT"
        case .timedOut: "TIMEOUT"
        case .notUnderstood: "NOTUNDERSTOOD"
        }
    }

    /// For help and manual, as `Markup`.
    package var meaning: String {
        switch self {
        case .ok: "done; for `health`: all is well"
        case .refused:
            "the request is wrong, or PostgreSQL refused it; `bench`: every request failed, or the daemon "
                + "went away"
        case .degraded: "`health`: degraded, it works without one of its backends"
        case .down: "`health`: down"
        case .rateLimited: "over the rate limit: nothing was stored, wait"
        case .busy: "likesd has reached one of its limits: nothing was stored"
        case .unavailable: "PostgreSQL is unavailable: nothing was stored"
        case .uncertain: "whether the change was stored is unknown: repeat it, or ask `liked`"
        case .newerSchema: "the schema is newer than this likesctl"
        case .olderSchema: "the schema is older than this likesctl: run `migrate`"
        case .differences:
            "`verify`: there are differences that were not mended; `migrate`: the tables are not as likesd needs them"
        case .incomplete:
            "`verify`: no differences left, but not everything could be checked; `migrate`: indexes were left, or are "
                + "missing; `import`: rows were left out; `forget`, `remove`: likes keep coming, an unfinished import "
                + "may add some again, or Redis could not be asked"
        case .usage: "wrong usage"
        case .unreachable: "the daemon is not reachable; for commands that ask PostgreSQL: that server"
        case .output: "the output could not be written"
        case .timedOut: "no answer in time"
        case .notUnderstood: "the answer was not understood"
        case .permissionDenied: "permission denied"
        case .configuration: "the configuration is wrong; `reload`: nothing was changed"
        }
    }
}
