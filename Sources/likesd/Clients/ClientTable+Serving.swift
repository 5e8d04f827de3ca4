import CLinux
import CSystemd
import Glibc
import LikesCore
import LikesProtocol

// Reading and parsing: who is served when, and how much of it in one turn of the loop.
extension ClientTable {
    /// Clients wait for their turn, so the loop must not fall asleep.
    var hasBacklog: Bool { !queue.isEmpty }

    /// Whether there is time for more in this turn of the loop.
    var mayTakeMore: Bool { turn.mayTakeMore }

    func turnBegan() { turn.began() }

    /// Goes on with the waiting clients, unless that was done in this turn. Clients that became ready meanwhile come
    /// first.
    func serveBacklog() {
        if hasBacklog && !turn.hasServed { serve() }
    }

    /// Serves all clients that are ready. It does so again while many are ready and ask only for cached counts: a turn
    /// of the loop for each round would cost more than the counts do. When there is more to do than a turn may take,
    /// the remaining clients wait in the queue.
    func serve() {
        turn.hasServed = true
        for round in 1...EdgeLimits.clientRoundsPerTurn {
            turn.hasGiven = false
            let served = serveReady()
            if hasBacklog {
                // Replies to clients that needed little need not wait for clients that need much.
                flush()
                return serveQueued()
            }
            guard served >= EdgeLimits.clientsForAnotherRound, !turn.hasGiven, turn.mayTakeMore,
                round < EdgeLimits.clientRoundsPerTurn
            else { return }
            flush()
            driver.refreshNow()
        }
    }

    /// Returns how many were ready.
    private func serveReady() -> Int {
        let ready = epoll.poll()
        servedTotal += UInt64(ready)
        for place in 0..<ready {
            let (id, events) = epoll.ready(place)
            guard let client = client(id) else { continue }
            if events & EPOLLOUT.rawValue != 0 { write(to: client) }
            // A queued client is read in its turn, even if it is gone by now.
            guard isPresent(client), !client.service.isQueued else { continue }
            if events & EPOLLIN.rawValue != 0 && client.watched & EPOLLIN.rawValue != 0 {
                if turn.mayTakeMore && !hasBacklog {
                    serve(client, isAlone: ready == 1)
                } else {
                    serveClaim(of: client)
                }
            } else if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
                // The client has closed both directions and its bytes are not being read, so nobody waits for an
                // answer. If this turn has no time left for it, epoll reports it again in the next one.
                let before = turn.spent
                if turn.mayTakeMore || turn.spentOn.gone < EdgeLimits.goneCostMax { drop(client) }
                turn.spentOn.gone += turn.spent - before
            }
        }
        return ready
    }

    /// While others wait: serves the client if it has a claim, asks for little, and the part of the turn kept for such
    /// clients is not used up. Without a claim, or if it asks for much, it waits in the queue.
    private func serveClaim(of client: ClientConnection) {
        let part: WritableKeyPath<ServingTurn.Parts, Int>
        let costMax: Int
        switch queue.claim(client.service.account, now: driver.now) {
        case .established: (part, costMax) = (\.established, EdgeLimits.establishedCostMax)
        case .newcomer: (part, costMax) = (\.newcomers, EdgeLimits.newcomersCostMax)
        case .none: return enqueue(client)
        }
        // epoll reports the client again in the next turn, behind those that it has not reported yet.
        guard turn.spentOn[keyPath: part] < costMax else { return }
        guard bytes_to_read(client.descriptor) <= EdgeLimits.claimBytesMax else { return enqueue(client) }
        let before = turn.spent
        serve(client, until: before + EdgeLimits.claimCostMax, .byClaim)
        turn.spentOn[keyPath: part] += turn.spent - before
    }

    /// Serves the queue. It gets some of each turn, however much was done for others.
    private func serveQueued() {
        let costMax = max(EdgeLimits.turnCostMax, turn.spent + EdgeLimits.turnCostMax / 2)
        while turn.spent < costMax, let id = queue.next() {
            guard let client = client(id) else { continue }
            client.service.isQueued = false
            servedTotal += 1
            serve(client, isAlone: queue.isEmpty, .inTurn)
        }
    }

    private func enqueue(_ client: ClientConnection, isBehindOwn: Bool = false) {
        client.service.isQueued = true
        queue.add(client.id, &client.service.account, isBehindOwn: isBehindOwn)
        watch(client)
    }

    /// Serves the client once: the bytes left over last time, or else those in the socket. `isAlone`: nobody else waits
    /// to be served.
    private func serve(_ client: ClientConnection, isAlone: Bool, _ ground: Ground = .atOnce) {
        let stepMax = turn.spent + EdgeLimits.stepCostMax
        serve(client, until: isAlone ? max(EdgeLimits.turnCostMax, stepMax) : stepMax, ground)
    }

    private enum Ground {
        /// Nobody waits.
        case atOnce
        case byClaim
        case inTurn
    }

    private func serve(_ client: ClientConnection, until costMax: Int, _ ground: Ground) {
        let before = turn.spent
        turn.spent += Cost.service
        if client.input.isCutShort {
            parseInput(of: client, until: costMax)
        } else {
            read(from: client, until: costMax)
        }
        if !isPresent(client) {
            // A client that is gone was charged already. Its sharer's next turn comes after this one.
            if ground == .inTurn { queue.chargeTurn(0, to: &client.service.account, now: driver.now) }
        } else {
            let (cost, surcharge) = (turn.spent - before, client.service.surcharge)
            client.service.surcharge = 0
            if ground == .inTurn {
                queue.chargeTurn(cost, surcharge: surcharge, to: &client.service.account, now: driver.now)
            } else {
                queue.charge(
                    cost, surcharge: surcharge, to: &client.service.account, byClaim: ground == .byClaim,
                    now: driver.now)
            }
        }
        if turn.hasGiven { boundMemory() }
        guard isPresent(client) else { return }
        if client.input.isCutShort { enqueue(client, isBehindOwn: ground == .inTurn) } else { watch(client) }
    }

    private func read(from client: ClientConnection, until costMax: Int) {
        let received = recv(client.descriptor, buffers.read.baseAddress, buffers.read.count, Int32(MSG_DONTWAIT))
        if received < 0 {
            if errno != EAGAIN && errno != EINTR { drop(client) }
            return
        }
        turn.spent += received / Cost.bytesPerUnit
        if client.isLingering {
            if received == 0 { drop(client) }
            return
        }
        if received == 0 {
            client.input.hasEnded = true
            finishParsing(client)
        } else {
            consume(UnsafeRawBufferPointer(rebasing: buffers.read[..<received]), from: client, until: costMax)
            if received <= EdgeLimits.claimBytesMax && !client.input.bytes.isEmpty && client.mayParse
                && !client.input.isCutShort
            {
                client.service.surcharge = Cost.piece
            }
        }
    }

    func watch(_ client: ClientConnection) {
        if client.wanted != client.watched, !epoll.update(client) { drop(client) }
    }

    /// Continues parsing where it had stopped; only when no action waits. Returns whether there was anything to parse.
    func parseResumed() -> Bool {
        guard !resumable.isEmpty else { return false }
        var clients: [ClientConnection] = []
        swap(&clients, &resumable)
        for client in clients where isPresent(client) && !client.service.isQueued {
            // The bytes left may be whole requests that likesd did not take, so no deadline runs for them.
            client.input.begunAt = nil
            client.input.isCutShort = true
            if !client.input.bytes.isEmpty && turn.spent >= EdgeLimits.turnCostMax {
                enqueue(client)
                continue
            }
            serve(client, isAlone: clients.count == 1)
        }
        return true
    }

    // MARK: Requests

    private func consume(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection, until costMax: Int) {
        if client.input.bytes.isEmpty {
            let taken = parse(bytes, from: client, until: costMax)
            if taken < bytes.count {
                client.input.bytes.append(contentsOf: bytes[taken...])
                keptInput(of: client, isNew: true)
            }
            finishParsing(client)
        } else {
            client.input.bytes.append(contentsOf: bytes)
            parseInput(of: client, until: costMax)
        }
    }

    private func parseInput(of client: ClientConnection, until costMax: Int) {
        var input: [UInt8] = []
        swap(&input, &client.input.bytes)
        let taken = input.withUnsafeBytes { parse($0, from: client, until: costMax) }
        if taken == 0 {
            swap(&input, &client.input.bytes)
        } else if taken < input.count {
            client.input.bytes = Array(input[taken...])
        }
        keptInput(of: client, isNew: taken > 0)
        finishParsing(client)
    }

    /// Gives the core as many requests as it takes, until `spent` has come to `costMax`; returns the bytes they took.
    private func parse(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection, until costMax: Int) -> Int {
        var taken = 0
        var isAccepted = false
        client.input.isCutShort = false
        defer { Reading.ended() }
        while taken < bytes.count && client.mayParse {
            guard turn.spent < costMax else {
                client.input.isCutShort = true
                return taken
            }
            Reading.begins(.request, UnsafeRawBufferPointer(rebasing: bytes[taken...]), from: client.descriptor)
            if client.input.parser.isAtStart {
                let answered = answerCounts(UnsafeRawBufferPointer(rebasing: bytes[taken...]), from: client)
                taken += answered
                // It may have stopped only because its buffer for replies was full.
                if answered > 0 { continue }
            }
            if !isAccepted {
                guard driver.ask({ $0.accepts(client.id) }) else {
                    client.input.isBlocked = true
                    break
                }
                isAccepted = true
            }
            let step = client.input.parser.next(in: UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            let before = driver.actions.count
            switch step {
            case .incomplete: return taken
            case .nothing(let count):
                taken += count
                turn.spent += Cost.cachedRequest + count / Cost.parsedBytesPerUnit
            case .request(let request, let count):
                taken += count
                isAccepted = false
                turn.hasGiven = true
                turn.spent += request.cost + count / Cost.parsedBytesPerUnit
                client.unanswered += 1
                if request.isMeasured {
                    let facts = ProcessFacts.measured()
                    driver.deliver { core, _ in core.observe(facts) }
                }
                driver.deliver { core, turn in
                    core.received(request, on: client.id, &turn)
                }
            case .broken(let error):
                taken = bytes.count
                client.unanswered += 1
                client.input.isBroken = true
                turn.hasGiven = true
                driver.deliver { core, turn in core.broken(error, on: client.id, &turn) }
            }
            if driver.actions.count > before { takeReplies(from: before) }
        }
        return taken
    }

    /// Cached counts go straight from the core's table into the client's buffer: the most frequent requests need no
    /// actions. Returns the bytes of the requests answered; the next request may be for the core.
    private func answerCounts(_ bytes: UnsafeRawBufferPointer, from client: ClientConnection) -> Int {
        let now = driver.now
        var replies = CountReplies(buffers.countReplies)
        var cost = 0
        let taken = driver.ask { core in
            core.answersAtOnce(client.id)
                ? CachedCounts.answer(bytes, types: types, from: &core, now: now, into: &replies, cost: &cost) : 0
        }
        guard taken > 0 else { return 0 }
        turn.spent += cost
        client.output.append(replies.written, spare: &buffers.spare)
        noteOutput(client)
        return taken
    }

    func noteOutput(_ client: ClientConnection) {
        noteDirty(client)
        if client.output.capacity > EdgeLimits.spareBufferBytesMax { weigh(client) }
        if client.output.count > EdgeLimits.outputPausedBytes { client.output.isFull = true }
    }

    /// Performs the actions for clients among those from `start` on, and leaves the others in order.
    private func takeReplies(from start: Int) {
        var kept = start
        for place in start..<driver.actions.count {
            switch driver.actions[place] {
            case .reply(let id, let reply): self.reply(reply, to: id)
            case .close(let id): close(id)
            case .resume(let id): resume(id)
            default:
                if kept != place { driver.actions.swapAt(kept, place) }
                kept += 1
            }
        }
        driver.actions.removeLast(driver.actions.count - kept)
    }

    /// After parsing: drops bytes that cannot become a request any more, and perhaps the client with them.
    private func finishParsing(_ client: ClientConnection) {
        guard client.input.hasEnded, client.mayParse || client.input.isBroken, !client.input.isCutShort else { return }
        // A last line without its end is no request.
        client.input.bytes = []
        weigh(client)
        noteDirty(client)
    }
}
