import LikesProtocol

// How much of the shared resources clients may use: places, memory, and time to finish a request.
extension Core {
    // MARK: New clients

    /// A client connected. nil: the table or its sharer's part of it is full. Then send the client `refusal(of:)` and
    /// close.
    package mutating func opened(by peer: PeerRights = .none, now: Instant) -> ConnectionID? {
        let kept = peer.getsInWhenFull ? Limits.administratorConnectionsMax : 0
        guard !clients.shutdown.isAsked,
            let id = clients.sessions.open(
                max: configuration.connectionsMax, extraMax: kept, sharer: peer.sharer,
                shareMax: configuration.connectionsPerUser)
        else {
            reports.statistics.connectionsRefused += 1
            if let sharer = peer.sharer, clients.sessions.shares[sharer] >= configuration.connectionsPerUser {
                reports.statistics.connectionsOverShare += 1
            }
            return nil
        }
        clients.sessions[id].mayReload = peer.mayReload
        return id
    }

    /// A client is inherited from the previous process; `restore` sets what is known of it. nil: there are too many.
    package mutating func tookOver(
        by peer: PeerRights, now: Instant, restore: (inout ClientFacts) -> Void
    ) -> ConnectionID? {
        guard let id = opened(by: peer, now: now) else { return nil }
        reports.statistics.connectionsTakenOver += 1
        restore(&clients.sessions[id].client)
        return id
    }

    /// What is known of a client that has nothing under way and is not closing; nil for any other.
    package func idleClient(_ id: ConnectionID) -> ClientFacts? {
        let sessions = clients.sessions
        guard sessions.isOpen(id), sessions.isIdle(id), !sessions[id].isClosing else { return nil }
        return sessions[id].client
    }

    /// Clients cannot be accepted, because descriptors or memory have run out.
    package mutating func acceptingFailed(_ reason: String, _ turn: inout Turn) {
        say(.accepting, .error, reason, &turn)
    }

    /// The error for a client that finds the table of connections full.
    package static let refusal = ErrorReply(.busy, "too many connections: raise MAX_CONNECTIONS or use fewer clients")

    /// The error for a client that `opened` did not let in.
    package func refusal(of peer: PeerRights) -> ErrorReply {
        guard let sharer = peer.sharer, clients.sessions.shares[sharer] >= configuration.connectionsPerUser else {
            return Self.refusal
        }
        let one =
            switch sharer {
            case .user: "user"
            case .process: "process"
            }
        return ErrorReply(
            .busy, "too many connections from one \(one): use fewer clients or raise MAX_CONNECTIONS_PER_USER")
    }

    // MARK: Memory

    /// The edge holds this many bytes more, or fewer, for an open connection. `isUnread`: its socket does not take the
    /// replies that are to be written.
    package mutating func holds(_ more: Int, for connection: ConnectionID, isUnread: Bool = false, now: Instant) {
        clients.sessions.memory.add(more, slot: Int(connection.slot))
        clients.sessions.memory.note(isUnread: isUnread, slot: Int(connection.slot), now: now)
    }

    /// The socket took some of the replies: the client reads, if slowly.
    package mutating func tookReplies(_ connection: ConnectionID, now: Instant) {
        clients.sessions.memory.progressed(slot: Int(connection.slot), now: now)
    }

    /// Whether all clients together hold more memory than they may.
    package var isOverClientMemory: Bool { clients.sessions.memory.isOver }

    /// The client to close at once because all clients together hold too much memory: `ClientMemory.largest`. nil: they
    /// do not. Its unfinished input and its unread replies are lost. Call `closed` next.
    package mutating func clientToAbandon(_ turn: inout Turn) -> ConnectionID? {
        let memory = clients.sessions.memory
        guard memory.isOver, let slot = memory.largest(now: turn.now) else { return nil }
        reports.statistics.connectionsAbandoned += 1
        let session = clients.sessions.table[slot]
        let client = session.client
        let name = client.name.isEmpty ? "" : ", name \(client.name),"
        let text =
            "closed client \(client.id)\(name) which held \(memory[slot]) bytes: all clients together held more than "
            + "CLIENT_MEMORY_MAX_BYTES (\(memory.limitBytes)); the largest go first, and replies unread for a second "
            + "count \(Limits.unreadWeight) times"
        say(.clientMemory, .warning, text, &turn)
        return ConnectionID(slot: UInt32(slot), incarnation: session.incarnation)
    }

    /// The error for a client that is closed because of the memory it holds, if its socket takes it.
    package static let abandonment = ErrorReply(
        .busy, "clients hold too much memory: read replies while sending, and finish every request")

    /// Whether to give freed memory back to the system now. Returning true counts as having done it.
    package mutating func takesGiveBack(now: Instant) -> Bool { clients.sessions.memory.takesGiveBack(now: now) }

    /// When memory may next be given back; nil: not enough was freed.
    package var giveBackAt: Instant? { clients.sessions.memory.giveBackAt }

    // MARK: Turns

    /// The cost of closing the connection and forgetting all that waits on it.
    package func closingCost(_ connection: ConnectionID) -> Int {
        let sessions = clients.sessions
        return Cost.service + Cost.item * (sessions.isOpen(connection) ? sessions[connection].weightInFlight : 0)
    }

    // MARK: Unfinished requests

    /// The time in which a request must arrive whole, once its first byte has come.
    package var requestFinishMs: Int64 {
        min(configuration.requestTimeoutMs * Limits.requestTimeoutsToFinish, Limits.requestFinishMsMax)
    }

    /// A request was not finished in time; `.close` follows.
    package mutating func unfinished(on connection: ConnectionID, _ turn: inout Turn) {
        reports.statistics.requestsUnfinished += 1
        let error = ErrorReply(
            .err, "Protocol error: a request was begun and not finished within \(requestFinishMs) ms")
        broken(error, on: connection, &turn)
    }
}
