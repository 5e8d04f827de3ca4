import LikesProtocol

/// Names one request of one connection until its reply is sent. Whoever owes that reply keeps the ticket: a change, a
/// read, a follower, a reload. Only a request that cannot be answered at once gets one.
package struct Ticket: Hashable, Sendable {
    package var connection: ConnectionID
    /// Counts the requests of the connection that had to wait; wraps around.
    package var sequence: UInt32
}

/// A place in a reply, to be filled by one value that was read. The reply to COUNT or LIKED is one part, `whole`. The
/// reply to MCOUNT or MLIKED has a part for each item, and a `Gather` keeps those that have arrived.
struct Part {
    static let whole: Int32 = -1
    var ticket: Ticket
    /// `whole`, or the index of the element.
    var place: Int32
}

/// What a slot waits for.
enum Waiting {
    /// A LIKE or UNLIKE, by its place in the table of changes.
    case change(ChangeIndex)
    case count(Item)
    case liked(Pair)
    /// A COUNT or LIKED that follows a change of its connection, which will answer it. Later changes need not wait for
    /// it. If the change it follows fails, the read may see them.
    case following(Item)
    /// MCOUNT or MLIKED. The elements are in `Clients.gathers`.
    case gather(weight: Int)
    /// LIKES or LIKERS. `isAsked`: PostgreSQL is, or is about to be.
    case list(ListQuery, isAsked: Bool)
    /// RELOAD: the settings are being read.
    case reload

    /// The request's weight towards the limit on waiting reads. Changes are counted by their own table.
    var readWeight: Int {
        switch self {
        case .change, .reload: 0
        case .count, .liked, .following: 1
        case .gather(let weight): weight
        case .list(let query, _): query.limit
        }
    }

    /// The request's weight towards its connection's limit.
    var weight: Int {
        switch self {
        case .change, .count, .liked, .following: 1
        case .gather(let weight): max(1, weight)
        case .list(let query, _): query.limit
        // Nothing behind it on its connection is read before the new settings are in force.
        case .reload: Limits.standard.requestsInFlightMax
        }
    }
}

/// The place of a request in its connection's queue of replies. Replies leave in the order of the requests, so one that
/// is ready stays in its slot until all slots before it have left.
enum Slot {
    case waiting(Waiting, Asked)
    case ready(Reply)
}

/// What a waiting request is counted and timed as.
struct Asked {
    var command: Command
    var at: Instant
}

/// A connection as the core sees it: its requests under way, in order.
struct Session {
    var incarnation: UInt32 = 0
    var isOpen = false
    var client = ClientFacts(id: 0)
    var mayReload = false
    /// It has one of the places reserved beyond MAX_CONNECTIONS.
    var isExtra = false
    /// The sharer that the connection is counted for; nil: none.
    var sharer: Sharer?
    /// The sequence number of `slots[0]`.
    var firstSequence: UInt32 = 0
    /// Requests without a sent reply, oldest first. If empty, a reply can leave at once.
    var slots = Ring<Slot>()
    var changesWaiting = 0
    /// Reads waiting. Each request counts once.
    var readsWaiting = 0
    /// The sum of the waiting requests' weights.
    var weightInFlight = 0
    /// At the limit; `.resume` is owed.
    var isFull = false
    /// QUIT was received or the framing broke. Nothing more is taken, and the connection closes after its last reply.
    var isClosing = false
}

/// All connections. A slot stays until it is ready and all slots before it are.
struct Sessions {
    private let requestsInFlightMax: Int
    private(set) var table: ContiguousArray<Session> = []
    private var free: [UInt32] = []
    private(set) var openCount = 0
    private var extraCount = 0
    private(set) var openedTotal: Int64 = 0
    /// Requests waiting on all open connections.
    private(set) var waitingCount = 0
    /// The sum of `Waiting.readWeight` over all open connections.
    private(set) var readWeightWaiting = 0
    private(set) var shares = ConnectionShares()
    /// What all clients hold, including buffers at the edge.
    var memory: ClientMemory

    init(requestsInFlightMax: Int, memory: ClientMemory) {
        self.requestsInFlightMax = requestsInFlightMax
        self.memory = memory
    }

    /// Takes one of the `extraMax` reserved places if one is free, which count against no other connection. Otherwise
    /// takes one of `max` places, of which one sharer gets at most `shareMax`.
    mutating func open(max: Int, extraMax: Int, sharer: Sharer?, shareMax: Int) -> ConnectionID? {
        let isExtra = extraCount < extraMax
        guard isExtra || openCount - extraCount < max else { return nil }
        if let sharer, shares[sharer] >= shareMax { return nil }
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(table.count)
            table.append(Session())
        }
        openCount += 1
        if isExtra { extraCount += 1 }
        openedTotal += 1
        let incarnation = table[Int(slot)].incarnation
        table[Int(slot)] = Session()
        table[Int(slot)].incarnation = incarnation
        table[Int(slot)].isOpen = true
        table[Int(slot)].isExtra = isExtra
        table[Int(slot)].sharer = sharer
        if let sharer { shares.add(sharer) }
        table[Int(slot)].client = ClientFacts(id: openedTotal)
        return ConnectionID(slot: slot, incarnation: incarnation)
    }

    /// Forgets the connection and returns the tickets that waited, oldest first.
    mutating func close(_ id: ConnectionID) -> [(Ticket, Waiting)] {
        guard isOpen(id) else { return [] }
        var waiting: [(Ticket, Waiting)] = []
        let session = table[Int(id.slot)]
        for offset in 0..<session.slots.count {
            if case .waiting(let what, _) = session.slots[offset] {
                waiting.append((Ticket(connection: id, sequence: session.firstSequence &+ UInt32(offset)), what))
                waitingCount -= 1
                readWeightWaiting -= what.readWeight
            }
        }
        table[Int(id.slot)] = Session()
        table[Int(id.slot)].incarnation = id.incarnation &+ 1
        free.append(id.slot)
        openCount -= 1
        if session.isExtra { extraCount -= 1 }
        if let sharer = session.sharer { shares.remove(sharer) }
        memory.forget(slot: Int(id.slot))
        return waiting
    }

    func isOpen(_ id: ConnectionID) -> Bool {
        Int(id.slot) < table.count && table[Int(id.slot)].isOpen && table[Int(id.slot)].incarnation == id.incarnation
    }

    /// Whether this open connection has nothing under way, so that the next request can be answered at once.
    func isIdle(_ id: ConnectionID) -> Bool { table[Int(id.slot)].slots.isEmpty }

    func accepts(_ id: ConnectionID) -> Bool {
        isOpen(id) && !table[Int(id.slot)].isFull && !table[Int(id.slot)].isClosing
    }

    func isWaiting(_ holder: Deadlines.Holder, _ changes: Changes) -> Bool {
        switch holder {
        case .read(let ticket): waiting(ticket) != nil
        case .change(let index, let incarnation): changes.isWaited(index, incarnation: incarnation)
        }
    }

    /// Clients that ask for few counts must not wait behind those that ask for many.
    func asksForFew(_ id: ConnectionID) -> Bool { isOpen(id) && self[id].weightInFlight <= Limits.fewInFlightMax }

    subscript(_ id: ConnectionID) -> Session {
        _read { yield table[Int(id.slot)] }
        _modify { yield &table[Int(id.slot)] }
    }

    /// Replies if nothing is before it. Otherwise keeps the reply until its turn.
    mutating func reply(_ reply: Reply, on id: ConnectionID, _ turn: inout Turn) {
        if table[Int(id.slot)].slots.isEmpty {
            turn.append(.reply(id, reply))
        } else {
            let slot = Slot.ready(reply)
            table[Int(id.slot)].slots.append(slot)
            memory.add(slot.footprintBytes, slot: Int(id.slot))
            noteLoad(Int(id.slot))
        }
    }

    /// The ticket of the next request that has to wait.
    func nextTicket(on id: ConnectionID) -> Ticket {
        let session = table[Int(id.slot)]
        return Ticket(connection: id, sequence: session.firstSequence &+ UInt32(session.slots.count))
    }

    /// Opens a slot for a request that has to wait.
    mutating func wait(_ what: Waiting, _ asked: Asked, on id: ConnectionID) -> Ticket {
        let place = Int(id.slot)
        let ticket = nextTicket(on: id)
        let slot = Slot.waiting(what, asked)
        table[place].slots.append(slot)
        memory.add(slot.footprintBytes, slot: place)
        if case .change = what { table[place].changesWaiting += 1 } else { table[place].readsWaiting += 1 }
        table[place].weightInFlight += what.weight
        noteLoad(place)
        waitingCount += 1
        readWeightWaiting += what.readWeight
        return ticket
    }

    /// The read waits for a change of its connection instead of a backend.
    mutating func follow(_ ticket: Ticket, _ item: Item) {
        switch waiting(ticket) {
        case .count?, .liked?: replace(ticket, .following(item))
        case .change?, .following?, .gather?, .list?, .reload?, nil: return
        }
    }

    /// The list no longer waits for other requests.
    mutating func ask(_ read: ListRead) {
        guard case .list? = waiting(read.ticket) else { return }
        replace(read.ticket, .list(read.query, isAsked: true))
    }

    /// The read waits for a backend after all, as `what`.
    mutating func unfollow(_ ticket: Ticket, _ what: Waiting) {
        guard case .following? = waiting(ticket) else { return }
        replace(ticket, what)
    }

    /// The request waits for something else.
    private mutating func replace(_ ticket: Ticket, _ what: Waiting) {
        guard let (_, asked) = slot(ticket) else { return }
        let place = Int(ticket.connection.slot)
        table[place].slots[Int(ticket.sequence &- table[place].firstSequence)] = .waiting(what, asked)
    }

    func waiting(_ ticket: Ticket) -> Waiting? { slot(ticket)?.0 }

    /// What the waiting request is counted as, and when it came.
    func asked(_ ticket: Ticket) -> Asked? { slot(ticket)?.1 }

    private func slot(_ ticket: Ticket) -> (Waiting, Asked)? {
        guard isOpen(ticket.connection) else { return nil }
        let place = Int(ticket.connection.slot)
        let offset = Int(ticket.sequence &- table[place].firstSequence)
        guard offset < table[place].slots.count, case .waiting(let what, let asked) = table[place].slots[offset] else {
            return nil
        }
        return (what, asked)
    }

    /// The latest request that waits before this one on its open connection and that `fits`.
    func latest(before ticket: Ticket, where fits: (Ticket, Waiting) -> Bool) -> Ticket? {
        let session = table[Int(ticket.connection.slot)]
        let own = Int(ticket.sequence &- session.firstSequence)
        for offset in stride(from: min(own, session.slots.count) - 1, through: 0, by: -1) {
            guard case .waiting(let what, _) = session.slots[offset] else { continue }
            let earlier = Ticket(connection: ticket.connection, sequence: session.firstSequence &+ UInt32(offset))
            if fits(earlier, what) { return earlier }
        }
        return nil
    }

    /// Puts the reply into its slot, if the slot still waits for one, and sends every reply that is due.
    mutating func finish(_ ticket: Ticket, _ reply: Reply, _ turn: inout Turn) {
        guard let (what, asked) = slot(ticket) else { return }
        let id = ticket.connection
        let place = Int(id.slot)
        if case .change = what { table[place].changesWaiting -= 1 } else { table[place].readsWaiting -= 1 }
        table[place].weightInFlight -= what.weight
        waitingCount -= 1
        readWeightWaiting -= what.readWeight
        let offset = Int(ticket.sequence &- table[place].firstSequence)
        var freed = Slot.waiting(what, asked).footprintBytes
        if offset == 0 {
            table[place].slots.popFirst()
            table[place].firstSequence &+= 1
            turn.append(.reply(id, reply))
            while case .ready(let next)? = table[place].slots.first {
                table[place].slots.popFirst()
                table[place].firstSequence &+= 1
                freed += Slot.ready(next).footprintBytes
                turn.append(.reply(id, next))
            }
            if table[place].slots.isEmpty, table[place].slots.capacity > Limits.slotsKept {
                table[place].slots = Ring()
            }
            closeIfDone(id, &turn)
        } else {
            let slot = Slot.ready(reply)
            table[place].slots[offset] = slot
            freed -= slot.footprintBytes
        }
        memory.add(-freed, slot: place)
        let half = requestsInFlightMax / 2
        if table[place].isFull, table[place].weightInFlight <= half, table[place].slots.count <= half {
            table[place].isFull = false
            if !table[place].isClosing { turn.append(.resume(id)) }
        }
    }

    /// The connection takes nothing more, and closes after its last reply.
    mutating func finishClosing(_ id: ConnectionID, _ turn: inout Turn) {
        table[Int(id.slot)].isClosing = true
        closeIfDone(id, &turn)
    }

    /// Replies waiting for their turn count as well: a client must not pile them up behind one slow request.
    private mutating func noteLoad(_ place: Int) {
        let max = requestsInFlightMax
        if table[place].weightInFlight >= max || table[place].slots.count >= max { table[place].isFull = true }
    }

    private func closeIfDone(_ id: ConnectionID, _ turn: inout Turn) {
        if table[Int(id.slot)].isClosing, table[Int(id.slot)].slots.isEmpty { turn.append(.close(id)) }
    }

    func checkInvariants() {
        var (waiting, readWeight, openings) = (0, 0, 0)
        for session in table where session.isOpen {
            openings += 1
            var (changes, reads, weight) = (0, 0, 0)
            for offset in 0..<session.slots.count {
                guard case .waiting(let what, _) = session.slots[offset] else { continue }
                if case .change = what { changes += 1 } else { reads += 1 }
                weight += what.weight
                readWeight += what.readWeight
            }
            waiting += changes + reads
            precondition(changes == session.changesWaiting && reads == session.readsWaiting, "requests are counted")
            precondition(weight == session.weightInFlight, "the weight of requests is counted")
            if case .ready? = session.slots.first { preconditionFailure("a reply that could leave") }
        }
        precondition(openings == openCount, "open connections are counted")
        precondition(waiting == waitingCount && readWeight == readWeightWaiting, "what waits is counted")
    }
}
