import LikesProtocol

// Requests: what each one needs, what it has to wait for, and what its reply lets start.
extension Core {
    /// Whether `received` takes the next request of this connection. If not, `.resume` follows.
    package func accepts(_ connection: ConnectionID) -> Bool {
        !clients.shutdown.isAsked && clients.sessions.accepts(connection)
    }

    /// Whether cached counts may be answered at once: no earlier request of the connection waits.
    package func answersAtOnce(_ connection: ConnectionID) -> Bool {
        accepts(connection) && clients.sessions.isIdle(connection)
    }

    /// The item's count, if the local cache has it fresh.
    package mutating func cachedCount(_ item: Item, now: Instant) -> Int64? { known.fresh(item, now: now) }

    /// `cachedCount` answered this many COUNT, and MCOUNT with this many items in all.
    package mutating func answeredAtOnce(counts: Int64, mcounts: Int64, items: Int64) {
        reports.noteAnsweredAtOnce(.count, times: counts)
        reports.noteAnsweredAtOnce(.mcount, times: mcounts)
        reports.statistics.localHits += counts + items
    }

    /// A request of an open connection for which `accepts` is true.
    package mutating func received(_ request: Request, on connection: ConnectionID, _ turn: inout Turn) {
        let asked = Asked(command: Command(request), at: turn.now)
        reports.note(asked.command)
        switch request {
        case .count(let item):
            if clients.sessions[connection].changesWaiting == 0, let count = known.fresh(item, now: turn.now) {
                reports.statistics.localHits += 1
                return reply(.integer(count), to: asked.command, on: connection, &turn)
            }
            guard admitsReads(1, asked.command, connection, &turn) else { return }
            let ticket = clients.wait(.count(item), asked, on: connection, until: deadline(turn.now))
            count(item, Part(ticket: ticket, place: Part.whole), &turn)
        case .mcount(let items, let withCached):
            if clients.sessions[connection].changesWaiting == 0, let counts = known.fresh(items, now: turn.now) {
                reports.statistics.localHits += Int64(items.count)
                let numbers = withCached ? counts.flatMap { [$0, 1] } : counts
                return reply(.integers(numbers), to: asked.command, on: connection, &turn)
            }
            guard admitsReads(items.count, asked.command, connection, &turn) else { return }
            let ticket = clients.gather(
                .mcount(items, withCached: withCached), count: items.count, asked, on: connection,
                until: deadline(turn.now))
            for (place, item) in items.enumerated() {
                count(item, Part(ticket: ticket, place: Int32(place)), &turn)
            }
        case .liked(let pair):
            guard admitsReads(1, asked.command, connection, &turn) else { return }
            let ticket = clients.wait(.liked(pair), asked, on: connection, until: deadline(turn.now))
            liked(pair, Part(ticket: ticket, place: Part.whole), &turn)
        case .mliked(let user, let items):
            guard admitsReads(items.count, asked.command, connection, &turn) else { return }
            let ticket = clients.gather(
                .mliked(user: user, items: items), count: items.count, asked, on: connection,
                until: deadline(turn.now))
            for (place, item) in items.enumerated() {
                liked(Pair(user: user, item: item), Part(ticket: ticket, place: Int32(place)), &turn)
            }
        case .likes(let query): list(.likes(query), asked, on: connection, &turn)
        case .likers(let query): list(.likers(query), asked, on: connection, &turn)
        case .reload: reload(on: connection, &turn)
        case .like(let pair): change(pair, .like, asked, on: connection, &turn)
        case .unlike(let pair): change(pair, .unlike, asked, on: connection, &turn)
        case .health: reply(healthReply(now: turn.now), to: .other, on: connection, &turn)
        case .info(let section):
            reply(.text(infoText(section: section, now: turn.now)), to: .other, on: connection, &turn)
        case .metrics: reply(.text(metricsText(now: turn.now)), to: .other, on: connection, &turn)
        case .ping(let text): reply(text.map { .bulk($0) } ?? .simple("PONG"), to: .other, on: connection, &turn)
        case .echo(let text): reply(.bulk(text), to: .other, on: connection, &turn)
        case .reset:
            clients.sessions[connection].client.reset()
            reply(.reset, to: .other, on: connection, &turn)
        case .quit:
            reply(.ok, to: .other, on: connection, &turn)
            clients.sessions.finishClosing(connection, &turn)
        case .handshake(let verb, let arguments):
            let answer = handshakeReply(
                verb, arguments, client: &clients.sessions[connection].client,
                connectionsMax: configuration.connectionsMax)
            reply(answer, to: .other, on: connection, &turn)
        case .invalid(let error): reply(.error(error), to: .invalid, on: connection, &turn)
        }
    }

    /// The framing broke. The error is the connection's last reply, sent in its turn; `.close` follows.
    package mutating func broken(_ error: ErrorReply, on connection: ConnectionID, _ turn: inout Turn) {
        reports.statistics.protocolErrors += 1
        reports.note(.invalid)
        reply(.error(error), to: .invalid, on: connection, &turn)
        clients.sessions.finishClosing(connection, &turn)
    }

    /// The client is gone. Its changes under way go on, without a reply.
    package mutating func closed(_ connection: ConnectionID, _ turn: inout Turn) {
        let left = clients.close(connection, among: writes.changes)
        reads.leave(left.items, clients)
        for index in left.changes { writes.forget(index) }
    }

    // MARK: Waiting and answering

    private func deadline(_ now: Instant) -> Instant { now.adding(ms: configuration.requestTimeoutMs) }

    /// Replies to a request that did not have to wait.
    mutating func reply(_ reply: Reply, to command: Command, on connection: ConnectionID, _ turn: inout Turn) {
        reports.note(reply, to: command, tookMicroseconds: 0)
        clients.sessions.reply(reply, on: connection, &turn)
    }

    private mutating func admitsReads(
        _ weight: Int, _ command: Command, _ connection: ConnectionID, _ turn: inout Turn
    ) -> Bool {
        if clients.sessions.readWeightWaiting + weight <= limits.readsWaitingMax { return true }
        let error = ErrorReply(
            .busy, "\(limits.readsWaitingMax) reads are waiting for Redis or PostgreSQL: try again later")
        reply(.error(error), to: command, on: connection, &turn)
        return false
    }

    private mutating func list(
        _ query: ListQuery, _ asked: Asked, on connection: ConnectionID, _ turn: inout Turn
    ) {
        guard admitsReads(query.limit, asked.command, connection, &turn) else { return }
        let ticket = clients.wait(.list(query, isAsked: false), asked, on: connection, until: deadline(turn.now))
        list(ListRead(ticket: ticket, query: query))
    }

    private mutating func change(
        _ pair: Pair, _ kind: ChangeKind, _ asked: Asked, on connection: ConnectionID, _ turn: inout Turn
    ) {
        let waitingMax = lane.rate.waitingMax(requestTimeoutMs: configuration.requestTimeoutMs)
        guard writes.count < waitingMax else {
            let error = ErrorReply(
                .busy, "\(writes.count) changes are waiting, more would not be stored in time: try again later")
            return reply(.error(error), to: asked.command, on: connection, &turn)
        }
        let ticket = clients.sessions.nextTicket(on: connection)
        let change = Change(ticket: ticket, pair: pair, kind: kind, stage: .following, acceptedAt: turn.now)
        let (index, incarnation) = writes.accept(change)
        clients.wait(index, incarnation: incarnation, asked, on: connection, until: deadline(turn.now))
        admit(index)
    }

    /// Replies to a waiting request, then starts the requests that followed it.
    mutating func answer(_ ticket: Ticket, _ reply: Reply, _ turn: inout Turn) {
        if let asked = clients.sessions.asked(ticket) {
            let microseconds = turn.now.microseconds - asked.at.microseconds
            reports.note(reply, to: asked.command, tookMicroseconds: microseconds)
        }
        guard let following = clients.answer(ticket, reply, &turn) else { return }
        for follower in following { start(follower, after: reply, &turn) }
        clients.followers.finishStarting()
    }

    /// Fills in one element of a reply, or the whole reply. `isCached`: PostgreSQL was not asked for it.
    mutating func give(_ value: Int64, isCached: Bool = false, to part: Part, _ turn: inout Turn) {
        guard let reply = clients.take(value, isCached: isCached, for: part) else { return }
        answer(part.ticket, reply, &turn)
    }

    private mutating func start(_ follower: Follower, after reply: Reply, _ turn: inout Turn) {
        clients.followers.leave(follower)
        switch follower {
        case .change(let index): if !writes.forgetIfAnswered(index) { admit(index) }
        case .admittedChange(let index): admitted(index, isRecent: false, &turn)
        case .count(let part, let item, let source):
            guard clients.isWaited(part) else { return }
            switch (source, reply) {
            case (.ofChange, .change(_, let count)), (.ofSentChange, .change(_, let count)),
                (.newer(let count), .change):
                give(count, to: part, &turn)
            default:
                clients.unfollow(part.ticket, .count(item))
                count(item, part, &turn)
            }
        case .liked(let part, let pair, let answer):
            guard clients.isWaited(part) else { return }
            if case .change = reply, let answer {
                give(answer ? 1 : 0, to: part, &turn)
            } else {
                clients.unfollow(part.ticket, .liked(pair))
                liked(pair, part, &turn)
            }
        case .list(let read): if clients.sessions.waiting(read.ticket) != nil { list(read) }
        }
    }
}
