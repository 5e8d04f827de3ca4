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
    private let epoll: Int32
    private var source: IOSource?
    private(set) var clients: ContiguousArray<ClientConnection?> = []
    private(set) var count = 0
    /// Events of clients that were handled since the start.
    private(set) var servedTotal: UInt64 = 0
    private var dirty: [ClientConnection] = []
    /// To be parsed on, at the end of the turn.
    var resumable: [ClientConnection] = []
    private var lingering = Ring<(id: ConnectionID, until: Instant)>()
    private var spare = SpareBuffers()
    /// The core was given something in this round of clients: its turn is to end.
    private var hasGiven = false
    private let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: EdgeLimits.readBytes, alignment: 16)
    private let countReplies = UnsafeMutableRawBufferPointer.allocate(
        byteCount: EdgeLimits.countRepliesBytes, alignment: 16)
    private var events = [epoll_event](repeating: epoll_event(), count: EdgeLimits.clientEventsPerWakeUp)

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
        host.deliver { core, now, _ in id = core.opened(by: rights, now: now) }
        guard let id else {
            refuse(descriptor)
            return
        }
        enter(ClientConnection(id: id, descriptor: descriptor, types: types))
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
    func refuse(_ descriptor: Int32) {
        var encoder = ReplyEncoder()
        var text: [UInt8] = []
        encoder.append(.error(Core.refusal), to: &text)
        // The socket is new and empty: this fits, or the client is gone.
        _ = send(descriptor, text, text.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        Glibc.close(descriptor)
    }

    private func drop(_ client: ClientConnection) {
        guard isPresent(client) else { return }
        clients[Int(client.id.slot)] = nil
        count -= 1
        Glibc.close(client.descriptor)
        hasGiven = true
        host.deliver { core, now, actions in core.closed(client.id, now: now, into: &actions) }
    }

    private func isPresent(_ client: ClientConnection) -> Bool { clients[Int(client.id.slot)] === client }

    private func client(_ id: ConnectionID) -> ClientConnection? {
        guard Int(id.slot) < clients.count, let client = clients[Int(id.slot)], client.id == id else { return nil }
        return client
    }

    private static func tag(_ id: ConnectionID) -> epoll_data_t {
        epoll_data_t(u64: UInt64(id.generation) << 32 | UInt64(id.slot))
    }

    // MARK: Events

    /// Serves all who have something to be served, and once more as long as many have and nothing but cached counts was
    /// asked for: a turn of the loop for each would cost more than they do.
    private func serve() {
        for round in 1...EdgeLimits.clientRoundsPerTurn {
            hasGiven = false
            let served = serveReady()
            guard served >= EdgeLimits.clientsForAnotherRound, !hasGiven, round < EdgeLimits.clientRoundsPerTurn else {
                return
            }
            flush()
            host.refreshNow()
        }
    }

    /// Returns how many were served.
    private func serveReady() -> Int {
        let ready = max(0, Int(epoll_wait(epoll, &events, Int32(events.count), 0)))
        servedTotal += UInt64(ready)
        for place in 0..<ready {
            let event = events[place]
            let slot = UInt32(truncatingIfNeeded: event.data.u64)
            let generation = UInt32(truncatingIfNeeded: event.data.u64 >> 32)
            guard let client = client(ConnectionID(slot: slot, generation: generation)) else { continue }
            if event.events & EPOLLOUT.rawValue != 0 { write(to: client) }
            guard isPresent(client) else { continue }
            if event.events & EPOLLIN.rawValue != 0 && client.watched & EPOLLIN.rawValue != 0 {
                read(from: client)
            } else if event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
                // Gone in both directions, and what it sent before is not being read: nobody waits for an answer.
                drop(client)
            }
        }
        return ready
    }

    private func read(from client: ClientConnection) {
        let received = recv(client.descriptor, readBuffer.baseAddress, readBuffer.count, Int32(MSG_DONTWAIT))
        if received < 0 {
            if errno != EAGAIN && errno != EINTR { drop(client) }
            return
        }
        if client.isLingering {
            if received == 0 { drop(client) }
            return
        }
        if received == 0 {
            client.hasEnded = true
            finishParsing(client)
        } else {
            consume(UnsafeRawBufferPointer(rebasing: readBuffer[..<received]), from: client)
        }
        if isPresent(client) { watch(client) }
    }

    private func watch(_ client: ClientConnection) {
        let wanted = client.wanted
        guard wanted != client.watched else { return }
        client.watched = wanted
        var event = epoll_event(events: wanted, data: ClientTable.tag(client.id))
        if epoll_ctl(epoll, EPOLL_CTL_MOD, client.descriptor, &event) != 0 { drop(client) }
    }

    // MARK: Requests

    private func consume(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection) {
        if client.input.isEmpty {
            let taken = parse(bytes, from: client)
            if taken < bytes.count { client.input.append(contentsOf: bytes[taken...]) }
            finishParsing(client)
        } else {
            client.input.append(contentsOf: bytes)
            parseInput(of: client)
        }
    }

    private func parseInput(of client: ClientConnection) {
        var input: [UInt8] = []
        swap(&input, &client.input)
        let taken = input.withUnsafeBytes { parse($0, from: client) }
        if taken == 0 {
            swap(&input, &client.input)
        } else if taken < input.count {
            client.input = Array(input[taken...])
        }
        finishParsing(client)
    }

    /// Gives the core as many requests as it takes; returns the bytes they took.
    private func parse(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection) -> Int {
        var taken = 0
        var isAccepted = false
        defer { Reading.ended() }
        while taken < bytes.count && client.mayParse {
            Reading.begins(.request, UnsafeRawBufferPointer(rebasing: bytes[taken...]), from: client.descriptor)
            if client.parser.isAtStart {
                let answered = answerCounts(UnsafeRawBufferPointer(rebasing: bytes[taken...]), from: client)
                taken += answered
                // It stops where its replies are full, too.
                if answered > 0 { continue }
            }
            if !isAccepted {
                guard host.ask({ $0.accepts(client.id) }) else {
                    client.isBlocked = true
                    break
                }
                isAccepted = true
            }
            let step = client.parser.next(in: UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            let before = host.actions.count
            switch step {
            case .incomplete: return taken
            case .nothing(let count): taken += count
            case .request(let request, let count):
                taken += count
                isAccepted = false
                hasGiven = true
                client.unanswered += 1
                if request.isMeasured {
                    let facts = ProcessFacts.measured()
                    host.deliver { core, _, _ in core.observe(facts) }
                }
                host.deliver { core, now, actions in
                    core.received(request, on: client.id, now: now, into: &actions)
                }
            case .broken(let error):
                taken = bytes.count
                client.unanswered += 1
                client.isBroken = true
                hasGiven = true
                host.deliver { core, now, actions in core.broken(error, on: client.id, now: now, into: &actions) }
            }
            if host.actions.count > before { takeReplies(from: before) }
        }
        return taken
    }

    /// Cached counts go straight from the core's table into the client's buffer: what most requests are spares the way
    /// by actions. Returns the bytes of the requests answered; the next one may be for the core.
    private func answerCounts(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection) -> Int {
        let now = host.now
        var replies = CountReplies(countReplies)
        let taken = host.ask { core in
            core.answersAtOnce(client.id)
                ? CachedCounts.answer(bytes, types: types, from: &core, now: now, into: &replies) : 0
        }
        guard taken > 0 else { return 0 }
        client.append(replies.written, spare: &spare)
        noteOutput(client)
        return taken
    }

    func noteOutput(_ client: ClientConnection) {
        noteDirty(client)
        if client.outputCount > EdgeLimits.outputPausedBytes { client.isOutputFull = true }
    }

    /// Performs what is for clients among the actions from `start` on, and leaves the others in their order.
    private func takeReplies(from start: Int) {
        var kept = start
        for place in start..<host.actions.count {
            switch host.actions[place] {
            case .reply(let id, let reply): self.reply(reply, to: id)
            case .close(let id): close(id)
            case .resume(let id): resume(id)
            default:
                if kept != place { host.actions.swapAt(kept, place) }
                kept += 1
            }
        }
        host.actions.removeLast(host.actions.count - kept)
    }

    /// After parsing: what cannot become a request any more goes, and with it perhaps the client.
    private func finishParsing(_ client: ClientConnection) {
        guard client.hasEnded, client.mayParse || client.isBroken else { return }
        // A last line without its end is no request.
        client.input = []
        noteDirty(client)
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
        noteDirty(client)
    }

    /// The core takes requests again; they are parsed in `resume()`.
    func resume(_ id: ConnectionID) {
        guard let client = client(id) else { return }
        client.isBlocked = false
        resumable.append(client)
    }

    private func noteDirty(_ client: ClientConnection) {
        guard !client.isDirty else { return }
        client.isDirty = true
        dirty.append(client)
    }

    // MARK: The end of a turn

    /// Parses on where parsing had stopped; only when no action waits. Returns whether there was anything.
    func parseResumed() -> Bool {
        guard !resumable.isEmpty else { return false }
        var clients: [ClientConnection] = []
        swap(&clients, &resumable)
        for client in clients where isPresent(client) {
            parseInput(of: client)
            if isPresent(client) { watch(client) }
        }
        return true
    }

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

    private func write(to client: ClientConnection) {
        switch client.write(spare: &spare) {
        case .failed:
            drop(client)
            return
        case .blocked: client.isWriteBlocked = true
        case .drained: client.isWriteBlocked = false
        }
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

    // MARK: Time

    /// When `expire` is next wanted.
    var nextDeadline: Instant? { lingering.first?.until }

    func expire(now: Instant) {
        while let first = lingering.first, first.until <= now {
            lingering.popFirst()
            if let client = client(first.id) { drop(client) }
        }
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
