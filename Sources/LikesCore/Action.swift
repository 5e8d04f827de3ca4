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

    // Backends: each call is answered through `answered`, unless its connection is lost.
    case redis(CallID, RedisRequest)
    case lane(CallID, LaneRequest)
    case reader(CallID, ReaderRequest)
    /// Say this number on the host's own channel; the subscriber hears it → `heardBeat`
    case beat(UInt64)
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
