import LikesProtocol

/// What serving clients costs, in units of about 50 ns: one cached count in an MCOUNT costs one unit. With costs, the
/// work of a turn is bounded without a look at the clock, and is the same in every test.
package enum Cost {
    /// Reading from a client and writing to it.
    package static let service = 50
    /// Accepting a connection, and closing it.
    package static let connection = 150
    /// A request whose counts are all cached, not including the counts.
    package static let cachedRequest = 2
    /// A request that goes through the core, not including what follows from it.
    static let request = 10
    /// An item or a pair that may need Redis or PostgreSQL, on the way out and on the way back.
    static let item = 20
    /// A small piece of an unfinished request. This is more than it costs here, so a client that keeps sending small
    /// pieces has no claim to be served first: each byte may keep the kernel busy by itself.
    package static let piece = 4_000
    /// A text that is composed: INFO, METRICS, HEALTH, COMMAND.
    static let report = 1_000
    /// The bytes copied for one unit, a few times over and into memory that may be new.
    package static let bytesPerUnit = 64
    /// The bytes of requests parsed for one unit, except requests for cached counts.
    package static let parsedBytesPerUnit = 8
}

extension Request {
    /// The cost of serving the request, in units of `Cost`.
    package var cost: Int { Cost.request + furtherCost }

    private var furtherCost: Int {
        switch self {
        case .like, .unlike, .count, .liked: Cost.item
        case .mcount(let items, _), .mliked(_, let items): Cost.item * items.count
        case .likes(let query): Cost.item * query.limit
        case .likers(let query): Cost.item * query.limit
        case .info, .metrics, .reload, .health, .handshake: Cost.report
        case .ping(let text): (text?.count ?? 0) / Cost.bytesPerUnit
        case .echo(let text): text.count / Cost.bytesPerUnit
        case .quit, .reset, .invalid: 0
        }
    }
}
