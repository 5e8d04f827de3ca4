import CSystemd
import LikesCore
import LikesProtocol

/// One client's socket, and what is under way on it.
final class ClientConnection {
    let id: ConnectionID
    let descriptor: Int32
    var input: ClientInput
    var output: ClientOutput
    var service: Service
    /// What the core was told that is held here, in bytes.
    var weighed = 0
    /// Requests given to the core less replies had from it.
    var unanswered = 0
    /// Stands in the list of those to be written to at the end of the turn.
    var isDirty = false
    /// Close once the output has left.
    var isClosing = false
    /// The error of a broken framing was sent; what still comes is thrown away.
    var isLingering = false
    /// The events epoll waits for now.
    var watched: UInt32 = 0

    /// What serving it has cost, and whether it waits to be served.
    struct Service {
        var account: FairQueue.Account
        /// To be added to the cost of its present service.
        var surcharge = 0
        /// Waits for its turn; nothing is read until then.
        var isQueued = false
    }

    /// `version`, `unparsed`, `unwritten`: of a client that the process before had.
    init(
        id: ConnectionID, descriptor: Int32, account: FairQueue.Account, types: ItemTypes,
        version: ProtocolVersion = .resp2, unparsed: [UInt8] = [], unwritten: [UInt8] = []
    ) {
        self.id = id
        self.descriptor = descriptor
        input = ClientInput(types: types, bytes: unparsed)
        output = ClientOutput(version: version, unwritten: unwritten)
        service = Service(account: account)
    }

    /// What it holds here, in bytes.
    var weight: Int { input.bytes.capacity + output.weight }

    /// Between two requests, with a connection that goes on.
    var isWhole: Bool { unanswered == 0 && !input.isBroken && !isClosing && !isLingering }

    /// Whether the next request may be parsed as far as the edge is concerned.
    var mayParse: Bool { !input.isBlocked && !output.isFull && !input.isBroken && !isClosing }

    /// The events to wait for. Without reading, epoll still tells of errors.
    var wanted: UInt32 {
        var events: UInt32 = 0
        // One that waits may have gone: that is told once, not in each turn until it is served.
        if service.isQueued { events |= EPOLLET.rawValue }
        if !input.hasEnded && !service.isQueued && (mayParse || isLingering) { events |= EPOLLIN.rawValue }
        if output.isBlocked { events |= EPOLLOUT.rawValue }
        return events
    }

    /// Everything the client asked for has been answered and nothing more will come.
    var isDone: Bool { input.hasEnded && input.bytes.isEmpty && unanswered == 0 && output.count == 0 }
}
