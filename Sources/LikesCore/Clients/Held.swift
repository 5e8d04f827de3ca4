import LikesSettings
import LikesStorage
import LikesProtocol

// What requests and replies hold in memory while they wait, in bytes: rows, entries and deadlines of the core's tables,
// with the room that tables keep. Measured with 100,000 that waited, as growth of the process: 424 a COUNT, 122 a
// LIKED, 221 an item of MCOUNT, 167 a LIKE before it is sent.

extension Waiting {
    /// The same before and after `Sessions.follow`.
    var heldBytes: Int {
        switch self {
        case .change: Held.change
        case .count, .liked, .following: Held.read
        case .gather(let weight): Held.gather + weight * Held.gatherItem
        case .reload: Held.read
        }
    }
}

extension Slot {
    /// What it holds with its place in the queue.
    var heldBytes: Int {
        switch self {
        case .waiting(let what): Held.slot + what.heldBytes
        case .ready(let reply): Held.slot + reply.heldBytes
        }
    }
}

extension Reply {
    /// Beyond the reply's own place.
    var heldBytes: Int {
        switch self {
        case .integer, .change, .null, .reset: 0
        case .integers(let numbers): Held.list + numbers.count * MemoryLayout<Int64>.stride
        case .simple(let text): text.utf8.count
        case .bulk(let bytes): Held.list + bytes.count
        case .array(let replies), .map(let replies), .hello(_, let replies):
            replies.reduce(Held.list) { $0 + MemoryLayout<Reply>.stride + $1.heldBytes }
        case .error(let error): Held.list + error.message.utf8.count
        }
    }
}

private enum Held {
    /// A place in the queue of a connection; the ring is up to half empty.
    static let slot = 2 * MemoryLayout<Slot?>.stride
    /// An array's or a string's head.
    static let list = 32
    /// A row of the table of changes, its places in queues and its deadline.
    static let change = 256
    /// A fetch with its places in queues, and a deadline.
    static let read = 384
    /// The list of a gather and its deadline …
    static let gather = 512
    /// … and each item: in the request, in the reply, and as a fetch.
    static let gatherItem = 224
}
