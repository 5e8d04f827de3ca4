import LikesCore
import LikesProtocol
import LikesStorage

/// From a host to a server.
package enum ToServer: Sendable {
    /// Connects, with all that is said until the connection is settled.
    case hello
    /// `deadline`: in Redis' clock.
    case redis(CallID, RedisRequest, deadline: Micros)
    case lane(CallID, LaneRequest)
    case reader(CallID, ReaderRequest)
    case standby(CallID, StandbyRequest)
    /// A number to be said on the host's own channel.
    case beat(UInt64)
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
    case redis(CallID, RedisAnswer)
    case lane(CallID, LaneAnswer)
    case reader(CallID, ReaderAnswer)
    case standby(CallID, StandbyAnswer)
    /// Redis has lost the script that the call runs.
    case noScript(CallID, RedisRequest, deadline: Micros)
    /// Messages, to the subscriber.
    case heard(token: String, [SealedCounter])
    case heardBeat(UInt64)
    case end(BackendFailure)
}
