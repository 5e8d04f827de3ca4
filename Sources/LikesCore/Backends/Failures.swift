import LikesProtocol
import LikesStorage

/// Why Redis did not do what it was asked.
package enum RedisFailure: Equatable, Sendable {
    /// The answer does not fit the call, so it is not known what Redis did.
    case misfit(Misfit)
    /// Redis answered with an error.
    case refused(String)
    /// Redis reached the call after its deadline, and did nothing.
    case late
    /// Redis holds another generation than the call names, and did nothing.
    case otherGeneration
    /// The node of the cluster does not own what all of the call depends on, and did nothing.
    case elsewhere
    /// The node serves nothing at present, whatever it owns: to it, the cluster is down.
    case clusterDown
}

/// Why PostgreSQL failed a call. It answered, so the call has certainly changed nothing.
package enum StatementFailure: Equatable, Sendable {
    /// Deadlock, serialization failure, lock timeout: the same call may succeed later.
    case retryable(String)
    /// The server takes no writes: read-only, standby.
    case readOnly(String, next: String? = nil)
    /// The tables are not as this version of likesd needs them.
    case schema(String, next: String? = nil)
    /// PostgreSQL refuses something in the rows themselves: a constraint, a trigger, a number out of range.
    case rows(String)
    /// The role lacks a right. `next`: what to run.
    case permission(String, next: String)
    /// Anything else: disk full, timeout.
    case other(String)
}

/// Why a connection is down, in words for HEALTH and the log, and what to do next where that is known.
package enum BackendFailure: Equatable, Sendable {
    case unreachable(String, next: String? = nil)
    /// The server sent something that nobody asked for, that is no valid answer, or that is longer than an answer may
    /// be.
    case unexpected(String, next: String? = nil)
    /// Connected, but the schema must be created or upgraded.
    case schema(String, next: String? = nil)
    /// Connected, but the server takes no writes (lane only).
    case readOnly(String, next: String? = nil)
}

extension BackendFailure {
    package init(_ failure: SchemaFailure) { self = .schema(failure.reason, next: failure.next) }
}

extension BackendFailure {
    /// PostgreSQL stopped waiting for its synchronous standby.
    static let awaitsStandby = BackendFailure.unreachable(
        "it waits for a synchronous standby, and a wait was cancelled: nothing is acknowledged until a standby has it",
        next: "start the standby, or take it out of synchronous_standby_names")

    /// PostgreSQL's answer does not fit the call.
    static func misfit(_ misfit: Misfit) -> BackendFailure {
        .schema(
            "an impossible answer: \(misfit.text)",
            next: "look for triggers on the tables and for columns that may be NULL, then run likesctl verify --repair "
                + "with the settings of this likesd")
    }

    /// The reason in words.
    package var reason: String {
        switch self {
        case .unreachable(let reason, _), .unexpected(let reason, _), .schema(let reason, _), .readOnly(let reason, _):
            reason
        }
    }

    /// What to do about it; nil: not known.
    package var next: String? {
        switch self {
        case .unreachable(_, let next), .unexpected(_, let next), .schema(_, let next), .readOnly(_, let next): next
        }
    }

    /// The reason and the next step, for the log and for clients.
    package var text: String { NextStep.joined(reason, next) }

    /// Whether the server still answers reads.
    var stopsOnlyChanges: Bool {
        switch self {
        case .readOnly: true
        case .unreachable, .unexpected, .schema: self == .awaitsStandby
        }
    }

    /// Why a request was not served, for its client.
    var refusal: String {
        if self == .awaitsStandby { return "PostgreSQL keeps changes waiting: \(text)" }
        return "PostgreSQL \(stopsOnlyChanges ? "takes no changes" : "cannot be used"): \(text)"
    }
}

extension Misfit {
    /// `what`: the things, in the plural.
    static func otherNumber(of what: String) -> Misfit { Misfit("a wrong number of \(what)") }
}
