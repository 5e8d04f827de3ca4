import LikesProtocol

// Answers that do not fit what was asked. Whatever a server says, it ends no more than its connection.
extension Core {
    /// Nothing that the call's answer says is to be used.
    package mutating func answerMisfits(_ call: CallID, _ misfit: Misfit, now: Instant, into actions: inout [Action]) {
        guard let given = calls.end(call) else { return }
        disbelieve(given, misfit, now: now, into: &actions)
    }

    /// Gives the connection up. What became of a batch is found out on the next one; a read is refused, since asking
    /// again would bring the same.
    mutating func disbelieve(_ given: Call, _ misfit: Misfit, now: Instant, into actions: inout [Action]) {
        switch given.backend {
        case .redis, .subscriber:
            abandon(given, now: now, into: &actions)
            giveUp(.redis, .unexpected(misfit.text), now: now, into: &actions)
        case .lane:
            heardUnexpected(.lane)
            abandon(given, now: now, into: &actions)
            giveUp(.lane, Self.failure(misfit), now: now, into: &actions)
        case .reader:
            heardUnexpected(.reader)
            let failure = Self.failure(misfit)
            refuse(given, failure.text, now: now, into: &actions)
            giveUp(.reader, failure, now: now, into: &actions)
        }
    }

    /// The batch is committed, and PostgreSQL gave no count of these items although something of them changed. The
    /// counts are owed; the tables are looked at anew by the next connection.
    mutating func lackCounters(_ items: [Item], now: Instant, into actions: inout [Action]) {
        noteMissing(items, now: now)
        guard lane.isUp else { return }
        heardUnexpected(.lane)
        giveUp(.lane, Self.failure(Misfit("a batch was stored without its counters")), now: now, into: &actions)
    }

    /// A connection ended for what the server said.
    mutating func heardUnexpected(_ backend: Backend) {
        switch backend {
        case .redis, .subscriber: statistics.redisUnexpected += 1
        case .lane, .reader: statistics.databaseUnexpected += 1
        }
    }

    /// So did the connection to a server of PostgreSQL that was asked who it is.
    package mutating func serverMisspoke(_ text: String, now: Instant, into actions: inout [Action]) {
        heardUnexpected(.lane)
        say(.unexpected(.lane), .warning, "\(Self.name(.lane)): \(text)", now: now, into: &actions)
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
