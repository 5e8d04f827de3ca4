import CLinux
import Glibc
import LikesCore
import LikesProtocol

// What clients may hold, and for how long.
extension ClientTable {
    /// Tells the core how many bytes are held here for the client, if that has changed.
    func weigh(_ client: ClientConnection) {
        let weight = client.weight
        guard weight != client.weighed, isPresent(client) else { return }
        let more = weight - client.weighed
        client.weighed = weight
        // The core's answer is looked at before another client is served.
        turn.hasGiven = true
        driver.deliver { core, turn in
            core.holds(more, for: client.id, isUnread: client.output.isBlocked, now: turn.now)
        }
    }

    /// Closes the clients that hold most (`Core.clientToAbandon`), one after the other, until all clients together are
    /// within the limit. When the turn has cost as much as it may, it closes only one, and the next turn goes on.
    func boundMemory() {
        var isFirst = true
        while isOverMemory, isFirst || turn.spent < EdgeLimits.turnCostMax {
            isFirst = false
            var largest: ConnectionID?
            driver.deliver { core, turn in largest = core.clientToAbandon(&turn) }
            guard let largest, let client = client(largest) else { return }
            // Inside a reply, or before replies that are still due, the client would take the error for something else.
            if client.output.count == 0 && client.unanswered == 0 { tell(Core.abandonment, to: client.descriptor) }
            drop(client)
        }
    }

    var isOverMemory: Bool { driver.ask { $0.isOverClientMemory } }

    /// At the end of a turn, when much of what clients held was freed.
    func giveMemoryBack() {
        if driver.ask({ $0.takesGiveBack(now: driver.now) }) { malloc_trim(0) }
    }

    // MARK: Unfinished requests

    /// `isNew`: the bytes that are left begin with another request than before.
    func keptInput(of client: ClientConnection, isNew: Bool) {
        weigh(client)
        if client.input.bytes.isEmpty || isNew { client.input.begunAt = nil }
        guard !client.input.bytes.isEmpty, client.input.begunAt == nil else { return }
        client.input.begunAt = driver.now
        deadlines.begun(now: driver.now)
    }

    /// Ends clients whose request was begun too long ago, but not those whose bytes wait because likesd does not take
    /// them.
    private func endUnfinished(now: Instant) {
        var isAnyLeft = false
        let latest = now.adding(ms: -driver.ask { $0.requestFinishMs })
        for client in clients {
            guard let client, let begunAt = client.input.begunAt else { continue }
            guard begunAt <= latest, client.mayParse, !client.input.isCutShort else {
                isAnyLeft = true
                continue
            }
            client.input.begunAt = nil
            client.unanswered += 1
            client.input.isBroken = true
            client.input.bytes = []
            weigh(client)
            driver.deliver { core, turn in core.unfinished(on: client.id, &turn) }
        }
        deadlines.sweepAt = isAnyLeft ? now.adding(ms: EdgeLimits.sweepMs) : nil
    }

    // MARK: Time

    /// When `expire` is next wanted.
    var nextDeadline: Instant? {
        Instant.earlier(deadlines.next, driver.ask { $0.giveBackAt })
    }

    func expire(now: Instant) {
        while let id = deadlines.popLingering(now: now) {
            if let client = client(id) { drop(client) }
        }
        if let sweepAt = deadlines.sweepAt, sweepAt <= now { endUnfinished(now: now) }
    }
}

/// The kernel's buffers of clients' sockets.
enum SocketBuffer {
    /// Bounds the bytes that wait there for a client that does not read. The kernel charges them to this process' unit.
    static func bound(_ descriptor: Int32) {
        var bytes = EdgeLimits.socketBufferBytes
        _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }
}
