import LikesProtocol

// Requests: what each needs, and what it has to wait for.
extension Core {
    /// nil: the table is full, or its share of it is; tell the client `refusal(of:)` and close.
    package mutating func opened(by peer: PeerRights = .none, now: Instant) -> ConnectionID? {
        let kept = peer.getsInWhenFull ? Limits.administratorConnectionsMax : 0
        guard stopBy == nil,
            let id = sessions.open(
                max: configuration.connectionsMax, extraMax: kept, sharer: peer.sharer,
                shareMax: configuration.connectionsPerUser)
        else {
            statistics.connectionsRefused += 1
            if let sharer = peer.sharer, sessions.shares[sharer] >= configuration.connectionsPerUser {
                statistics.connectionsOverShare += 1
            }
            return nil
        }
        sessions[id].mayReload = peer.mayReload
        return id
    }

    /// A client of the process before this one goes on here; `restore` tells what is known of it. nil: too many.
    package mutating func tookOver(
        by peer: PeerRights, now: Instant, restore: (inout ClientFacts) -> Void
    ) -> ConnectionID? {
        guard let id = opened(by: peer, now: now) else { return nil }
        statistics.connectionsTakenOver += 1
        restore(&sessions[id].client)
        return id
    }

    /// What is known of a client that has nothing under way and stays; nil for any other.
    package func idleClient(_ id: ConnectionID) -> ClientFacts? {
        guard sessions.isOpen(id), sessions.isIdle(id), !sessions[id].isClosing else { return nil }
        return sessions[id].client
    }

    /// Whether the next request of this connection may be given to `received`; `.resume` follows when not.
    package func accepts(_ connection: ConnectionID) -> Bool { stopBy == nil && sessions.accepts(connection) }

    /// Whether counts that are cached may be answered out of hand: no earlier request of the connection waits.
    package func answersAtOnce(_ connection: ConnectionID) -> Bool {
        accepts(connection) && sessions.isIdle(connection)
    }

    /// The count of an item, when the local cache alone can tell.
    package mutating func cachedCount(_ item: Item, now: Instant) -> Int64? { cache.fresh(item, now: now) }

    /// Of all of them, or nil.
    private mutating func cached(_ items: [Item], now: Instant) -> [Int64]? {
        var counts: [Int64] = []
        counts.reserveCapacity(items.count)
        for item in items {
            guard let count = cachedCount(item, now: now) else { return nil }
            counts.append(count)
        }
        return counts
    }

    /// So many COUNT, and MCOUNT of so many items in all, were answered by `cachedCount`.
    package mutating func answeredAtOnce(counts: Int64, multiCounts: Int64, items: Int64) {
        statistics.counts += counts
        statistics.multiCounts += multiCounts
        statistics.localHits += counts + items
    }

    /// A request of an open connection that `accepts` one.
    package mutating func received(
        _ request: Request, on connection: ConnectionID, _ turn: inout Turn
    ) {
        statistics.note(request)
        switch request {
        case .count(let item):
            if sessions[connection].changesWaiting == 0, let count = cache.fresh(item, now: turn.now) {
                statistics.localHits += 1
                sessions.reply(.integer(count), on: connection, &turn)
                return
            }
            guard admitsReads(1, connection, &turn) else { return }
            let ticket = wait(.count(item), on: connection, now: turn.now)
            count(item, Part(ticket: ticket, place: Part.whole), &turn)
        case .counts(let items):
            if sessions[connection].changesWaiting == 0, let counts = cached(items, now: turn.now) {
                statistics.localHits += Int64(items.count)
                sessions.reply(.integers(counts), on: connection, &turn)
                return
            }
            guard admitsReads(items.count, connection, &turn) else { return }
            let ticket = gather(.counts(items), count: items.count, on: connection, now: turn.now)
            for (place, item) in items.enumerated() {
                count(item, Part(ticket: ticket, place: Int32(place)), &turn)
            }
        case .liked(let pair):
            guard admitsReads(1, connection, &turn) else { return }
            let ticket = wait(.liked(pair), on: connection, now: turn.now)
            liked(pair, Part(ticket: ticket, place: Part.whole), &turn)
        case .likedMany(let user, let items):
            guard admitsReads(items.count, connection, &turn) else { return }
            let ticket = gather(.liked(user: user, items: items), count: items.count, on: connection, now: turn.now)
            for (place, item) in items.enumerated() {
                liked(Pair(user: user, item: item), Part(ticket: ticket, place: Int32(place)), &turn)
            }
        case .reload: reload(on: connection, &turn)
        case .like(let pair): change(pair, .like, on: connection, &turn)
        case .unlike(let pair): change(pair, .unlike, on: connection, &turn)
        case .health: sessions.reply(healthReply(now: turn.now), on: connection, &turn)
        case .info(let section):
            sessions.reply(.text(infoText(section: section, now: turn.now)), on: connection, &turn)
        case .metrics: sessions.reply(.text(metricsText(now: turn.now)), on: connection, &turn)
        case .ping(let text): sessions.reply(text.map { .bulk($0) } ?? .simple("PONG"), on: connection, &turn)
        case .echo(let text): sessions.reply(.bulk(text), on: connection, &turn)
        case .reset:
            sessions[connection].client.reset()
            sessions.reply(.reset, on: connection, &turn)
        case .quit:
            sessions.reply(.ok, on: connection, &turn)
            sessions.finishClosing(connection, &turn)
        case .handshake(let verb, let arguments):
            let reply = handshakeReply(
                verb, arguments, client: &sessions[connection].client, connectionsMax: configuration.connectionsMax)
            sessions.reply(reply, on: connection, &turn)
        case .invalid(let error): sessions.reply(.error(error), on: connection, &turn)
        }
    }

    /// The framing broke: the error is the connection's last reply, in its turn; `.close` follows.
    package mutating func broken(
        _ error: ErrorReply, on connection: ConnectionID, _ turn: inout Turn
    ) {
        statistics.protocolErrors += 1
        sessions.reply(.error(error), on: connection, &turn)
        sessions.finishClosing(connection, &turn)
    }

    /// The client is gone. Its changes under way go on; nothing more is replied.
    package mutating func closed(_ connection: ConnectionID, _ turn: inout Turn) {
        var dropped: Set<Ticket> = []
        for (ticket, waiting) in sessions.close(connection) {
            let gather = gathers.removeValue(forKey: ticket)
            unfollowed.remove(ticket)
            switch waiting {
            case .change: if !dropped.contains(ticket) { continue }
            case .count(let item), .following(let item): leaveFetch(item)
            case .liked, .reload: break
            case .gather: if let gather { leaveFetches(gather) }
            }
            // What follows a read of this connection was never sent, and what follows that neither.
            for follower in followers.removeValue(forKey: ticket) ?? [] {
                let index: ChangeIndex
                switch follower {
                case .change(let following): index = following
                case .admittedChange(let following):
                    index = following
                    admittedFollowing -= 1
                case .count, .liked: continue
                }
                dropped.insert(changes[index].ticket)
                changes.release(index)
            }
        }
    }

    // MARK: Waiting and answering

    mutating func wait(_ what: Waiting, on connection: ConnectionID, now: Instant) -> Ticket {
        let ticket = sessions.wait(what, on: connection)
        let holder: Deadline.Holder
        switch what {
        case .change(let index): holder = .change(index, generation: changes[index].generation)
        case .count, .liked, .following, .gather, .reload: holder = .read(ticket)
        }
        deadlines.append(Deadline(at: now.adding(ms: configuration.requestTimeoutMs), holder: holder))
        return ticket
    }

    /// The reply of a waiting request; then starts what followed it.
    mutating func answer(_ ticket: Ticket, _ reply: Reply, _ turn: inout Turn) {
        gathers[ticket] = nil
        unfollowed.remove(ticket)
        _ = sessions.finish(ticket, reply, &turn)
        guard let following = followers.removeValue(forKey: ticket) else { return }
        followersStarting += 1
        for follower in following { start(follower, after: reply, &turn) }
        followersStarting -= 1
    }

    /// One element of a reply, or the whole of it.
    mutating func resolve(_ part: Part, _ value: Int64, _ turn: inout Turn) {
        guard part.place != Part.whole else {
            answer(part.ticket, .integer(value), &turn)
            return
        }
        guard let place = gathers.index(forKey: part.ticket),
            gathers.values[place].values[Int(part.place)] == nil
        else { return }
        gathers.values[place].values[Int(part.place)] = value
        gathers.values[place].missing -= 1
        guard gathers.values[place].missing == 0 else { return }
        let values = gathers.values[place].values.map { $0 ?? 0 }
        answer(part.ticket, .integers(values), &turn)
    }

    /// MCOUNT stopped waiting, for the items that are missing.
    mutating func leaveFetches(_ gather: Gather) {
        guard case .counts(let items) = gather.kind else { return }
        for (place, item) in items.enumerated() where gather.values[place] == nil { leaveFetch(item) }
    }

    func isWaited(_ part: Part) -> Bool { Self.isWaited(part, sessions, gathers) }

    /// Takes the tables apart from the core, for use while another of its tables is being changed.
    static func isWaited(_ part: Part, _ sessions: Sessions, _ gathers: [Ticket: Gather]) -> Bool {
        guard part.place != Part.whole else { return sessions.waiting(part.ticket) != nil }
        guard let gather = gathers[part.ticket] else { return false }
        return gather.values[Int(part.place)] == nil
    }

    private mutating func start(
        _ follower: Follower, after reply: Reply, _ turn: inout Turn
    ) {
        switch follower {
        case .change(let index):
            if changes[index].isAnswered { changes.release(index) } else { admit(index) }
        case .admittedChange(let index):
            admittedFollowing -= 1
            enqueue(index, isRecent: false, &turn)
        case .count(let part, let item, let source):
            guard isWaited(part) else { return }
            switch (source, reply) {
            case (.ofChange, .change(_, let count)), (.ofSentChange, .change(_, let count)),
                (.newer(let count), .change):
                resolve(part, count, &turn)
            default:
                unfollow(part.ticket, .count(item))
                count(item, part, &turn)
            }
        case .liked(let part, let pair, let answer):
            guard isWaited(part) else { return }
            if case .change = reply, let answer {
                resolve(part, answer ? 1 : 0, &turn)
            } else {
                unfollow(part.ticket, .liked(pair))
                liked(pair, part, &turn)
            }
        }
    }

    /// The change that the read followed came to nothing: it looks for itself, and what comes after it on its
    /// connection has to wait for it after all.
    private mutating func unfollow(_ ticket: Ticket, _ what: Waiting) {
        sessions.unfollow(ticket, what)
        unfollowed.insert(ticket)
    }

    private mutating func gather(
        _ kind: Gather.Kind, count: Int, on connection: ConnectionID, now: Instant
    ) -> Ticket {
        let ticket = wait(.gather(weight: count), on: connection, now: now)
        gathers[ticket] = Gather(kind: kind, values: [Int64?](repeating: nil, count: count), missing: count)
        return ticket
    }

    private mutating func admitsReads(_ weight: Int, _ connection: ConnectionID, _ turn: inout Turn) -> Bool {
        if sessions.readWeightWaiting + weight <= limits.readsWaitingMax { return true }
        statistics.busy += 1
        let error = ErrorReply(
            .busy, "\(limits.readsWaitingMax) reads are waiting for Redis or PostgreSQL: try again later")
        sessions.reply(.error(error), on: connection, &turn)
        return false
    }
}
