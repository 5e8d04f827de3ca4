import LikesProtocol

// The memory that waiting requests and replies hold, in bytes: rows, entries and deadlines in the core's tables, with
// the room that tables keep. Measured as growth of the process with 100,000 waiting: 424 for a COUNT, 122 for a LIKED,
// 221 for an item of MCOUNT, 167 for a LIKE before it is sent.

extension Waiting {
    /// The same before and after `Sessions.follow`.
    var footprintBytes: Int {
        switch self {
        case .change: Footprint.change
        case .count, .liked, .following: Footprint.read
        case .gather(let weight): Footprint.gather + weight * Footprint.gatherItem
        case .list(let query, _): Footprint.read + query.limit * Footprint.listItem
        case .reload: Footprint.read
        }
    }
}

extension Slot {
    /// What the slot holds, including its place in the queue.
    var footprintBytes: Int {
        switch self {
        case .waiting(let what, _): Footprint.slot + what.footprintBytes
        case .ready(let reply): Footprint.slot + reply.footprintBytes
        }
    }
}

extension Reply {
    /// What the reply holds outside of its own place.
    var footprintBytes: Int {
        switch self {
        case .integer, .change, .null, .reset: 0
        case .integers(let numbers): Footprint.list + numbers.count * MemoryLayout<Int64>.stride
        case .simple(let text): text.utf8.count
        case .bulk(let bytes): Footprint.list + bytes.count
        case .array(let replies), .map(let replies), .hello(_, let replies):
            replies.reduce(Footprint.list) { $0 + MemoryLayout<Reply>.stride + $1.footprintBytes }
        case .error(let error): Footprint.list + error.message.utf8.count
        }
    }
}

private enum Footprint {
    /// A slot in the queue of a connection. The ring is up to half empty.
    static let slot = 2 * MemoryLayout<Slot?>.stride
    /// The header of an array or a string.
    static let list = 32
    /// A row of the table of changes, its places in queues, and its deadline.
    static let change = 256
    /// A fetch, its places in queues, and a deadline.
    static let read = 384
    /// The list of a gather and its deadline …
    static let gather = 512
    /// … and each item: in the request, in the reply, and as a fetch.
    static let gatherItem = 224
    /// An item or a user of a page that PostgreSQL may return.
    static let listItem = 96
}
