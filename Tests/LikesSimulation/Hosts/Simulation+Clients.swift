import LikesCore
import LikesProtocol

extension Simulation {
    func makeClients() {
        for number in 0..<plan.clientsCount {
            let depth = [1, 1, 2, 4, 16][scheduler.chance.below(5)]
            // Bursts of three on average.
            let gap = plan.active * Int64(plan.clientsCount) * 3 / Int64(plan.requestsCount)
            clients.append(
                Client(
                    host: number % plan.hostsCount, depth: depth,
                    isClosedLoop: scheduler.chance.hits(percent: 60), meanGap: gap))
            scheduler.after(.ms(500) + scheduler.chance.between(0, gap), .clientActs, Int32(number))
        }
        for host in 0..<plan.hostsCount {
            clients.append(Client(host: host, depth: .max, isClosedLoop: false, meanGap: 0))
            scheduler.at(plan.duration - .seconds(5), .auditor, Int32(host))
        }
    }

    func act(_ client: Int) {
        guard now < plan.active else { return }
        scheduler.after(gap(client), .clientActs, Int32(client))
        guard requestsLeft > 0 || now > plan.calmFrom + .seconds(34) else { return }
        if clients[client].connection == nil, clients[client].unread.isEmpty, scheduler.chance.hits(percent: 20) {
            clients[client].host = scheduler.chance.below(plan.hostsCount)
        }
        let host = clients[client].host
        guard hosts[host].isUp, !hosts[host].isStopping else { return }
        if scheduler.chance.hits(percent: plan.disconnectPercent) { return disconnect(client) }
        let underWay = clients[client].waiting.count + clients[client].unread.count
        guard underWay == 0 || !clients[client].isClosedLoop, underWay < clients[client].depth else { return }
        for _ in 0..<(1 + scheduler.chance.below(min(10, clients[client].depth - underWay))) {
            ask(client, host)
        }
        hosts[host].inbox.append(.readable(client))
        wake(host)
    }

    private func gap(_ client: Int) -> Micros {
        if scheduler.chance.hits(percent: 65) { return scheduler.chance.skewed(100, .ms(5)) }
        let gap = scheduler.chance.between(0, clients[client].meanGap * 2)
        guard plan.stampede > 0 else { return gap }
        // All meet at the same moments.
        let meeting = (now + gap) / plan.stampede + 1
        return meeting * plan.stampede - now + scheduler.chance.skewed(1, .ms(3))
    }

    private func ask(_ client: Int, _ host: Int) {
        requestsLeft -= 1
        // Two of them share the smaller, so that the first of each are the hot ones.
        let user = min(scheduler.chance.below(plan.usersCount), scheduler.chance.below(plan.usersCount + 2))
        var item = min(scheduler.chance.below(plan.items.count), scheduler.chance.below(plan.items.count + 1))
        if plan.stampede > 0, scheduler.chance.hits(percent: 70) { item = Int(now / plan.stampede) % plan.items.count }
        func append(_ kind: Operation.Kind, _ item: Int) {
            operations.append(
                Operation(kind, pair: user * plan.items.count + item, item: item, host: host, client: client))
        }
        let first = operations.count
        func appendLists() {
            // By a rule, and not by chance, so that other seeds stay as they are.
            let list: Operation.List = plan.asksForLists ? [.none, .likes, .likers][first % 3] : .none
            for place in 0..<(list == .likers ? plan.usersCount : plan.items.count) {
                let (who, what) = list == .likers ? (place, item) : (user, place)
                operations.append(
                    Operation(.liked, pair: who * plan.items.count + what, item: what, host: host, client: client))
            }
            operations[first].list = list
        }
        switch dormantUntil[item] > now ? scheduler.chance.between(50, 99) : Int64(scheduler.chance.below(100)) {
        case ..<50 where plan.alternates: append(now / plan.stampede % 2 == 0 ? .like : .unlike, item)
        case ..<28: append(.like, item)
        case ..<50: append(.unlike, item)
        case ..<72: append(.count, item)
        case ..<88: append(.liked, item)
        case ..<94: for item in plan.items.indices { append(.count, item) }
        default: appendLists()
        }
        operations[first].width = UInt8(operations.count - first)
        clients[client].unread.append(Int32(first))
    }

    private func disconnect(_ client: Int) {
        guard let connection = clients[client].connection else { return }
        hosts[clients[client].host].inbox.append(.closed(connection))
        wake(clients[client].host)
        forget(client)
    }

    /// Replies that did not come will not come any more.
    func forget(_ client: Int) {
        while let first = clients[client].waiting.popFirst() {
            for place in Int(first)..<(Int(first) + Int(operations[Int(first)].width)) {
                operations[place].outcome = .lost
            }
        }
        clients[client].unread.removeAll()
        clients[client].connection = nil
    }

    // MARK: Requests

    /// The host reads what the client sent, as far as the core accepts it.
    func read(_ client: Int, _ host: Int) {
        guard clients[client].host == host, !clients[client].unread.isEmpty else { return }
        let instant = hosts[host].instant(now)
        if clients[client].connection == nil || clients[client].life != hosts[host].life {
            guard let connection = hosts[host].process?.core.opened(now: instant) else {
                clients[client].unread.removeAll()
                return
            }
            clients[client].connection = connection
            clients[client].life = hosts[host].life
            clients[client].serial = connectionsCount
            connectionsCount += 1
            let slot = Int(connection.slot)
            while hosts[host].clientOfSlot.count <= slot { hosts[host].clientOfSlot.append(-1) }
            hosts[host].clientOfSlot[slot] = client
        }
        guard let connection = clients[client].connection else { return }
        while hosts[host].process?.core.accepts(connection) == true, let first = clients[client].unread.popFirst() {
            let place = Int(first)
            let knowsSecret = hosts[host].process?.core.knowsSecret ?? false
            for member in place..<(place + Int(operations[place].width)) {
                operations[member].outcome = .waiting
                operations[member].mayBeForged = !knowsSecret
                operations[member].calledAt = now
                operations[member].life = hosts[host].life
                operations[member].connection = clients[client].serial
            }
            clients[client].waiting.append(first)
            let request = request(place)
            note(.asked(place))
            tell(host) { core, turn in core.received(request, on: connection, &turn) }
        }
    }

    private func request(_ first: Int) -> Request {
        let operation = operations[first]
        let pair = Pair(
            user: Int64(operation.pair / plan.items.count + 1), item: plan.items[operation.item])
        // One page holds all.
        switch operation.list {
        case .none: break
        case .likes: return .likes(LikesQuery(user: pair.user, limit: plan.items.count))
        case .likers: return .likers(LikersQuery(item: pair.item, limit: plan.usersCount))
        }
        if operation.width > 1 {
            return operation.kind == .count ? .mcount(plan.items) : .mliked(user: pair.user, items: plan.items)
        }
        switch operation.kind {
        case .like: return .like(pair)
        case .unlike: return .unlike(pair)
        case .liked: return .liked(pair)
        case .count: return .count(pair.item)
        }
    }

    func replied(_ reply: Reply, on connection: ConnectionID, _ host: Int) {
        let slot = Int(connection.slot)
        guard slot < hosts[host].clientOfSlot.count, hosts[host].clientOfSlot[slot] >= 0 else {
            return fail(Violation(.interface, "a reply to a connection that never was"))
        }
        let client = hosts[host].clientOfSlot[slot]
        // It may be at another host by now, on a connection of the same number.
        guard clients[client].connection == connection, clients[client].host == host,
            clients[client].life == hosts[host].life
        else { return }
        guard let first = clients[client].waiting.popFirst() else {
            return fail(Violation(.interface, "a reply that nobody asked for"))
        }
        let place = Int(first)
        let members = place..<(place + Int(operations[place].width))
        for member in members { operations[member].repliedAt = now }
        defer { note(.answered(place)) }
        switch (reply, operations[place].kind) {
        case (.change(let changed, let count), .like), (.change(let changed, let count), .unlike):
            operations[place].outcome = .answered
            operations[place].changed = changed
            operations[place].value = count
        case (.integer(let value), .count), (.integer(let value), .liked):
            operations[place].outcome = .answered
            operations[place].value = value
        case (.array(let texts), .liked) where operations[place].list == .likes:
            let items = plan.items.map { Reply.text(plan.configuration.itemTypes.text(of: $0)) }
            answered(members, items.map { texts.contains($0) })
        case (.integers(let users), .liked) where operations[place].list == .likers:
            answered(members, members.indices.map { users.contains(Int64($0 - place + 1)) })
        case (.integers(let values), .count) where values.count == members.count,
            (.integers(let values), .liked) where values.count == members.count:
            for member in members {
                operations[member].outcome = .answered
                operations[member].value = values[member - place]
            }
        case (.error(let error), _):
            let outcome: Operation.Outcome = error.code == .uncertain ? .uncertain : .refused
            for member in members { operations[member].outcome = outcome }
            scheduler.coverage.note(outcome == .uncertain ? .uncertain : .unavailable)
            if outcome == .uncertain, !operations[place].isChange {
                fail(Violation(.interface, "-UNCERTAIN to a read"))
            }
        default: fail(Violation(.interface, "a reply of another kind"))
        }
        checkDeadline(operations[place], host)
    }

    private func answered(_ members: Range<Int>, _ liked: [Bool]) {
        for (member, isLiked) in zip(members, liked) {
            operations[member].outcome = .answered
            operations[member].value = isLiked ? 1 : 0
        }
    }

    private func checkDeadline(_ operation: Operation, _ host: Int) {
        let late = operation.repliedAt - operation.calledAt - .ms(plan.configuration.requestTimeoutMs)
        guard late > Simulation.lateMax, hosts[host].resumedAt < operation.calledAt else { return }
        fail(
            Violation(
                .answered, "answered \(late / 1_000) ms after its deadline", pair: operation.pair, item: operation.item)
        )
    }

    /// A turn of the loop.
    private static let lateMax: Micros = .ms(5)

    // MARK: The end

    /// Pairs asked of each host in the end.
    private static let pairsAudited = 12

    /// When all is over: every count and some pairs, asked of every host.
    func audit(_ host: Int) {
        let client = plan.clientsCount + host
        guard hosts[host].isUp else { return fail(Violation(.answered, "host \(host) is not up at the end")) }
        for item in plan.items.indices {
            operations.append(Operation(.count, pair: item, item: item, host: host, client: client))
            clients[client].unread.append(Int32(operations.count - 1))
        }
        for _ in 0..<Simulation.pairsAudited {
            let (user, item) = (scheduler.chance.below(plan.usersCount), scheduler.chance.below(plan.items.count))
            operations.append(
                Operation(.liked, pair: user * plan.items.count + item, item: item, host: host, client: client))
            clients[client].unread.append(Int32(operations.count - 1))
        }
        hosts[host].inbox.append(.readable(client))
        wake(host)
    }
}
