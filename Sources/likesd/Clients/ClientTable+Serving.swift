import CLinux
import Glibc
import LikesCore
import LikesProtocol

/// What was spent, in a turn of the loop, of the parts that are kept.
struct PartsSpent {
    var established = 0
    var newcomers = 0
    var gone = 0
}

// Reading and parsing: who is served when, and how much of it in one turn of the loop.
extension ClientTable {
    /// There are clients that wait for their turn: the loop is not to fall asleep.
    var hasBacklog: Bool { !queue.isEmpty }

    /// Whether there is time for more in this turn of the loop.
    var mayTakeMore: Bool { spent < EdgeLimits.turnCostMax }

    func turnBegan() {
        spent = 0
        spentOn = PartsSpent()
        hasServed = false
    }

    /// Goes on with those that wait, unless that was done in this turn; those that became ready meanwhile are looked at
    /// first.
    func serveBacklog() {
        if hasBacklog && !hasServed { serve() }
    }

    /// Serves all who have something to be served, and once more as long as many have and nothing but cached counts was
    /// asked for: a turn of the loop for each would cost more than they do. With more to do than a turn may take, the
    /// rest waits for its turn.
    func serve() {
        hasServed = true
        for round in 1...EdgeLimits.clientRoundsPerTurn {
            hasGiven = false
            let served = serveReady()
            if hasBacklog {
                // Who needed little need not wait for those who need much.
                flush()
                return serveQueued()
            }
            guard served >= EdgeLimits.clientsForAnotherRound, !hasGiven, spent < EdgeLimits.turnCostMax,
                round < EdgeLimits.clientRoundsPerTurn
            else { return }
            flush()
            host.refreshNow()
        }
    }

    /// Returns how many were ready.
    private func serveReady() -> Int {
        let ready = max(0, Int(epoll_wait(epoll, &events, Int32(events.count), 0)))
        servedTotal += UInt64(ready)
        for place in 0..<ready {
            let event = events[place]
            let slot = UInt32(truncatingIfNeeded: event.data.u64)
            let incarnation = UInt32(truncatingIfNeeded: event.data.u64 >> 32)
            guard let client = client(ConnectionID(slot: slot, incarnation: incarnation)) else { continue }
            if event.events & EPOLLOUT.rawValue != 0 { write(to: client) }
            // One that waits is read in its turn, also where it has gone meanwhile.
            guard isPresent(client), !client.isQueued else { continue }
            if event.events & EPOLLIN.rawValue != 0 && client.watched & EPOLLIN.rawValue != 0 {
                if spent < EdgeLimits.turnCostMax && !hasBacklog {
                    serve(client, isAlone: ready == 1)
                } else {
                    serveClaim(of: client)
                }
            } else if event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
                // Gone in both directions, and what it sent before is not being read: nobody waits for an answer. Where
                // much was under way it is told again in the next turn.
                let before = spent
                if spent < EdgeLimits.turnCostMax || spentOn.gone < EdgeLimits.goneCostMax { drop(client) }
                spentOn.gone += spent - before
            }
        }
        return ready
    }

    /// While others wait: serves the client where it has a claim, which asks for little, and there is something left of
    /// the part of the turn that is kept for such; else it has to wait for its turn.
    private func serveClaim(of client: ClientConnection) {
        let part: WritableKeyPath<PartsSpent, Int>
        let costMax: Int
        switch queue.claim(client.account, now: host.now) {
        case .established: (part, costMax) = (\.established, EdgeLimits.establishedCostMax)
        case .newcomer: (part, costMax) = (\.newcomers, EdgeLimits.newcomersCostMax)
        case .none: return enqueue(client)
        }
        // Told again in the next turn, behind those that were not told yet.
        guard spentOn[keyPath: part] < costMax else { return }
        guard bytes_to_read(client.descriptor) <= EdgeLimits.claimBytesMax else { return enqueue(client) }
        let before = spent
        serve(client, until: before + EdgeLimits.claimCostMax, .byClaim)
        spentOn[keyPath: part] += spent - before
    }

    /// They get some of each turn, however much was done for others.
    private func serveQueued() {
        let costMax = max(EdgeLimits.turnCostMax, spent + EdgeLimits.turnCostMax / 2)
        while spent < costMax, let id = queue.next() {
            guard let client = client(id) else { continue }
            client.isQueued = false
            servedTotal += 1
            serve(client, isAlone: queue.isEmpty, .inTurn)
        }
    }

    private func enqueue(_ client: ClientConnection, isBehindOwn: Bool = false) {
        client.isQueued = true
        queue.add(client.id, &client.account, isBehindOwn: isBehindOwn)
        watch(client)
    }

    /// One service: what was left over last time, or else what the socket has. `isAlone`: nobody else waits for it.
    private func serve(_ client: ClientConnection, isAlone: Bool, _ ground: Ground = .atOnce) {
        let stepMax = spent + EdgeLimits.stepCostMax
        serve(client, until: isAlone ? max(EdgeLimits.turnCostMax, stepMax) : stepMax, ground)
    }

    private enum Ground {
        /// Nobody waits.
        case atOnce
        case byClaim
        case inTurn
    }

    private func serve(_ client: ClientConnection, until costMax: Int, _ ground: Ground) {
        let before = spent
        spent += Cost.service
        if client.isCutShort {
            parseInput(of: client, until: costMax)
        } else {
            read(from: client, until: costMax)
        }
        if !isPresent(client) {
            // Who is gone was charged for that already; the next turn of its sharer is behind this one.
            if ground == .inTurn { queue.chargeTurn(0, to: &client.account, now: host.now) }
        } else {
            let (cost, surcharge) = (spent - before, client.surcharge)
            client.surcharge = 0
            if ground == .inTurn {
                queue.chargeTurn(cost, surcharge: surcharge, to: &client.account, now: host.now)
            } else {
                queue.charge(
                    cost, surcharge: surcharge, to: &client.account, byClaim: ground == .byClaim, now: host.now)
            }
        }
        if hasGiven { boundMemory() }
        guard isPresent(client) else { return }
        if client.isCutShort { enqueue(client, isBehindOwn: ground == .inTurn) } else { watch(client) }
    }

    private func read(from client: ClientConnection, until costMax: Int) {
        let received = recv(client.descriptor, readBuffer.baseAddress, readBuffer.count, Int32(MSG_DONTWAIT))
        if received < 0 {
            if errno != EAGAIN && errno != EINTR { drop(client) }
            return
        }
        spent += received / Cost.bytesPerUnit
        if client.isLingering {
            if received == 0 { drop(client) }
            return
        }
        if received == 0 {
            client.hasEnded = true
            finishParsing(client)
        } else {
            consume(UnsafeRawBufferPointer(rebasing: readBuffer[..<received]), from: client, until: costMax)
            if received <= EdgeLimits.claimBytesMax && !client.input.isEmpty && client.mayParse && !client.isCutShort {
                client.surcharge = Cost.piece
            }
        }
    }

    func watch(_ client: ClientConnection) {
        let wanted = client.wanted
        guard wanted != client.watched else { return }
        client.watched = wanted
        var event = epoll_event(events: wanted, data: ClientTable.tag(client.id))
        if epoll_ctl(epoll, EPOLL_CTL_MOD, client.descriptor, &event) != 0 { drop(client) }
    }

    /// Parses on where parsing had stopped; only when no action waits. Returns whether there was anything.
    func parseResumed() -> Bool {
        guard !resumable.isEmpty else { return false }
        var clients: [ClientConnection] = []
        swap(&clients, &resumable)
        for client in clients where isPresent(client) && !client.isQueued {
            // What is left may be whole requests: it was for likesd to go on with them.
            client.begunAt = nil
            client.isCutShort = true
            if !client.input.isEmpty && spent >= EdgeLimits.turnCostMax {
                enqueue(client)
                continue
            }
            serve(client, isAlone: clients.count == 1)
        }
        return true
    }

    // MARK: Requests

    private func consume(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection, until costMax: Int) {
        if client.input.isEmpty {
            let taken = parse(bytes, from: client, until: costMax)
            if taken < bytes.count {
                client.input.append(contentsOf: bytes[taken...])
                keptInput(of: client, isNew: true)
            }
            finishParsing(client)
        } else {
            client.input.append(contentsOf: bytes)
            parseInput(of: client, until: costMax)
        }
    }

    private func parseInput(of client: ClientConnection, until costMax: Int) {
        var input: [UInt8] = []
        swap(&input, &client.input)
        let taken = input.withUnsafeBytes { parse($0, from: client, until: costMax) }
        if taken == 0 {
            swap(&input, &client.input)
        } else if taken < input.count {
            client.input = Array(input[taken...])
        }
        keptInput(of: client, isNew: taken > 0)
        finishParsing(client)
    }

    /// Gives the core as many requests as it takes, until `spent` has come to `costMax`; returns the bytes they took.
    private func parse(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection, until costMax: Int) -> Int {
        var taken = 0
        var isAccepted = false
        client.isCutShort = false
        defer { Reading.ended() }
        while taken < bytes.count && client.mayParse {
            guard spent < costMax else {
                client.isCutShort = true
                return taken
            }
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
            case .nothing(let count):
                taken += count
                spent += Cost.cachedRequest + count / Cost.parsedBytesPerUnit
            case .request(let request, let count):
                taken += count
                isAccepted = false
                hasGiven = true
                spent += request.cost + count / Cost.parsedBytesPerUnit
                client.unanswered += 1
                if request.isMeasured {
                    let facts = ProcessFacts.measured()
                    host.deliver { core, _ in core.observe(facts) }
                }
                host.deliver { core, turn in
                    core.received(request, on: client.id, &turn)
                }
            case .broken(let error):
                taken = bytes.count
                client.unanswered += 1
                client.isBroken = true
                hasGiven = true
                host.deliver { core, turn in core.broken(error, on: client.id, &turn) }
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
        var cost = 0
        let taken = host.ask { core in
            core.answersAtOnce(client.id)
                ? CachedCounts.answer(bytes, types: types, from: &core, now: now, into: &replies, cost: &cost) : 0
        }
        guard taken > 0 else { return 0 }
        spent += cost
        client.append(replies.written, spare: &spare)
        noteOutput(client)
        return taken
    }

    func noteOutput(_ client: ClientConnection) {
        noteDirty(client)
        if client.outputCapacity > EdgeLimits.spareBufferBytesMax { weigh(client) }
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
        guard client.hasEnded, client.mayParse || client.isBroken, !client.isCutShort else { return }
        // A last line without its end is no request.
        client.input = []
        weigh(client)
        noteDirty(client)
    }
}
