import LikesSettings
import LikesStorage
import LikesProtocol

/// What serving clients costs, in units of some 50 ns: a cached count in an MCOUNT is one. So the work of a turn is
/// bounded without looking at the clock, and is the same in every test.
package enum Cost {
    /// Reading from a client and writing to it.
    package static let service = 50
    /// Accepting a connection, and closing it.
    package static let connection = 150
    /// A request whose counts are all cached, without them.
    package static let cachedRequest = 2
    /// A request that goes through the core, without what follows.
    static let request = 10
    /// An item or a pair that Redis or PostgreSQL may have to be asked for: on its way out and on its way back.
    static let item = 20
    /// A small piece of a request that is not whole then. Whoever sends such again and again is charged more than it
    /// takes here, and so has no claim to be served before others: each byte may keep the kernel busy by itself.
    package static let piece = 4_000
    /// Text that is put together: INFO, METRICS, HEALTH, COMMAND.
    static let report = 1_000
    /// Bytes that are copied a few times, into memory that may be new, at the cost of one unit.
    package static let bytesPerUnit = 64
    /// Bytes of requests that are parsed at the cost of one unit, but for those of cached counts.
    package static let parsedBytesPerUnit = 8
}

extension Request {
    package var cost: Int { Cost.request + furtherCost }

    private var furtherCost: Int {
        switch self {
        case .like, .unlike, .count, .liked: Cost.item
        case .counts(let items), .likedMany(_, let items): Cost.item * items.count
        case .info, .metrics, .reload, .health, .handshake: Cost.report
        case .ping(let text): (text?.count ?? 0) / Cost.bytesPerUnit
        case .echo(let text): text.count / Cost.bytesPerUnit
        case .quit, .reset, .invalid: 0
        }
    }
}
