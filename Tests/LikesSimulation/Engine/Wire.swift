import LikesCore

/// A connection between a host and a server: what is on its way, in each direction, in order.
struct Wire {
    let host: Int32
    let life: Int32
    let backend: Backend
    /// Which Redis, or which database.
    let server: Int32
    var toServer = Ring<ToServer>()
    var toHost = Ring<ToHost>()
    /// The host has it, and hears of it.
    var isOpenAtHost = true
    /// What is sent is never delivered any more, and nobody learns it.
    var isCutToServer = false
    var isCutToHost = false
    /// What is due at the server, at the host, waits until then.
    var toServerFrozenUntil: Micros = 0
    var toHostFrozenUntil: Micros = 0
    /// A message takes up to this long.
    var delayMax: Micros
    /// When the last message sent is due.
    var lastToServer: Micros = 0
    var lastToHost: Micros = 0

    init(host: Int32, life: Int32, backend: Backend, server: Int, delayMax: Micros) {
        self.host = host
        self.life = life
        self.backend = backend
        self.server = Int32(server)
        self.delayMax = delayMax
    }
}

extension Backend {
    static let ofRedis: [Backend] = [.redis(0), .subscriber(0)]
    /// The primary.
    static let ofPostgres: [Backend] = [.lane, .reader]

    /// Of Redis.
    var node: NodePlace {
        switch self {
        case .redis(let node), .subscriber(let node): node
        case .lane, .reader, .standby: preconditionFailure("no connection to Redis")
        }
    }

    var isStandby: Bool { if case .standby = self { true } else { false } }

    /// Among all, in arrays that have one element for each.
    var place: Int {
        switch self {
        case .redis(0): 0
        case .subscriber(0): 1
        case .lane: 2
        case .reader: 3
        case .standby(let place): 4 + place
        case .redis(let node): 4 + Plan.standbysMax + 2 * (node - 1)
        case .subscriber(let node): 5 + Plan.standbysMax + 2 * (node - 1)
        }
    }
}

extension Simulation {
    func open(_ backend: Backend, host: Int) -> Int32 {
        let connection = Int32(wires.count)
        let (server, node) = server(of: backend, host)
        var wire = Wire(
            host: Int32(host), life: hosts[host].life, backend: backend,
            server: server,
            delayMax: plan.delayMax(backend, &scheduler.chance))
        let isCut =
            backend.isRedis ? isCutOff(host, from: server) : hosts[host].postgresCutUntil > now && !backend.isStandby
        wire.isCutToServer = isCut
        wire.isCutToHost = isCut
        wires.append(wire)
        send(.hello(node: node), to: connection)
        return connection
    }

    /// Where the backend's connection leads, and which node of a cluster has to be there.
    private func server(of backend: Backend, _ host: Int) -> (Int, String?) {
        switch backend {
        case .lane, .reader, .standby: return (hosts[host].database, nil)
        case .redis(let place), .subscriber(let place):
            guard let cluster else { return (hosts[host].redis, nil) }
            guard let node = hosts[host].process?.core.clusterNode(place) else {
                return (plan.nodesNamed[scheduler.chance.below(plan.nodesNamed.count)], nil)
            }
            return (cluster.number(host: node.host) ?? 0, node.id)
        }
    }

    func send(_ message: ToServer, to connection: Int32) {
        let place = Int(connection)
        guard !wires[place].isCutToServer else { return }
        var delay = plan.areAnswersSlow && wires[place].backend == .reader ? .ms(1) : delay(place)
        if case .hello = message { delay += scheduler.chance.skewed(100, .ms(5)) }
        let due = max(wires[place].lastToServer, now + delay)
        wires[place].lastToServer = due
        wires[place].toServer.append(message)
        scheduler.at(due, .arrivesAtServer, connection)
    }

    func send(_ message: ToHost, from connection: Int32) {
        let place = Int(connection)
        guard wires[place].isOpenAtHost, !wires[place].isCutToHost else { return }
        let least = plan.areAnswersSlow && wires[place].backend == .reader ? wires[place].delayMax / 2 : 0
        let due = max(wires[place].lastToHost, now + max(least, delay(place)))
        wires[place].lastToHost = due
        wires[place].toHost.append(message)
        scheduler.at(due, .arrivesAtHost, connection)
    }

    private func delay(_ place: Int) -> Micros {
        let high = wires[place].delayMax
        return plan.isSkewed ? scheduler.chance.skewed(20, high) : scheduler.chance.between(20, high)
    }

    func arriveAtServer(_ connection: Int32) {
        let place = Int(connection)
        if wires[place].toServerFrozenUntil > now {
            scheduler.at(wires[place].toServerFrozenUntil, .arrivesAtServer, connection)
            return
        }
        guard let message = wires[place].toServer.popFirst() else { return }
        let (backend, host) = (wires[place].backend, Int(wires[place].host))
        let server = Int(wires[place].server)
        if backend.isRedis {
            let life = host << 16 | Int(wires[place].life)
            redises[server].receive(message, on: connection, backend: backend, host: life)
        } else if case .standby(let place) = backend {
            databases[server].receive(message, on: connection, standby: place)
        } else {
            databases[server].receive(message, on: connection, backend: backend, host: host)
        }
    }

    func arriveAtHost(_ connection: Int32) {
        let place = Int(connection)
        if wires[place].toHostFrozenUntil > now {
            scheduler.at(wires[place].toHostFrozenUntil, .arrivesAtHost, connection)
            return
        }
        guard let message = wires[place].toHost.popFirst(), wires[place].isOpenAtHost else { return }
        let host = Int(wires[place].host)
        hosts[host].inbox.append(.wire(connection, message))
        wake(host)
    }

    /// What the servers said since the last event, onto the wires.
    func flushServers() {
        for redis in redises where !redis.outbox.isEmpty {
            for (connection, message) in redis.outbox { send(message, from: connection) }
            redis.outbox.removeAll(keepingCapacity: true)
        }
        for database in databases where !database.outbox.isEmpty {
            for (connection, message) in database.outbox { send(message, from: connection) }
            database.outbox.removeAll(keepingCapacity: true)
        }
    }

    // MARK: Faults

    /// The host's side is gone; the server learns it behind what was sent before, as far as that arrives.
    func abandon(_ connection: Int32) {
        let place = Int(connection)
        guard wires[place].isOpenAtHost else { return }
        wires[place].isOpenAtHost = false
        wires[place].toHost.removeAll()
        send(.end, to: connection)
    }

    /// Both sides learn that the connection broke, each in its time; of what was on its way a part still arrives.
    func reset(_ connection: Int32) {
        let place = Int(connection)
        guard wires[place].isOpenAtHost else { return }
        let kept = scheduler.chance.below(wires[place].toServer.count + 1)
        var arriving = Ring<ToServer>()
        for _ in 0..<kept {
            if let message = wires[place].toServer.popFirst() { arriving.append(message) }
        }
        wires[place].toServer = arriving
        wires[place].toHost.removeAll()
        send(.end, to: connection)
        // Somewhere between the two what was sent may linger, long after the host has given it up.
        if scheduler.chance.hits(percent: 50) {
            let until = now + scheduler.chance.skewed(.ms(10), .seconds(20))
            wires[place].toServerFrozenUntil = max(wires[place].toServerFrozenUntil, until)
        }
        send(.end(.unreachable("connection reset")), from: connection)
    }

    /// Nothing is delivered any more on what there is between a host and a server.
    func cut(_ host: Int, _ backends: [Backend]) {
        for backend in backends {
            let link = hosts[host][backend]
            guard link >= 0 else { continue }
            wires[Int(link)].isCutToHost = true
            // What is on its way may be the last to arrive.
            wires[Int(link)].isCutToServer = true
            if scheduler.chance.hits(percent: 50) { wires[Int(link)].toServer.removeAll() }
            if scheduler.chance.hits(percent: 50) { wires[Int(link)].toHost.removeAll() }
        }
    }
}
