import LikesCore
import LikesProtocol
import LikesStorage

/// From a host to a server.
package enum ToServer: Sendable {
    /// Connects, with all that is said until the connection is settled.
    case hello
    /// `deadline`: in Redis' clock; 0 for PostgreSQL.
    case call(Action, deadline: Micros)
    /// Loads the scripts into Redis.
    case loadScripts
    /// What time it is at Redis; asked at a moment that comes back with the answer.
    case askTime(askedAt: Micros)
    /// The connection ended.
    case end
}

/// From a server to a host.
package enum ToHost: Sendable {
    /// Redis is settled: its clock's moment when it answered.
    case redisReady(time: Micros)
    case time(Micros, askedAt: Micros)
    case subscribed
    case databaseReady(DatabaseFacts)
    case answer(Answer)
    /// Redis has lost the script that the call runs.
    case noScript(Action, deadline: Micros)
    case end(BackendFailure)
}

/// An event of the core's that a backend's message becomes.
package enum Answer: Sendable {
    case verified(CallID, FoundMarker)
    case admitted(CallID, [AdmissionVerdict])
    case countersRead(CallID, [SealedCounter?])
    case wroteThrough(CallID, refusal: String?, kept: [KeptCounter])
    case filled(CallID, kept: [KeptCounter])
    case dropped(CallID)
    case redisCallFailed(CallID, RedisFailure)
    case heard(token: String, [SealedCounter])
    case heardBeat(UInt64)
    case fenced(CallID, LaneState?)
    case committed(CallID, BatchOutcome)
    case fencedOff(CallID)
    case tended(CallID, Int64?)
    case surveyed(CallID, Survey)
    case schemaChecked(CallID)
    case countersSelected(CallID, [CounterState])
    case pairsSelected(CallID, [PairState])
    case repairsSelected(CallID, RepairRows)
    case statementFailed(CallID, StatementFailure)
}
