import LikesProtocol
import LikesSettings
import LikesStorage

/// Why Redis did not do what was asked.
package enum RedisFailure: Equatable, Sendable {
    /// Nobody knows what it did.
    case misfit(Misfit)
    /// It answered with an error.
    case refused(String)
    /// It came to it after the deadline, and did nothing.
    case late
    /// It holds other data than the call was meant for, and did nothing.
    case otherGeneration
}

/// Why a call failed that PostgreSQL answered: proven to have changed nothing.
package enum StatementFailure: Equatable, Sendable {
    /// Deadlock, serialization failure, lock timeout: the same again may succeed.
    case retryable(String)
    /// The server takes no writes: read-only, standby.
    case readOnly(String)
    /// The tables are not as this version needs them.
    case schema(String)
    /// Something in the rows themselves is refused: a constraint, a trigger, a number out of range.
    case rows(String)
    /// The role has no right to do it: what to run.
    case permission(String, next: String)
    /// Anything else: disk full, timeout.
    case other(String)
}

/// Why a connection is not there, in words for HEALTH and the log, and what to do next where that is known.
package enum BackendFailure: Equatable, Sendable {
    case unreachable(String, next: String? = nil)
    /// It said what nobody asked for, what is no answer, or more than an answer may have.
    case unexpected(String, next: String? = nil)
    /// Connected, but the schema has to be created or upgraded.
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
        "a wait for a synchronous standby was cancelled: nothing is acknowledged until a standby has it",
        next: "start the standby, or take it out of synchronous_standby_names")

    /// PostgreSQL gave an answer that does not fit what it was asked.
    static func misfit(_ misfit: Misfit) -> BackendFailure {
        .schema(
            "an impossible answer: \(misfit.text)",
            next: "look for triggers on the tables and for columns that may be NULL, then run likesctl verify --repair")
    }

    /// The reason in words.
    var reason: String {
        switch self {
        case .unreachable(let reason, _), .unexpected(let reason, _), .schema(let reason, _), .readOnly(let reason, _):
            reason
        }
    }

    /// What to do about it.
    var next: String? {
        switch self {
        case .unreachable(_, let next), .unexpected(_, let next), .schema(_, let next), .readOnly(_, let next): next
        }
    }

    /// Both, for the log and for clients.
    package var text: String { next.map { "\(reason); next: \($0)" } ?? reason }
}

extension Misfit {
    /// `what` in the plural.
    static func otherNumber(of what: String) -> Misfit { Misfit("a wrong number of \(what)") }
}
