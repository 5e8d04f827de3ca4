import LikesProtocol
import LikesStorage

// Answers that do not fit what was asked. Whatever a server says, it ends no more than its connection.
extension Core {
    /// Nothing that the call's answer says is to be used.
    package mutating func answerMisfits(_ call: CallID, _ misfit: Misfit, _ turn: inout Turn) {
        guard let given = calls.end(call) else { return }
        disbelieve(given, misfit, &turn)
    }

    /// Gives the connection up. What became of a batch is found out on the next one; a read is refused, since asking
    /// again would bring the same.
    mutating func disbelieve(_ given: Call, _ misfit: Misfit, _ turn: inout Turn) {
        switch given.backend {
        case .redis, .subscriber:
            abandon(given, &turn)
            giveUp(.redis, .unexpected(misfit.text), &turn)
        case .lane:
            heardUnexpected(.lane)
            abandon(given, &turn)
            giveUp(.lane, Self.failure(misfit), &turn)
        case .reader:
            heardUnexpected(.reader)
            let failure = Self.failure(misfit)
            refuse(given, failure.text, &turn)
            giveUp(.reader, failure, &turn)
        }
    }

    /// The batch is committed, and PostgreSQL gave no count of these items although something of them changed. The
    /// counts are owed; the tables are looked at anew by the next connection.
    mutating func lackCounters(_ items: [Item], _ turn: inout Turn) {
        noteMissing(items, now: turn.now)
        guard lane.isUp else { return }
        heardUnexpected(.lane)
        giveUp(.lane, Self.failure(Misfit("a batch was stored without its counters")), &turn)
    }

    /// A connection ended for what the server said.
    mutating func heardUnexpected(_ backend: Backend) {
        switch backend {
        case .redis, .subscriber: statistics.redisUnexpected += 1
        case .lane, .reader: statistics.databaseUnexpected += 1
        }
    }

    /// So did the connection to a server of PostgreSQL that was asked who it is.
    package mutating func serverMisspoke(_ text: String, _ turn: inout Turn) {
        heardUnexpected(.lane)
        say(.unexpected(.lane), .warning, "\(Self.name(.lane)): \(text)", &turn)
    }

    private static func failure(_ misfit: Misfit) -> BackendFailure {
        .schema(
            "an answer that the tables can't give: \(misfit.text)",
            next: "look for triggers on the tables and for columns that may be NULL, then run likesctl verify --repair")
    }
}

extension Misfit {
    /// `what` in the plural.
    static func otherNumber(of what: String) -> Misfit { Misfit("another number of \(what) than was asked for") }
}
