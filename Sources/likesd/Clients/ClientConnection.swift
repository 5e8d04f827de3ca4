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
    /// The bytes held here, as last reported to the core.
    var weighed = 0
    /// Requests given to the core, minus the replies it gave.
    var unanswered = 0
    /// It is in the list of clients to write to at the end of the turn.
    var isDirty = false
    /// Close once the output has left.
    var isClosing = false
    /// The error about its broken framing was sent; whatever still comes is thrown away.
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

    /// `version`, `unparsed`, `unwritten`: for a client inherited from the previous process.
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

    /// The bytes held here for the client.
    var weight: Int { input.bytes.capacity + output.weight }

    /// The client is between two requests, and its connection goes on.
    var isWhole: Bool { unanswered == 0 && !input.isBroken && !isClosing && !isLingering }

    /// Whether the edge may parse the next request; the core may still refuse it.
    var mayParse: Bool { !input.isBlocked && !output.isFull && !input.isBroken && !isClosing }

    /// The events to wait for. epoll reports errors even when it does not wait for bytes.
    var wanted: UInt32 {
        var events: UInt32 = 0
        // A queued client may be gone: epoll should report that once, not in each turn until it is served.
        if service.isQueued { events |= EPOLLET.rawValue }
        if !input.hasEnded && !service.isQueued && (mayParse || isLingering) { events |= EPOLLIN.rawValue }
        if output.isBlocked { events |= EPOLLOUT.rawValue }
        return events
    }

    /// Everything the client asked for has been answered and nothing more will come.
    var isDone: Bool { input.hasEnded && input.bytes.isEmpty && unanswered == 0 && output.count == 0 }
}
