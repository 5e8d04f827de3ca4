import LikesCore
import LikesProtocol
import LikesStorage

/// Redis as far as likesd asks it: what its scripts do, TTLs, Pub/Sub, and a server that hangs, dies, forgets,
/// and comes
/// back with older data.
package final class Redis {
    let scheduler: Scheduler
    let safeguards: Safeguards
    let plan: Plan
    var store: RedisStore
    private var snapshots: [RedisStore] = []
    /// Which of all servers it is.
    let number: Int
    /// That it is a node of; nil: none.
    var cluster: Cluster?
    /// How many changes of each user it has admitted under a limit.
    var admitted: [Int]
    /// In the call that it executes: something was not where its sender looked.
    var hasMoved = false
    /// Kept only for a stranger.
    var overheard = Overheard()
    /// The server's life and its data's: new with each start.
    private var run = 1
    package private(set) var serverWord: String
    /// How far its clock is from the simulation's.
    let clockOffset: Micros

    /// Messages to be sent to hosts, taken by the simulation after each event.
    package var outbox: [(connection: Int32, message: ToHost)] = []
    private var pending: [(connection: Int32, backend: Backend, host: Int, message: ToServer)] = []
    private var open: [Int32] = []
    private var subscribers: [(connection: Int32, host: Int)] = []

    // Faults
    package private(set) var downUntil: Micros = 0
    package private(set) var hungUntil: Micros = 0
    package var fullUntil: Micros = 0
    package var readOnlyUntil: Micros = 0
    package var refusingUntil: Micros = 0
    package var evictingUntil: Micros = 0
    package var strangerUntil: Micros = 0
    /// Until then, or until someone loads them, it has no scripts.
    package var scriptsLostUntil: Micros = 0

    /// `number`: of all the Redis that there are.
    package init(scheduler: Scheduler, plan: Plan, safeguards: Safeguards, number: Int = 0) {
        self.scheduler = scheduler
        self.plan = plan
        self.safeguards = safeguards
        self.number = number
        admitted = [Int](repeating: 0, count: plan.usersCount)
        store = RedisStore(usersCount: plan.usersCount, itemsCount: plan.items.count)
        clockOffset = scheduler.chance.between(-Micros.seconds(100), .seconds(100))
        serverWord = number == 0 ? "run1:repl1" : "other\(number):other1"
    }

    /// Its own clock.
    var time: Micros { scheduler.now + clockOffset }

    // MARK: Messages

    package func receive(_ message: ToServer, on connection: Int32, backend: Backend, host: Int) {
        if downUntil > scheduler.now {
            if case .end = message { return }
            outbox.append((connection, .end(.unreachable("the server is down"))))
        } else if hungUntil > scheduler.now || !pending.isEmpty {
            pending.append((connection, backend, host, message))
        } else {
            execute(message, connection, backend, host)
        }
    }

    private func execute(_ message: ToServer, _ connection: Int32, _ backend: Backend, _ host: Int) {
        switch message {
        case .hello(let node):
            guard isWelcome(node, connection, backend) else { return }
            if readOnlyUntil > scheduler.now {
                outbox.append((connection, .end(.unreachable("READONLY or LOADING"))))
                return
            }
            open.append(connection)
            if case .subscriber = backend {
                subscribers.append((connection, host))
                outbox.append((connection, .subscribed))
            } else {
                scriptsLostUntil = 0
                outbox.append((connection, .redisReady(time: time)))
            }
        case .redis(let call, let request, let deadline, let marker):
            guard isServed(connection) else { return }
            if scriptsLostUntil > scheduler.now, request.runsScript {
                scheduler.coverage.note(.lostScripts)
                outbox.append((connection, .noScript(call, request, deadline: deadline, marker: marker)))
            } else {
                hasMoved = false
                let answer = run(request, deadline: deadline, marker: marker)
                outbox.append((connection, .redis(call, answer, hasMoved: hasMoved)))
            }
        case .beat(let number): if isServed(connection) { publish(beat: number, host: host) }
        case .lane, .reader, .standby: preconditionFailure("not a call to Redis")
        case .loadScripts: scriptsLostUntil = 0
        case .askTime(let askedAt):
            if open.contains(connection) { outbox.append((connection, .time(time, askedAt: askedAt))) }
        case .end: close(connection)
        }
    }

    /// Whether it is the node that a host means to find; nil: the host knows no cluster yet.
    private func isWelcome(_ node: String?, _ connection: Int32, _ backend: Backend) -> Bool {
        guard let cluster else { return true }
        guard let node else {
            // The subscription goes on until the other connection has found the cluster.
            guard case .redis = backend else { return true }
            outbox.append((connection, .cluster(cluster.view(of: number))))
            return false
        }
        if node != cluster.members[number].id {
            outbox.append((connection, .end(.unreachable("another node answers there"))))
        } else if !cluster.isPrimary(number), case .redis = backend {
            outbox.append((connection, .isReplica))
        } else {
            return true
        }
        return false
    }

    /// False: there is no such connection, or it ends.
    private func isServed(_ connection: Int32) -> Bool {
        guard open.contains(connection) else { return false }
        guard readOnlyUntil > scheduler.now else { return true }
        close(connection)
        outbox.append((connection, .end(.unreachable("READONLY or LOADING"))))
        return false
    }

    private func close(_ connection: Int32) {
        open.removeAll { $0 == connection }
        subscribers.removeAll { $0.connection == connection }
    }

    /// Every subscriber of the channel that all hosts share.
    func publish(token: String, _ counters: [SealedCounter]) {
        for subscriber in subscribers {
            outbox.append((subscriber.connection, .heard(token: token, counters)))
        }
    }

    /// Subscribers of the host's own channel; `host` tells one life of a host from the next.
    func publish(beat: UInt64, host: Int) {
        for subscriber in subscribers where subscriber.host == host {
            outbox.append((subscriber.connection, .heardBeat(beat)))
        }
    }

    // MARK: Faults

    package func hang(until: Micros) { hungUntil = max(hungUntil, until) }

    /// What came meanwhile is executed now, whoever still waits for it: each connection's in order.
    package func resume() {
        guard hungUntil <= scheduler.now, downUntil <= scheduler.now else { return }
        while !pending.isEmpty {
            let chosen = pending[scheduler.chance.below(pending.count)].connection
            guard let place = pending.firstIndex(where: { $0.connection == chosen }) else { return }
            let next = pending.remove(at: place)
            execute(next.message, next.connection, next.backend, next.host)
        }
    }

    package enum Return { case empty, oldSnapshot, lastSnapshot }

    /// The server ends; every connection is lost. It is back at `until` with other data.
    package func restart(_ kind: Return, until: Micros) {
        for connection in open { outbox.append((connection, .end(.unreachable("the server went away")))) }
        open = []
        subscribers = []
        pending = []
        hungUntil = 0
        downUntil = until
        run += 1
        // A restart keeps the replication id that its snapshot has, or not; the run's id is always new.
        let name = number == 0 ? "run" : "run\(number)."
        serverWord = scheduler.chance.hits(percent: 50) ? "\(name)\(run):repl\(run)" : "\(name)\(run):repl1"
        defer { keepOwn() }
        switch kind {
        case .empty: flush()
        case .oldSnapshot:
            if snapshots.isEmpty { flush() } else { store = snapshots[scheduler.chance.below(snapshots.count)] }
        case .lastSnapshot: if let last = snapshots.last { store = last } else { flush() }
        }
    }

    /// Other data under the connections that there are: that of an earlier life. (What this very life held
    /// before can't
    /// be told from what it holds: docs/simulation.md.)
    package func swap() {
        if let other = snapshots.last(where: { $0.marker?.server != serverWord }) { store = other } else { flush() }
    }

    package func flush() { store = RedisStore(usersCount: plan.usersCount, itemsCount: plan.items.count) }

    package func takeSnapshot() {
        guard downUntil <= scheduler.now else { return }
        snapshots.append(store)
        if snapshots.count > 5 { snapshots.remove(at: scheduler.chance.below(snapshots.count - 1)) }
    }

    package var hasMarker: Bool { !store.markers.isEmpty }

    /// What a copy of it has that lags behind.
    var lastSnapshot: RedisStore? { snapshots.last }

    /// It is up at once, as another life.
    func start() {
        downUntil = 0
        beginLife()
    }

    /// It calls itself another server from now on: it was promoted, or started again.
    func beginLife() {
        run += 1
        serverWord = "run\(number).\(run):repl\(number).\(run)"
    }

    /// A counter with its version.
    package func evict(item: Int) {
        for key in store.keys where key.item == item { store.evict(key) }
    }

    package func evictOne() {
        scheduler.coverage.note(.evictions)
        let keys = store.keys
        let key = keys[scheduler.chance.below(keys.count)]
        // The marker is asked for more often than any counter, and seldom the one that goes.
        if case .marker = key, !(plan.evictsMarker && scheduler.chance.hits(percent: 5)) { return }
        store.evict(key)
    }

    /// That of the data that a counter is believed with; in a cluster any that is of this life.
    private func marker(of item: Int) -> Generation? {
        guard cluster != nil else { return store.marker }
        let token = store.version(item, at: time)?.token
        return store.markers.values.first { $0.token == token && $0.server == serverWord }
    }

    /// The counter that a host would read, with its version, and its seal.
    package func counter(_ item: Int) -> SealedCounter? {
        guard let marker = marker(of: item), let count = store.counter(item, at: time),
            let version = store.version(item, at: time), version.token == marker.token
        else { return nil }
        return SealedCounter(
            counter: CounterState(item: plan.items[item], count: count, version: version.version), seal: version.seal)
    }
}
