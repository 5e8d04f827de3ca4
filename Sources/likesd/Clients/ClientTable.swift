import CLinux
import CSystemd
import Glibc
import LikesCore
import LikesProtocol

/// All clients: one epoll for their sockets, which is one source of the event loop.
///
/// Invariant: within a turn, a request is parsed only when no reply waits among the host's actions, so that replies
/// of one connection keep their order. The parse loop takes out the replies it causes at once.
final class ClientTable {
    let host: CoreHost
    let types: ItemTypes
    /// Whether systemd made the sockets that clients connect to.
    let isActivated: Bool
    let epoll: Int32
    private var source: IOSource?
    private(set) var clients: ContiguousArray<ClientConnection?> = []
    private(set) var count = 0
    /// Events of clients that were handled since the start.
    var servedTotal: UInt64 = 0
    private var dirty: [ClientConnection] = []
    /// To be parsed on, at the end of the turn.
    var resumable: [ClientConnection] = []
    /// Those that wait for their turn, since there was more to do than one turn of the loop may take.
    var queue = FairQueue()
    /// What serving clients has cost in this turn of the loop.
    var spent = 0
    /// What of it each of these has taken of the part that is kept for it.
    var spentOn = PartsSpent()
    /// Clients were served in this turn of the loop.
    var hasServed = false
    var lingering = Ring<(id: ConnectionID, until: Instant)>()
    /// When unfinished requests are looked for next; nil: there are none.
    var sweepAt: Instant?
    var spare = SpareBuffers()
    /// The core was given something in this round of clients: its turn is to end.
    var hasGiven = false
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: EdgeLimits.readBytes, alignment: 16)
    let countReplies = UnsafeMutableRawBufferPointer.allocate(
        byteCount: EdgeLimits.countRepliesBytes, alignment: 16)
    var events = [epoll_event](repeating: epoll_event(), count: EdgeLimits.clientEventsPerWakeUp)

    init(host: CoreHost, types: ItemTypes, isActivated: Bool, loop: EventLoop) throws(DaemonError) {
        self.isActivated = isActivated
        self.host = host
        self.types = types
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw DaemonError(doing: "making an epoll for clients", code: errno) }
        source = try loop.watch(epoll, for: EPOLLIN.rawValue) { [unowned self] _ in self.serve() }
    }

    deinit {
        source?.cancel()
        for client in clients { if let client { Glibc.close(client.descriptor) } }
        Glibc.close(epoll)
        readBuffer.deallocate()
        countReplies.deallocate()
    }

    // MARK: Coming and going

    /// Takes over an accepted socket.
    func add(_ descriptor: Int32) {
        let rights = Peer.rights(descriptor, isActivated: isActivated)
        var id: ConnectionID?
        host.deliver { core, turn in id = core.opened(by: rights, now: turn.now) }
        guard let id else {
            refuse(descriptor, host.ask { $0.refusal(of: rights) })
            return
        }
        SocketBuffer.bound(descriptor)
        spent += Cost.connection
        let account = queue.opened(by: rights.sharer, cost: Cost.connection, now: host.now)
        enter(ClientConnection(id: id, descriptor: descriptor, account: account, types: types))
    }

    func enter(_ client: ClientConnection) {
        let slot = Int(client.id.slot)
        while clients.count <= slot { clients.append(nil) }
        precondition(clients[slot] == nil, "the core gave a connection's slot away that is in use")
        clients[slot] = client
        count += 1
        client.watched = client.wanted
        var event = epoll_event(events: client.watched, data: ClientTable.tag(client.id))
        if epoll_ctl(epoll, EPOLL_CTL_ADD, client.descriptor, &event) != 0 { drop(client) }
    }

    /// Says that there are too many, and closes.
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
        count -= 1
        Glibc.close(client.descriptor)
        hasGiven = true
        let cost = host.ask { $0.closingCost(client.id) } + client.weighed / Cost.bytesPerUnit
        spent += cost
        queue.closed(client.account, cost: cost, now: host.now)
        host.deliver { core, turn in core.closed(client.id, &turn) }
    }

    func isPresent(_ client: ClientConnection) -> Bool { clients[Int(client.id.slot)] === client }

    func client(_ id: ConnectionID) -> ClientConnection? {
        guard Int(id.slot) < clients.count, let client = clients[Int(id.slot)], client.id == id else { return nil }
        return client
    }

    static func tag(_ id: ConnectionID) -> epoll_data_t {
        epoll_data_t(u64: UInt64(id.incarnation) << 32 | UInt64(id.slot))
    }

    // MARK: Actions

    func reply(_ reply: Reply, to id: ConnectionID) {
        guard let client = client(id) else { return }
        client.append(reply, spare: &spare)
        noteOutput(client)
    }

    func close(_ id: ConnectionID) {
        guard let client = client(id) else { return }
        client.isClosing = true
        client.input = []
        weigh(client)
        noteDirty(client)
    }

    /// The core takes requests again; they are parsed in `resume()`.
    func resume(_ id: ConnectionID) {
        guard let client = client(id) else { return }
        client.isBlocked = false
        resumable.append(client)
    }

    func noteDirty(_ client: ClientConnection) {
        guard !client.isDirty else { return }
        client.isDirty = true
        dirty.append(client)
    }

    // MARK: Writing

    /// Writes to all that have something to be written, each once.
    func flush() {
        guard !dirty.isEmpty else { return }
        for place in dirty.indices {
            let client = dirty[place]
            client.isDirty = false
            if isPresent(client) && !client.isWriteBlocked { write(to: client) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    func write(to client: ClientConnection) {
        switch client.write(spare: &spare) {
        case .failed:
            drop(client)
            return
        case .blocked(let hasMoved):
            client.isWriteBlocked = true
            if hasMoved { host.ask { $0.tookReplies(client.id, now: host.now) } }
        case .drained: client.isWriteBlocked = false
        }
        if client.isWriteBlocked || client.weighed > 0 { weigh(client) }
        if client.isOutputFull && client.outputCount <= EdgeLimits.outputResumedBytes {
            client.isOutputFull = false
            resumable.append(client)
        }
        if client.outputCount == 0 && (client.isClosing || client.isDone) {
            finish(client)
        } else {
            watch(client)
        }
    }

    /// Everything was written: closes, or lets a client whose framing broke read why.
    private func finish(_ client: ClientConnection) {
        guard client.isBroken, !client.hasEnded, !client.isLingering else {
            if !client.isLingering { drop(client) }
            return
        }
        client.isLingering = true
        shutdown(client.descriptor, Int32(SHUT_WR))
        lingering.append((id: client.id, until: host.now.adding(ms: EdgeLimits.lingerMs)))
        watch(client)
    }

    /// Whether a client has something to be served that was not.
    var isWaitedFor: Bool { Descriptors.isReadable(epoll) }

    /// Whether replies wait that the sockets did not take yet. `isKept`: only those that are not kept for the next
    /// process, so that nobody waits for a client that does not read.
    func hasOutput(unless isKept: Bool) -> Bool {
        clients.contains { client in
            guard let client, client.outputCount > 0 else { return false }
            return !(isKept && isKeepable(client))
        }
    }
}
