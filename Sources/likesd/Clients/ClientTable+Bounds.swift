import CLinux
import Glibc
import LikesCore
import LikesProtocol

// What clients may hold, and for how long.
extension ClientTable {
    /// Tells the core what is held for the client here, where that has changed.
    func weigh(_ client: ClientConnection) {
        let weight = client.weight
        guard weight != client.weighed, isPresent(client) else { return }
        let more = weight - client.weighed
        client.weighed = weight
        // What came of it is looked at before anybody else is served.
        hasGiven = true
        host.deliver { core, turn in core.holds(more, for: client.id, isUnread: client.isWriteBlocked, now: turn.now) }
    }

    /// Closes those that hold most (`Core.clientToAbandon`), one after the other, until all together hold no more than
    /// they may, or until the turn has taken as long as it may: then one at a time, and the rest in the next.
    func boundMemory() {
        var isFirst = true
        while isOverMemory, isFirst || spent < EdgeLimits.turnCostMax {
            isFirst = false
            var largest: ConnectionID?
            host.deliver { core, turn in largest = core.clientToAbandon(&turn) }
            guard let largest, let client = client(largest) else { return }
            // In the middle of a reply, or of those that are due before it, it would be read as something else.
            if client.outputCount == 0 && client.unanswered == 0 { tell(Core.abandonment, to: client.descriptor) }
            drop(client)
        }
    }

    var isOverMemory: Bool { host.ask { $0.isOverClientMemory } }

    /// At the end of a turn, when much of what clients held was freed.
    func giveMemoryBack() {
        if host.ask({ $0.takesGiveBack(now: host.now) }) { malloc_trim(0) }
    }

    // MARK: Unfinished requests

    /// `isNew`: what is left starts with another request than before.
    func keptInput(of client: ClientConnection, isNew: Bool) {
        weigh(client)
        if client.input.isEmpty || isNew { client.begunAt = nil }
        guard !client.input.isEmpty, client.begunAt == nil else { return }
        client.begunAt = host.now
        if sweepAt == nil { sweepAt = host.now.adding(ms: EdgeLimits.sweepMs) }
    }

    /// Ends those whose request was begun too long ago. One whose bytes wait because likesd does not take them is not
    /// to blame.
    private func endUnfinished(now: Instant) {
        var isAnyLeft = false
        let latest = now.adding(ms: -host.ask { $0.requestFinishMs })
        for client in clients {
            guard let client, let begunAt = client.begunAt else { continue }
            guard begunAt <= latest, client.mayParse, !client.isCutShort else {
                isAnyLeft = true
                continue
            }
            client.begunAt = nil
            client.unanswered += 1
            client.isBroken = true
            client.input = []
            weigh(client)
            host.deliver { core, turn in core.unfinished(on: client.id, &turn) }
        }
        sweepAt = isAnyLeft ? now.adding(ms: EdgeLimits.sweepMs) : nil
    }

    // MARK: Time

    /// When `expire` is next wanted.
    var nextDeadline: Instant? {
        Instant.earlier(lingering.first?.until, Instant.earlier(sweepAt, host.ask { $0.giveBackAt }))
    }

    func expire(now: Instant) {
        while let first = lingering.first, first.until <= now {
            lingering.popFirst()
            if let client = client(first.id) { drop(client) }
        }
        if let sweepAt, sweepAt <= now { endUnfinished(now: now) }
    }
}

/// The kernel's buffers of clients' sockets.
enum SocketBuffer {
    /// Bounds what waits in there for a client that does not read: it is memory of this process' unit.
    static func bound(_ descriptor: Int32) {
        var bytes = EdgeLimits.socketBufferBytes
        _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }
}
