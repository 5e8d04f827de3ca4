import LikesProtocol

/// What the core wants done. Plain data: the daemon performs it, the tests compare it.
package enum Action: Equatable, Sendable {
    // Clients
    /// The next reply of this connection, in its order.
    case reply(ConnectionID, Reply)
    /// Close after everything written so far has gone out.
    case close(ConnectionID)
    /// The connection was full and has room again: go on parsing and reading.
    case resume(ConnectionID)

    // Redis: each call is answered by the event of its name, or `redisCallFailed`.
    /// → `admitted`
    case admit(CallID, [AdmissionEntry])
    /// Counts and versions of these items → `countersRead`
    case readCounters(CallID, [Item])
    /// Set each counter unless Redis has a newer version, and keep the recent likes → `wroteThrough`
    case writeThrough(CallID, counters: [CounterState], recent: [RecentLike])
    /// As `writeThrough`, after a miss; nobody waits and nothing is answered.
    case fillCounters([CounterState])

    // PostgreSQL: each call is answered by the event of its name, or `statementFailed`.
    /// One batch in one transaction, rows sorted by (user, type, id), each pair once → `committed`
    case commit(CallID, [BatchRow])
    /// → `countersSelected`
    case selectCounters(CallID, [Item])
    /// → `pairsSelected`
    case selectPairs(CallID, [Pair])

    // Backends
    /// Open the connection → `connected` or `lost`
    case connect(Backend)
    /// Close it; no event follows. Calls under way on it were given up by the core.
    case disconnect(Backend)

    case log(LogLevel, String)
    /// Everything accepted was answered, or the deadline passed: leave.
    case stopped
}
