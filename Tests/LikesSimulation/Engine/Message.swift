import LikesCore
import LikesProtocol
import LikesStorage

/// From a host to a server.
package enum ToServer: Sendable {
    /// Connects, with all that is said until the connection is settled.
    /// `node`: which node of a cluster has to be there; nil: none is known.
    case hello(node: String?)
    /// `deadline`: in Redis' clock.
    /// `marker`: the slot of the marker's key.
    case redis(CallID, RedisRequest, deadline: Micros, marker: Int = RedisStore.plainMarker)
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
    /// The server is a node of a cluster.
    case cluster(ClusterView)
    /// It takes no calls: it copies another node.
    case isReplica
    /// `hasMoved`: something was not where the map of slots says.
    case redis(CallID, RedisAnswer, hasMoved: Bool = false)
    case lane(CallID, LaneAnswer)
    case reader(CallID, ReaderAnswer)
    case standby(CallID, StandbyAnswer)
    /// Redis has lost the script that the call runs.
    case noScript(CallID, RedisRequest, deadline: Micros, marker: Int)
    /// Messages, to the subscriber.
    case heard(token: String, [SealedCounter])
    case heardBeat(UInt64)
    case end(BackendFailure)
}
