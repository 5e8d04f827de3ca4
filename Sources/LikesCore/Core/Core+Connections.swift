import LikesProtocol
import LikesStorage

// Connections to Redis and PostgreSQL come and go.
extension Core {
    /// The connection for calls to Redis is up.
    package mutating func redisConnected(_ node: NodePlace, _ turn: inout Turn) {
        redis[node].connected(now: turn.now)
        let name = name(.redis(node))
        say(.connection(.redis(node)), .notice, "\(name) connected", &turn)
        repairs[node].retryNow()
        coherence[node].heartbeat.restart(now: turn.now)
        identifyData(node, &turn)
    }

    /// `backend`: the lane, the reader, or a standby.
    package mutating func databaseConnected(_ backend: Backend, _ facts: DatabaseFacts, _ turn: inout Turn) {
        switch backend {
        case .lane: lane.connected(now: turn.now)
        case .reader: reader.connected(isStandby: facts.identity == nil, now: turn.now)
        case .standby(let place): return standbyConnected(place, facts, &turn)
        case .redis, .subscriber: preconditionFailure("not PostgreSQL's")
        }
        let name = name(backend)
        say(.connection(backend), .notice, "\(name) connected", &turn)
        if canAskPrimary { known.primaryIsBack() }
        if let seals = facts.seals { learn(seals, askedAt: self[backend].attemptAt, &turn) }
        guard let identity = facts.identity else { return }
        // If the identity differs as well, `learn` drops everything that was cached.
        let isRenumbered = backend == .lane && facts.hasOtherTypes && coherence.past.identity == identity
        learn(identity, of: backend, &turn)
        if isRenumbered { goBack("item types changed their numbers", &turn) }
    }

    /// The connection was lost or could not be made. Its calls under way are given up.
    package mutating func lost(_ backend: Backend, _ failure: BackendFailure, _ turn: inout Turn) {
        lost(backend, failure, isQuiet: false, &turn)
    }

    /// Whether it is a cluster's node without slots: nothing is missed with it.
    private func isSpare(_ backend: Backend) -> Bool {
        switch backend {
        case .redis(let node), .subscriber(let node): !redis.isInUse(node)
        case .lane, .reader, .standby: false
        }
    }

    private mutating func lost(
        _ backend: Backend, _ failure: BackendFailure, isQuiet: Bool, _ turn: inout Turn
    ) {
        let wasUp = self[backend].isUp
        let isUnexpected = if case .unexpected = failure { true } else { false }
        if isUnexpected { reports.noteUnexpected(backend) }
        if self[backend].lost(failure, now: turn.now, random: random.next()), !isQuiet {
            let text = "\(name(backend)) lost: \(failure.text)"
            let kind = isUnexpected ? RepeatedLines.Kind.unexpected(backend) : .connection(backend)
            say(kind, isSpare(backend) ? .debug : .warning, text, &turn)
        }
        switch backend {
        case .redis(let node): redisLost(node, wasUp: wasUp, &turn)
        case .subscriber(let node): if wasUp { doubtMessages(of: node) }
        case .lane:
            lane.lost(failure)
            for purpose in lane.giveUpCalls() { abandon(purpose, &turn) }
            writes.laneLost()
            reader.standbys.forgetPositions(now: turn.now)
        case .reader:
            // The reader's new connection has checked the tables. The lane's connection may now see other tables than
            // it checked.
            if case .schema = failure { lane.schemaChecks.checkSoon(now: turn.now) }
            // Each goes before those that are already there.
            for purpose in reader.calls.giveUp().reversed() { putBack(purpose, now: turn.now) }
            serveStale(reads.queuedForDatabase(), &turn)
            for index in reads.takeConfirmations() { queueUnconfirmed(index) }
            reader.standbys.forgetPositions(now: turn.now)
        case .standby(let place):
            let unanswered = reader.standbys[place].calls.giveUp()
            for purpose in unanswered { askPrimary(purpose, of: place, &turn) }
        }
    }

    private mutating func redisLost(_ node: NodePlace, wasUp: Bool, _ turn: inout Turn) {
        redis.asks.askSoon(now: turn.now)
        coherence[node].trust.lose(now: turn.now)
        repairs.passes.lose(node)
        let unanswered = redis[node].calls.giveUp()
        if wasUp, case .readCounters(let items, _, _)? = unanswered.first { setWithoutReading(items, on: node) }
        for purpose in unanswered { abandon(purpose, on: node, &turn) }
        missTellings(node, now: turn.now)
        repairs[node].rereadAll()
    }

    /// Closes a connection that is of no use and treats it as lost.
    mutating func giveUp(
        _ backend: Backend, _ failure: BackendFailure, isQuiet: Bool = false, _ turn: inout Turn
    ) {
        turn.append(.disconnect(backend))
        lost(backend, failure, isQuiet: isQuiet, &turn)
    }

    /// Gives up all connections to PostgreSQL: what they have learnt of the tables is no longer true.
    mutating func giveUpDatabase(_ failure: BackendFailure, _ turn: inout Turn) {
        giveUp(.lane, failure, &turn)
        if !reader.link.isDown { giveUp(.reader, failure, &turn) }
        for place in reader.standbys.places where !reader.standbys[place].link.isDown {
            giveUp(.standby(place), failure, &turn)
        }
    }

    // MARK: Messages that answer no call

    /// PostgreSQL servers that can be reached but must not be used. Replaces the previous list.
    package mutating func serversPassedOver(_ servers: [ServerAdvice], _ turn: inout Turn) {
        reports.passOver(servers, &turn)
    }

    /// What Redis' Sentinels say has changed.
    package mutating func sentinelsReported(_ report: SentinelReport, _ turn: inout Turn) {
        guard let news = reports.sentinels.take(report) else {
            return say(.sentinels, .notice, "Redis: all Sentinels answer and agree", &turn)
        }
        for trouble in news {
            say(.sentinels, .warning, "Redis: \(NextStep.joined(trouble.reason, trouble.next))", &turn)
        }
    }

    /// The Sentinels name another primary than before, or one again.
    package mutating func primaryNamed(_ turn: inout Turn) {
        redis[0].link.trySoon(now: turn.now, random: random.next())
        redis[0].subscriber.trySoon(now: turn.now, random: random.next())
    }

    /// A Sentinel sent something that made likesd end the connection.
    package mutating func sentinelMisspoke(_ turn: inout Turn) { reports.noteUnexpected(.redis(0)) }

    /// While it was asked who it is, a PostgreSQL server sent something that made likesd end the connection.
    package mutating func serverMisspoke(_ text: String, _ turn: inout Turn) {
        reports.noteUnexpected(.lane)
        let name = name(.lane)
        say(.unexpected(.lane), .warning, "\(name): \(text)", &turn)
    }

    /// PostgreSQL sent a notice, which goes into the log.
    package mutating func noticed(_ notice: String, _ turn: inout Turn) {
        say(.notice, .debug, "PostgreSQL: \(notice)", &turn)
    }

    func name(_ backend: Backend) -> String {
        switch backend {
        case .redis(let node): "Redis\(address(node))"
        case .subscriber(let node): "Redis\(address(node)) (subscription)"
        case .lane: "PostgreSQL (writing)"
        case .reader: "PostgreSQL (reading)"
        case .standby(let place): "PostgreSQL (standby \(place + 1))"
        }
    }

    /// Behind `Redis`, which of a cluster's nodes it is.
    func address(_ node: NodePlace) -> String { redis.clusterNode(node).map { " \($0.name)" } ?? "" }
}
