import LikesProtocol
import LikesSettings

/// What the core wants done, as plain data: the daemon performs it, and tests compare it.
package enum Action: Equatable, Sendable {
    // Clients
    /// The next reply of this connection, in its order.
    case reply(ConnectionID, Reply)
    /// Close after everything written so far has gone out.
    case close(ConnectionID)
    /// The connection was full and has room again: go on reading and parsing.
    case resume(ConnectionID)

    // Backends: each call is answered through `answered`, unless its connection is lost.
    case redis(NodePlace, CallID, RedisRequest)
    case lane(CallID, LaneRequest)
    case reader(CallID, ReaderRequest)
    /// `place`: which standby.
    case standby(place: Int, CallID, StandbyRequest)
    /// The node's marker is at this key from now on. Until the first of these it is at `RedisKeys.marker`.
    case markerKey(NodePlace, String)
    /// Ask any node of the cluster which node has what → `clusterSeen` or `clusterUnseen`. One at a time.
    case askCluster
    /// Publish this number on the host's own channel. The subscriber hears it → `heardBeat`
    case beat(NodePlace, UInt64)
    /// Open the connection → `redisConnected`, `subscriberConnected`, `databaseConnected` or `lost`
    case connect(Backend)
    /// Close the connection; no event follows. The core has given up the calls under way on it.
    case disconnect(Backend)

    /// Read the settings again from where they came at the start → `reloaded`, before anything else happens. The ticket
    /// is the request's; nil after a signal.
    case reload(Ticket?)
    /// These settings are in force from now on. Those that need a restart are unchanged.
    case configure(Configuration)
    case log(LogLevel, String)
    /// Everything accepted was answered, or the deadline has passed: end the process.
    case stopped
}
