import LikesProtocol
import LikesSettings
import LikesStorage

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
    /// Learn the marker of what Redis holds, and make a new one, where one is given, if it does not fit this server or
    /// this database → `verified`
    case verify(CallID, VerifyRequest)
    /// → `admitted`
    case admit(CallID, [AdmissionEntry])
    /// Counts and versions of these items; of none: whether Redis' data is still of that generation → `countersRead`
    case readCounters(CallID, Generation, [Item])
    /// Set each counter unless Redis has a newer version, tell all hosts, and keep the recent likes → `wroteThrough`
    case writeThrough(CallID, Generation, counters: [SealedCounter], recent: [RecentLike])
    /// Set each counter unless Redis has a newer version; nobody is told → `filled`
    case fill(CallID, Generation, [SealedCounter])
    /// Delete these counters, where they still are what they were → `dropped`
    case drop(CallID, Generation, [KeptCounter])
    /// Say this number on the host's own channel; the subscriber hears it → `heardBeat`
    case beat(UInt64)

    // PostgreSQL, the lane, one call at a time: each is answered by the event of its name, `fencedOff` (commit and tend
    // only) or `statementFailed`.
    /// Make the lane this connection's alone → `fenced`
    case fence(CallID, FenceRequest)
    /// One batch in one transaction → `committed`
    case commit(CallID, CommitRequest)
    /// Keep what has to outlive this process → `tended`
    case tend(CallID, TendRequest)
    /// Say that this host lives, take over what hosts that fell silent left to repair, and look which database this is
    /// → `surveyed`
    case survey(CallID, SurveyRequest)
    /// Look whether the tables still are as they have to be → `schemaChecked`
    case checkSchema(CallID)

    // PostgreSQL, the reader: each call is answered by the event of its name, or `statementFailed`.
    /// → `countersSelected`
    case selectCounters(CallID, [Item])
    /// → `pairsSelected`
    case selectPairs(CallID, [Pair])
    /// Up to `Limits.standard.countersPerCallMax` items that Redis may not have → `repairsSelected`
    case selectRepairs(CallID, RepairSelect)

    // Backends
    /// Open the connection → `redisConnected`, `subscriberConnected`, `databaseConnected` or `lost`
    case connect(Backend)
    /// Close it; no event follows. Calls under way on it were given up by the core.
    case disconnect(Backend)

    /// Read the settings anew, from where they came at the start; the ticket is that of the request, nil after a signal
    /// → `reloaded`, before anything else happens
    case reload(Ticket?)
    /// These settings are in force from now on; what takes a restart is as it was.
    case configure(Configuration)
    case log(LogLevel, String)
    /// Everything accepted was answered, or the deadline passed: leave.
    case stopped
}
