import LikesCore
import LikesProtocol
import LikesStorage

// The edge, as far as the core sees it: turns, timers, actions.
extension Simulation {
    func start(_ host: Int) {
        guard !hosts[host].isUp else { return }
        hosts[host].life += 1
        hosts[host].isStopping = false
        // A machine started again has a clock of its own.
        hosts[host].origin = scheduler.chance.between(0, .seconds(1_000_000))
        let instant = hosts[host].instant(now)
        let core = Core(
            configuration: plan.configuration, versions: Simulation.versions, seed: scheduler.chance.next(),
            now: instant, limits: plan.limits, safeguards: safeguards)
        hosts[host].process = Process(core)
        tell(host) { core, turn in core.start(&turn) }
        endTurn(host)
    }

    /// kill -9, or the end of a process that was asked to stop: all its connections end.
    func end(_ host: Int) {
        guard let process = hosts[host].process else { return }
        hosts[host].erasBegunBefore += process.core.alarms.erasBegun
        hosts[host].standbyCountsBefore.answered += process.core.standbyCounts.answered
        hosts[host].standbyCountsBefore.refused += process.core.standbyCounts.refused
        hosts[host].process = nil
        hosts[host].inbox.removeAll()
        hosts[host].turnAt = .never
        hosts[host].tickAt = .never
        hosts[host].pausedUntil = 0
        hosts[host].clientOfSlot = []
        hosts[host].resumed = []
        for place in hosts[host].links.indices where hosts[host].links[place] >= 0 {
            abandon(hosts[host].links[place])
            hosts[host].unlink(place: place)
        }
        hosts[host].sliced = [:]
        hosts[host].markerSlots = [:]
        for client in clients.indices where clients[client].host == host { forget(client) }
    }

    func wake(_ host: Int) {
        guard hosts[host].isUp, hosts[host].turnAt == .never else { return }
        let due = max(now + scheduler.chance.skewed(1, 200), hosts[host].pausedUntil)
        hosts[host].turnAt = due
        scheduler.at(due, .hostTurn, Int32(host), UInt32(hosts[host].life))
    }

    func tick(_ host: Int, _ life: UInt32) {
        guard hosts[host].isUp, UInt32(hosts[host].life) == life, hosts[host].tickAt <= now else { return }
        hosts[host].tickAt = .never
        wake(host)
    }

    func turn(_ host: Int, _ life: UInt32) {
        guard hosts[host].isUp, UInt32(hosts[host].life) == life, hosts[host].turnAt <= now else { return }
        if hosts[host].pausedUntil > now {
            hosts[host].turnAt = hosts[host].pausedUntil
            scheduler.at(hosts[host].turnAt, .hostTurn, Int32(host), life)
            return
        }
        hosts[host].turnAt = .never
        // One source's events, or all that there are.
        let taken = scheduler.chance.hits(percent: 30) ? min(1, hosts[host].inbox.count) : hosts[host].inbox.count
        for _ in 0..<taken {
            guard let inbound = hosts[host].inbox.popFirst() else { break }
            deliver(inbound, host)
        }
        endTurn(host)
        if hosts[host].isUp, !hosts[host].inbox.isEmpty { wake(host) }
    }

    private func endTurn(_ host: Int) {
        let instant = hosts[host].instant(now)
        if let due = nextTick(host), due <= instant {
            tell(host) { core, turn in core.tick(&turn) }
        }
        var rounds = 0
        var resumed: [Int] = []
        repeat {
            performActions(host)
            tell(host) { core, turn in
                core.turnEnded(&turn)
                core.checkInvariants()
            }
            performActions(host)
            resumed = hosts[host].resumed
            hosts[host].resumed = []
            for client in resumed { read(client, host) }
            rounds += 1
            if rounds > 10_000 { return fail(Violation(.interface, "a turn that does not end")) }
            // As the daemon does: what was read is to be sent for, though nothing else is to be done.
        } while hosts[host].isUp && (!pending.actions.isEmpty || !resumed.isEmpty)
        guard let next = nextTick(host) else { return }
        let due = max(next.microseconds - hosts[host].origin, now + 1)
        if due < hosts[host].tickAt {
            hosts[host].tickAt = due
            scheduler.at(due, .hostTick, Int32(host), UInt32(hosts[host].life))
        }
    }

    /// Optional chaining would copy the core.
    private func nextTick(_ host: Int) -> Instant? {
        guard let process = hosts[host].process else { return nil }
        return process.core.nextTick
    }

    /// Gives the host's core an event, where there is one.
    func tell(_ host: Int, _ event: (inout Core, inout Turn) -> Void) {
        guard let process = hosts[host].process else { return }
        pending.now = hosts[host].instant(now)
        event(&process.core, &pending)
    }

    private func performActions(_ host: Int) {
        while !pending.actions.isEmpty {
            swap(&pending.actions, &running)
            for action in running { perform(action, host) }
            running.removeAll(keepingCapacity: true)
        }
    }

    private func perform(_ action: Action, _ host: Int) {
        guard hosts[host].isUp else { return }
        note(.performed(host, action))
        switch action {
        case .reply(let connection, let reply): replied(reply, on: connection, host)
        case .close: break
        case .resume(let connection):
            hosts[host].resumed.append(hosts[host].clientOfSlot[Int(connection.slot)])
        case .redis(let node, let call, let request): callRedis(node, call, request, host)
        case .markerKey(let node, let key): hosts[host].markerSlots[node] = RedisSlot.of(key: key.utf8)
        case .askCluster: askCluster(host)
        case .lane(let call, let request): send(.lane(call, request), .lane, host)
        case .reader(let call, let request): send(.reader(call, request), .reader, host)
        case .standby(let place, let call, let request): send(.standby(call, request), .standby(place), host)
        case .beat(let node, let number):
            guard let connection = connection(.redis(node), host) else { return }
            send(.beat(number), to: connection)
            // Looks at Redis' clock, as the daemon does with every beat.
            send(.askTime(askedAt: now), to: connection)
        case .connect(let backend):
            noteAttempt(host, backend)
            if hosts[host][backend] >= 0 {
                fail(Violation(.interface, "host \(host) connects \(backend) twice"))
            }
            hosts[host][backend] = open(backend, host: host)
        case .disconnect(let backend):
            guard hosts[host][backend] >= 0 else { return }
            abandon(hosts[host][backend])
            hosts[host][backend] = -1
            if case .redis(let node) = backend { forgetSliced(host, node) }
        case .reload, .configure, .log: break
        case .stopped:
            end(host)
        }
    }

    /// nil: the host is not connected, or calls pile up on the wire, either of which is a violation.
    private func connection(_ backend: Backend, _ host: Int) -> Int32? {
        let connection = hosts[host][backend]
        guard connection >= 0 else {
            fail(Violation(.interface, "host \(host) calls \(backend), which it is not connected to"))
            return nil
        }
        let most = Simulation.callsOnWireMax * (plan.sliceMax < plan.items.count ? 16 : 1)
        if wires[Int(connection)].toServer.count > most {
            fail(Violation(.bounded, "host \(host): calls pile up on the wire to \(backend)"))
            return nil
        }
        return connection
    }

    private func send(_ message: ToServer, _ backend: Backend, _ host: Int) {
        if let connection = connection(backend, host) { send(message, to: connection) }
    }

    private func callRedis(_ node: NodePlace, _ call: CallID, _ request: RedisRequest, _ host: Int) {
        guard let connection = connection(.redis(node), host) else { return }
        let offset = hosts[host].redisTimeOffsets[node] ?? 0
        let deadline = now + offset + .ms(plan.configuration.redisCallMsMax)
        let marker = hosts[host].markerSlots[node] ?? RedisStore.plainMarker
        if plan.sliceMax < plan.items.count {
            sendSliced(NodeCall(node, call), request, deadline: deadline, marker: marker, host, to: connection)
        } else {
            send(.redis(call, request, deadline: deadline, marker: marker), to: connection)
        }
    }

    /// Kinds of calls times their number in flight, and what came before a hang.
    private static let callsOnWireMax = 64

    private func noteAttempt(_ host: Int, _ backend: Backend) {
        let place = backend.place
        hosts[host][backend] = hosts[host][backend]
        hosts[host].attempts[place].removeAll { now - $0 > .seconds(1) }
        hosts[host].attempts[place].append(now)
        guard hosts[host].attempts[place].count > Simulation.attemptsPerSecondMax else { return }
        let text = "host \(host) connects \(backend) over \(Simulation.attemptsPerSecondMax) times in a second"
        fail(Violation(.reconnections, text))
    }

    /// Twice what attempts at 50 ms, 100 ms, 200 ms … come to, half of each random: it may have been well in between.
    private static let attemptsPerSecondMax = 16

    // MARK: Events

    private func deliver(_ inbound: Inbound, _ host: Int) {
        switch inbound {
        case .readable(let client): read(client, host)
        case .closed(let connection):
            tell(host) { core, turn in core.closed(connection, &turn) }
        case .cluster(let view):
            if let view { note(.heard(host, .cluster(view))) }
            learn(view, host)
        case .wire(let connection, let message):
            let backend = wires[Int(connection)].backend
            guard hosts[host][backend] == connection else { return }
            note(.heard(host, message))
            deliver(message, backend, host)
        }
        performActions(host)
    }

    private func deliver(_ message: ToHost, _ backend: Backend, _ host: Int) {
        switch message {
        case .redisReady(let time):
            hosts[host].redisTimeOffsets[backend.node] = time - now
            tell(host) { core, turn in core.redisConnected(backend.node, &turn) }
        case .cluster(let view): learn(view, host)
        case .isReplica:
            deliver(.end(.unreachable("it is a replica now")), backend, host)
            tell(host) { core, turn in core.slotsMoved(&turn) }
        case .time(let time, let askedAt):
            // What was known stays as long as it can be true: an answer that was long under way says little.
            let known = hosts[host].redisTimeOffsets[backend.node] ?? 0
            if known < time - now || known > time - askedAt { hosts[host].redisTimeOffsets[backend.node] = time - now }
        case .subscribed: tell(host) { core, turn in core.subscriberConnected(backend.node, &turn) }
        case .databaseReady(let facts):
            tell(host) { core, turn in core.databaseConnected(backend, facts, &turn) }
        case .redis(let call, let answer, let hasMoved):
            let node = backend.node
            guard let (whole, hasMoved) = joined(NodeCall(node, call), answer, hasMoved: hasMoved, host) else { return }
            tell(host) { core, turn in
                core.answered(redis: node, call, whole, &turn)
                if hasMoved { core.slotsMoved(&turn) }
            }
            // Where one of the clocks is not what the host thinks, every call would be late.
            let connection = hosts[host][backend]
            if whole == .failed(.late), connection >= 0 { send(.askTime(askedAt: now), to: connection) }
        case .lane(let call, let answer):
            if case .committed(let outcome) = answer { postgres(of: host).noteTold(outcome) }
            tell(host) { core, turn in core.answered(call, answer, &turn) }
        case .reader(let call, let answer): tell(host) { core, turn in core.answered(call, answer, &turn) }
        case .standby(let call, let answer):
            guard case .standby(let place) = backend else { preconditionFailure("no standby's answer") }
            tell(host) { core, turn in core.answered(standby: place, call, answer, &turn) }
        case .heard(let token, let counters):
            tell(host) { core, turn in core.heard(on: backend.node, token: token, counters, &turn) }
        case .heardBeat(let number): tell(host) { core, turn in core.heardBeat(on: backend.node, number, &turn) }
        case .noScript(let call, let request, let deadline, let marker):
            let connection = hosts[host][backend]
            guard !safeguards.scriptOrder else {
                return deliver(.end(.unreachable("Redis lost its scripts")), backend, host)
            }
            send(.loadScripts, to: connection)
            send(.redis(call, request, deadline: deadline, marker: marker), to: connection)
        case .end(let failure):
            let connection = hosts[host][backend]
            hosts[host][backend] = -1
            abandon(connection)
            if case .redis(let node) = backend { forgetSliced(host, node) }
            tell(host) { core, turn in core.lost(backend, failure, &turn) }
        }
    }
}
