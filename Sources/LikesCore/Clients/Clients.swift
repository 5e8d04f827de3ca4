import LikesProtocol
import LikesStorage

/// The clients: their connections, the requests under way on each, which of these wait for an earlier one of their own
/// connection, and their deadlines.
struct Clients {
    var sessions: Sessions
    var followers = Followers()
    private var deadlines = (changes: Deadlines(), reads: Deadlines())
    /// The elements of MCOUNT and MLIKED that have arrived.
    private var gathers: [Ticket: Gather] = [:]
    /// Once asked for, nothing more is taken from any client.
    var shutdown = Shutdown()

    init(_ sessions: Sessions) { self.sessions = sessions }

    // MARK: Waiting

    /// Opens a slot for a request that has to wait, until `deadline`.
    mutating func wait(
        _ what: Waiting, _ asked: Asked, on connection: ConnectionID, until deadline: Instant
    ) -> Ticket {
        let ticket = sessions.wait(what, asked, on: connection)
        deadlines.reads.append(.read(ticket), at: deadline)
        return ticket
    }

    /// The same for a change.
    mutating func wait(
        _ index: ChangeIndex, incarnation: UInt32, _ asked: Asked, on connection: ConnectionID,
        until deadline: Instant
    ) {
        _ = sessions.wait(.change(index), asked, on: connection)
        deadlines.changes.append(.change(index, incarnation: incarnation), at: deadline)
    }

    /// RELOAD waits for no backend, so it has no deadline.
    mutating func waitForReload(on connection: ConnectionID, now: Instant) -> Ticket {
        sessions.wait(.reload, Asked(command: .other, at: now), on: connection)
    }

    mutating func gather(
        _ kind: Gather.Kind, count: Int, _ asked: Asked, on connection: ConnectionID, until deadline: Instant
    ) -> Ticket {
        let ticket = wait(.gather(weight: count), asked, on: connection, until: deadline)
        gathers[ticket] = Gather(kind, count: count)
        return ticket
    }

    func gather(_ ticket: Ticket) -> Gather? { gathers[ticket] }
    var gathersCount: Int { gathers.count }

    func isWaited(_ part: Part) -> Bool {
        guard part.place != Part.whole else { return sessions.waiting(part.ticket) != nil }
        guard let gather = gathers[part.ticket] else { return false }
        return gather.values[Int(part.place)] == nil
    }

    // MARK: Answering

    /// Replies to a waiting request. Returns its followers, to be started; nil: there are none.
    mutating func answer(_ ticket: Ticket, _ reply: Reply, _ turn: inout Turn) -> [Follower]? {
        gathers[ticket] = nil
        followers.forgetUnfollowed(ticket)
        sessions.finish(ticket, reply, &turn)
        return followers.beginStarting(behind: ticket)
    }

    /// Takes one element of a reply, or the whole. Returns the reply once it is complete. `isCached`: PostgreSQL was
    /// not asked for it.
    mutating func take(_ value: Int64, isCached: Bool, for part: Part) -> Reply? {
        guard part.place != Part.whole else { return .integer(value) }
        guard let place = gathers.index(forKey: part.ticket),
            gathers.values[place].values[Int(part.place)] == nil
        else { return nil }
        gathers.values[place].take(value, isCached: isCached, at: Int(part.place))
        return gathers.values[place].missing == 0 ? gathers.values[place].reply(cached: { _ in nil }) : nil
    }

    /// The change that the read followed failed. The read asks for itself, so later changes of its connection now have
    /// to wait for it.
    mutating func unfollow(_ ticket: Ticket, _ what: Waiting) {
        sessions.unfollow(ticket, what)
        followers.unfollow(ticket)
    }

    /// What a connection leaves behind when its client goes.
    struct Left {
        /// Items whose counts these requests no longer wait for.
        var items: [Item] = []
        /// Changes that were never sent, to be forgotten.
        var changes: [ChangeIndex] = []
    }

    /// The client is gone.
    mutating func close(_ connection: ConnectionID, among changes: Changes) -> Left {
        var left = Left()
        var dropped: Set<Ticket> = []
        for (ticket, waiting) in sessions.close(connection) {
            let gather = gathers.removeValue(forKey: ticket)
            followers.forgetUnfollowed(ticket)
            switch waiting {
            case .change: if !dropped.contains(ticket) { continue }
            case .count(let item), .following(let item): left.items.append(item)
            case .liked, .list, .reload: break
            case .gather: left.items += gather?.missingItems ?? []
            }
            // The followers of this connection's reads were never sent, nor were their own followers.
            for index in followers.drop(behind: ticket) {
                dropped.insert(changes[index].ticket)
                left.changes.append(index)
            }
        }
        return left
    }

    // MARK: Deadlines

    var nextDeadline: Instant? {
        guard let change = deadlines.changes.first, let read = deadlines.reads.first else {
            return deadlines.changes.first ?? deadlines.reads.first
        }
        return min(change, read)
    }
    var deadlinesCount: Int { deadlines.changes.count + deadlines.reads.count }

    /// The earliest first.
    mutating func popDeadline(by now: Instant) -> Deadlines.Holder? {
        guard let next = nextDeadline else { return nil }
        return deadlines.changes.first == next
            ? deadlines.changes.popFirst(by: now) : deadlines.reads.popFirst(by: now)
    }

    /// The change that has waited longest, once those that are answered are dropped.
    var oldestChange: ChangeIndex? {
        if case .change(let index, _)? = deadlines.changes.firstHolder { index } else { nil }
    }

    /// The read that has waited longest, once those that are answered are dropped.
    var oldestRead: Ticket? { if case .read(let ticket)? = deadlines.reads.firstHolder { ticket } else { nil } }

    /// The request's weight towards the limit on deadlines handled in one turn.
    func weight(_ holder: Deadlines.Holder) -> Int {
        switch holder {
        case .change: 1
        case .read(let ticket): sessions.waiting(ticket)?.weight ?? 1
        }
    }

    /// Drops the deadlines of answered requests: those at the head, so that the timer is not armed for them, and the
    /// others once they outnumber the requests that wait.
    mutating func dropAnsweredDeadlines(_ changes: Changes) {
        let sessions = sessions
        deadlines.changes.dropFirst { !sessions.isWaiting($0, changes) }
        deadlines.reads.dropFirst { !sessions.isWaiting($0, changes) }
        guard deadlinesCount > 2 * (sessions.waitingCount + changes.count) + Limits.deadlinesKept else { return }
        deadlines.changes.keep { sessions.isWaiting($0, changes) }
        deadlines.reads.keep { sessions.isWaiting($0, changes) }
    }

    // MARK: Order within a connection

    /// The latest earlier request of the connection that the change must not overtake: a read that would see the
    /// change, or a change of the same item that itself follows a request.
    func blocker(of change: Change, among changes: Changes) -> Ticket? {
        let (ticket, pair) = (change.ticket, change.pair)
        guard sessions.isOpen(ticket.connection) else { return nil }
        guard sessions[ticket.connection].readsWaiting > 0 || !followers.isEmpty else { return nil }
        return sessions.latest(before: ticket) { earlier, what in
            switch what {
            case .change(let other):
                if case .following = changes[other].stage { changes[other].pair.item == pair.item } else { false }
            case .following, .reload: false
            case .count(let item): item == pair.item
            case .liked(let asked): asked == pair
            case .gather: gathers[earlier]?.sees(pair) ?? false
            case .list(let query, _): query.sees(pair)
            }
        }
    }

    /// The latest unanswered change that came before the request on its connection and that `fits`.
    func lastChange(before ticket: Ticket, among changes: Changes, where fits: (Change) -> Bool) -> ChangeIndex? {
        guard sessions.isOpen(ticket.connection), sessions[ticket.connection].changesWaiting > 0 else { return nil }
        var found: ChangeIndex?
        _ = sessions.latest(before: ticket) { _, what in
            guard case .change(let index) = what, fits(changes[index]) else { return false }
            found = index
            return true
        }
        return found
    }

    enum ChangeOrList {
        case change(ChangeIndex)
        /// A list that waits for earlier requests itself.
        case list(Ticket)
    }

    /// The latest unanswered change, or list that is not asked for yet, that came before the request on its connection
    /// and that fits.
    func lastChangeOrList(
        before ticket: Ticket, among changes: Changes, change: (Change) -> Bool, list: (ListQuery) -> Bool
    ) -> ChangeOrList? {
        guard sessions.isOpen(ticket.connection) else { return nil }
        guard sessions[ticket.connection].changesWaiting > 0 || !followers.isEmpty else { return nil }
        var found: ChangeOrList?
        _ = sessions.latest(before: ticket) { earlier, what in
            switch what {
            case .change(let index) where change(changes[index]): found = .change(index)
            case .list(let query, isAsked: false) where list(query): found = .list(earlier)
            case .change, .list, .count, .liked, .following, .gather, .reload: return false
            }
            return true
        }
        return found
    }

    /// An earlier, unanswered change of the same item and connection, which this one must not overtake.
    func earlierChange(of change: Change, among changes: Changes) -> EarlierChange? {
        guard sessions.isOpen(change.ticket.connection) else { return nil }
        var found: EarlierChange?
        _ = sessions.latest(before: change.ticket) { _, what in
            guard case .change(let other) = what, changes[other].pair.item == change.pair.item else { return false }
            if case .confirming = changes[other].stage {
                found = .confirming(other)
                return true
            }
            found = .inLane
            return false
        }
        return found
    }

    enum EarlierChange {
        /// Its hint is being confirmed, so this change is held.
        case confirming(ChangeIndex)
        /// It is in the lane, so this change goes there as well, with a hint or without.
        case inLane
    }

    func checkInvariants() {
        sessions.checkInvariants()
        followers.checkInvariants()
        deadlines.changes.checkInvariants()
        deadlines.reads.checkInvariants()
        for (ticket, gather) in gathers {
            precondition(sessions.waiting(ticket) != nil, "a reply of many parts is waited for")
            precondition(gather.missing == gather.values.count { $0 == nil }, "missing parts are counted")
        }
    }
}

/// The reply to MCOUNT or MLIKED while its elements arrive, in any order. A reply of one value needs none.
struct Gather {
    enum Kind {
        case mcount([Item], withCached: Bool)
        case mliked(user: Int64, items: [Item])
    }
    let kind: Kind
    private(set) var values: [Int64?]
    private(set) var missing: Int
    /// By place; empty: the reply does not say it.
    private var areCached: [Bool]

    init(_ kind: Kind, count: Int) {
        self.kind = kind
        values = [Int64?](repeating: nil, count: count)
        missing = count
        areCached = if case .mcount(_, withCached: true) = kind { Array(repeating: true, count: count) } else { [] }
    }

    mutating func take(_ value: Int64, isCached: Bool, at place: Int) {
        values[place] = value
        missing -= 1
        if !areCached.isEmpty { areCached[place] = isCached }
    }

    /// Whether the reply would show a change of the pair.
    func sees(_ pair: Pair) -> Bool {
        switch kind {
        case .mcount(let items, _): items.contains(pair.item)
        case .mliked(let user, let items): user == pair.user && items.contains(pair.item)
        }
    }

    /// The reply, with missing counts taken from what is cached; nil: it does not know them all.
    func reply(cached: (Item) -> Int64?) -> Reply? {
        var numbers: [Int64] = []
        numbers.reserveCapacity(values.count + areCached.count)
        for (place, value) in values.enumerated() {
            guard let number = value ?? cachedCount(place, cached) else { return nil }
            numbers.append(number)
            if !areCached.isEmpty { numbers.append(areCached[place] ? 1 : 0) }
        }
        return .integers(numbers)
    }

    private func cachedCount(_ place: Int, _ cached: (Item) -> Int64?) -> Int64? {
        if case .mcount(let items, _) = kind { cached(items[place]) } else { nil }
    }

    /// The items of MCOUNT whose counts are missing.
    var missingItems: [Item] {
        guard case .mcount(let items, _) = kind else { return [] }
        return items.enumerated().compactMap { values[$0.offset] == nil ? $0.element : nil }
    }
}
