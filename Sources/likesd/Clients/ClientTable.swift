import CLinux
import Glibc
import LikesCore
import LikesProtocol

/// All clients: one epoll for their sockets, which is one source of the event loop.
///
/// Invariant: within a turn, a request is parsed only when no reply waits among the host's actions, so that replies
/// of one connection keep their order. The parse loop takes out the replies it causes at once.
final class ClientTable {
    let driver: CoreDriver
    let types: ItemTypes
    /// Whether systemd made the sockets that clients connect to.
    let isActivated: Bool
    var epoll: ClientEpoll
    private(set) var clients: ContiguousArray<ClientConnection?> = []
    /// Events of clients that were handled since the start.
    var servedTotal: UInt64 = 0
    private var dirty: [ClientConnection] = []
    /// Clients whose parsing continues at the end of the turn.
    var resumable: [ClientConnection] = []
    /// The clients that wait because there was more to do than one turn of the loop may take.
    var queue = FairQueue()
    var turn = ServingTurn()
    var deadlines = ClientDeadlines()
    var buffers = ClientBuffers()

    init(driver: CoreDriver, types: ItemTypes, isActivated: Bool, loop: EventLoop) throws(DaemonError) {
        self.isActivated = isActivated
        self.driver = driver
        self.types = types
        epoll = try ClientEpoll()
        try epoll.join(loop) { [unowned self] in self.serve() }
    }

    deinit {
        for client in clients { if let client { Glibc.close(client.descriptor) } }
    }

    // MARK: Coming and going

    /// Takes over an accepted socket.
    func add(_ descriptor: Int32) {
        let rights = Peer.rights(descriptor, isActivated: isActivated)
        var id: ConnectionID?
        driver.deliver { core, turn in id = core.opened(by: rights, now: turn.now) }
        guard let id else {
            refuse(descriptor, driver.ask { $0.refusal(of: rights) })
            return
        }
        SocketBuffer.bound(descriptor)
        turn.spent += Cost.connection
        let account = queue.opened(by: rights.sharer, cost: Cost.connection, now: driver.now)
        enter(ClientConnection(id: id, descriptor: descriptor, account: account, types: types))
    }

    func enter(_ client: ClientConnection) {
        let slot = Int(client.id.slot)
        while clients.count <= slot { clients.append(nil) }
        precondition(clients[slot] == nil, "the core gave a connection's slot away that is in use")
        clients[slot] = client
        if !epoll.add(client) { drop(client) }
    }

    /// Tells a client that there are too many, and closes its socket.
    func refuse(_ descriptor: Int32, _ error: ErrorReply = Core.refusal) {
        // The socket is new and empty: this fits, or the client is gone.
        tell(error, to: descriptor)
        Glibc.close(descriptor)
    }

    func tell(_ error: ErrorReply, to descriptor: Int32) {
        var encoder = ReplyEncoder()
        var text: [UInt8] = []
        encoder.append(.error(error), to: &text)
        _ = send(descriptor, text, text.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    func drop(_ client: ClientConnection) {
        guard isPresent(client) else { return }
        clients[Int(client.id.slot)] = nil
        Glibc.close(client.descriptor)
        turn.hasGiven = true
        let cost = driver.ask { $0.closingCost(client.id) } + client.weighed / Cost.bytesPerUnit
        turn.spent += cost
        queue.closed(client.service.account, cost: cost, now: driver.now)
        driver.deliver { core, turn in core.closed(client.id, &turn) }
    }

    func isPresent(_ client: ClientConnection) -> Bool { clients[Int(client.id.slot)] === client }

    func client(_ id: ConnectionID) -> ClientConnection? {
        guard Int(id.slot) < clients.count, let client = clients[Int(id.slot)], client.id == id else { return nil }
        return client
    }

    // MARK: Actions

    func reply(_ reply: Reply, to id: ConnectionID) {
        guard let client = client(id) else { return }
        client.unanswered -= 1
        client.output.append(reply, spare: &buffers.spare)
        noteOutput(client)
    }

    func close(_ id: ConnectionID) {
        guard let client = client(id) else { return }
        client.isClosing = true
        client.input.bytes = []
        weigh(client)
        noteDirty(client)
    }

    /// The core takes requests again; they are parsed in `resume()`.
    func resume(_ id: ConnectionID) {
        guard let client = client(id) else { return }
        client.input.isBlocked = false
        resumable.append(client)
    }

    func noteDirty(_ client: ClientConnection) {
        guard !client.isDirty else { return }
        client.isDirty = true
        dirty.append(client)
    }

    // MARK: Writing

    /// Writes once to each client that has something to write.
    func flush() {
        guard !dirty.isEmpty else { return }
        for place in dirty.indices {
            let client = dirty[place]
            client.isDirty = false
            if isPresent(client) && !client.output.isBlocked { write(to: client) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    func write(to client: ClientConnection) {
        switch client.output.write(to: client.descriptor, spare: &buffers.spare) {
        case .failed:
            drop(client)
            return
        case .blocked(let hasMoved): if hasMoved { driver.ask { $0.tookReplies(client.id, now: driver.now) } }
        case .drained: break
        }
        if client.output.isBlocked || client.weighed > 0 { weigh(client) }
        if client.output.isFull && client.output.count <= EdgeLimits.outputResumedBytes {
            client.output.isFull = false
            resumable.append(client)
        }
        if client.output.count == 0 && (client.isClosing || client.isDone) {
            finish(client)
        } else {
            watch(client)
        }
    }

    /// Everything was written: closes the connection, or gives a client whose framing broke time to read the error.
    private func finish(_ client: ClientConnection) {
        guard client.input.isBroken, !client.input.hasEnded, !client.isLingering else {
            if !client.isLingering { drop(client) }
            return
        }
        client.isLingering = true
        shutdown(client.descriptor, Int32(SHUT_WR))
        deadlines.linger(client.id, until: driver.now.adding(ms: EdgeLimits.lingerMs))
        watch(client)
    }

    /// Whether a client has something to serve that was not served yet.
    var isWaitedFor: Bool { epoll.isReadable }

    /// Whether replies wait that the sockets did not take yet. `isKept`: ignore those kept for the next process, so
    /// that nobody waits for a client that does not read.
    func hasOutput(unless isKept: Bool) -> Bool {
        clients.contains { client in
            guard let client, client.output.count > 0 else { return false }
            return !(isKept && isKeepable(client))
        }
    }
}
