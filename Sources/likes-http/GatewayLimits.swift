/// The bounds on everything that queues, gathers or waits. Those that clients meet are in likes-http(8), "LIMITS".
/// Together they keep the process below 256 MiB.
enum GatewayLimits {
    /// Clients' connections. Another one gets 503 and is closed.
    static let connectionsMax = 1_024
    /// What a connection's request line, headers and response headers may take together. More is 431, and 414 if it
    /// is the request line. The library keeps this much for each connection.
    static let headerBytesMax = 16 * 1024
    /// A body; more is 413. An item of `/v1/counts` takes some 20 bytes.
    static let bodyBytesMax = 1024 * 1024
    /// The rest of a body that is too large is read and dropped up to this size, so that the client reads its 413. A
    /// larger one is refused before it is read, and the connection closed.
    static let bodyDroppedBytesMax: UInt64 = 16 * 1024 * 1024
    /// The bodies of all requests under way. More is 503.
    static let bodiesBytesMax = 32 * 1024 * 1024
    /// Items that likesd is asked for at once, of all requests. More is 503.
    static let itemsUnderWayMax = 262_144
    /// Responses that clients have not read. More is 503.
    static let responsesBytesMax = 32 * 1024 * 1024
    /// From a connection's beginning, or from its last response, to the end of a request's first line: then it is
    /// closed. And from there to the request's last byte: then it gets 408.
    static let requestMsMax: Int64 = 30_000
    /// For reading a response.
    static let responseMsMax: Int64 = 30_000
    /// For likesd's answer. By default likesd answers within 5 s.
    static let daemonMsMax: Int64 = 10_000
    /// For its answer to those that watch over it, who soon give up themselves.
    static let watchMsMax: Int64 = 3_000
    /// At a stop, for requests that have begun, and for responses to be read.
    static let stopMsMax: Int64 = 12_000
    /// How often these times are looked at.
    static let sweepMs: Int64 = 250
    /// A request of more items goes to likesd on a connection of its own, so that no other waits behind it.
    static let itemsForBulk = 50
    /// After a failed attempt to connect to likesd, how long until the next; doubled each time …
    static let reconnectMsMin: Int64 = 20
    /// … up to this.
    static let reconnectMsMax: Int64 = 500
    /// How often likesd is asked for its item types: a restart may change them.
    static let typesMs: Int64 = 10_000
    /// Reads from one connection to likesd before others have their turn.
    static let readsPerTurn = 16
    /// Connections accepted per wake-up.
    static let acceptsPerWakeUp = 64
    /// After accept(2) failed, it is tried again after this time.
    static let acceptRetryMs: Int64 = 250
    /// Waiting connections that the kernel holds; it caps this at net.core.somaxconn.
    static let listenBacklog: Int32 = 1_024
    /// What the kernel may hold on its way to and from one client: it doubles the number for its own needs.
    static let socketBufferBytes: Int32 = 32 * 1024
    /// Closed connections whose client may still be sending, and would lose the response to a reset …
    static let lingeringMax = 128
    /// … are read and dropped for this long, or up to `bodyDroppedBytesMax`.
    static let lingerMs: Int64 = 2_000
    /// Descriptors apart from clients and those that linger: sockets to likesd, listeners, epoll, signals, log.
    static let descriptorsReserved = 64
    /// Addresses given with --listen.
    static let addressesMax = 16
    /// How often a repeated line of the log is written.
    static let logEveryMs: Int64 = 60_000
    /// Larger blocks of memory go back to the system when they are freed.
    static let keptBlockBytesMax: Int32 = 128 * 1024
}
