import LikesProtocol
import LikesSettings

// What clients may take of what all share: places, memory, and time to finish what they began.
extension Core {
    /// Told to a client that is not let in, once `opened` said so.
    package func refusal(of peer: PeerRights) -> ErrorReply {
        guard let sharer = peer.sharer, sessions.shares[sharer] >= configuration.connectionsPerUser else {
            return Self.refusal
        }
        let one =
            switch sharer {
            case .user: "user"
            case .process: "process"
            }
        return ErrorReply(
            .busy, "too many connections of one \(one): use fewer clients or raise MAX_CONNECTIONS_PER_USER")
    }

    // MARK: Memory

    /// What all clients together may hold: as told, or what the unit allows.
    static func clientMemoryMax(_ configuration: Configuration, unitMemoryBytes: Int64?) -> Int {
        guard configuration.clientMemoryBytesMax == 0 else { return Int(configuration.clientMemoryBytesMax) }
        return unitMemoryBytes.map { Int($0) / Limits.clientMemoryShare } ?? Limits.clientMemoryBytes
    }

    /// The edge holds so many bytes more, or fewer, for an open connection. `isUnread`: its socket does not take what
    /// there is to write.
    package mutating func holds(_ more: Int, for connection: ConnectionID, isUnread: Bool = false, now: Instant) {
        sessions.memory.add(more, slot: Int(connection.slot))
        sessions.memory.note(isUnread: isUnread, slot: Int(connection.slot), now: now)
    }

    /// The connection's socket took some of what there is to write: its client reads, if not all at once.
    package mutating func reads(_ connection: ConnectionID, now: Instant) {
        sessions.memory.progressed(slot: Int(connection.slot), now: now)
    }

    package var isOverClientMemory: Bool { sessions.memory.isOver }

    /// The client that is to be closed at once, since all together hold too much: `ClientMemory.largest`. nil: they do
    /// not. What it sent and what it did not read is lost; `closed` has to follow.
    package mutating func clientToAbandon(_ turn: inout Turn) -> ConnectionID? {
        guard sessions.memory.isOver, let slot = sessions.memory.largest(now: turn.now) else { return nil }
        statistics.connectionsAbandoned += 1
        let client = sessions.table[slot].client
        let name = client.name.isEmpty ? "" : ", name \(client.name),"
        let text =
            "closed client \(client.id)\(name) which held \(sessions.memory[slot]) bytes: together clients held more "
            + "than CLIENT_MEMORY_MAX_BYTES, \(sessions.memory.limitBytes); those that hold most go first, and what is "
            + "not read for a second counts \(Limits.unreadWeight) times"
        say(.clientMemory, .warning, text, &turn)
        return ConnectionID(slot: UInt32(slot), generation: sessions.table[slot].generation)
    }

    /// Told to a client that is closed for the memory it holds, where it can be.
    package static let abandonment = ErrorReply(
        .busy, "clients hold too much memory: read replies as you send requests, and finish those you begin")

    /// Whether memory that clients held is to be given back to the system, which is then taken for done.
    package mutating func takesGiveBack(now: Instant) -> Bool { sessions.memory.takesGiveBack(now: now) }

    /// When that may be next.
    package var giveBackAt: Instant? { sessions.memory.giveBackAt }

    // MARK: Turns

    /// What it costs to forget the connection with all that waits on it.
    package func closingCost(_ connection: ConnectionID) -> Int {
        Cost.service + Cost.item * (sessions.isOpen(connection) ? sessions[connection].weightInFlight : 0)
    }

    // MARK: Unfinished requests

    /// How long a request that was begun may take to be there whole.
    package var requestFinishMs: Int64 {
        min(configuration.requestTimeoutMs * Limits.requestTimeoutsToFinish, Limits.requestFinishMsMax)
    }

    /// A request was begun and not finished in time; `.close` follows.
    package mutating func unfinished(on connection: ConnectionID, _ turn: inout Turn) {
        statistics.requestsUnfinished += 1
        let error = ErrorReply(
            .err, "Protocol error: a request was begun and not finished within \(requestFinishMs) ms")
        broken(error, on: connection, &turn)
    }
}
