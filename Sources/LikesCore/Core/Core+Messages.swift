import LikesProtocol
import LikesStorage

// Messages from other hosts through Redis, and whether they arrive.
extension Core {
    /// The connection for messages from Redis is up.
    package mutating func subscriberConnected(_ node: NodePlace, _ turn: inout Turn) {
        redis[node].subscriber.connected(now: turn.now)
        let name = name(.subscriber(node))
        say(.connection(.subscriber(node)), .info, "\(name) connected", &turn)
        coherence[node].heartbeat.restart(now: turn.now)
        doubtMessages(of: node)
    }

    /// Counters that Redis took from a write-through of this host or another, in the order in which it took them.
    package mutating func heard(
        on node: NodePlace, token: String, _ counters: [SealedCounter], _ turn: inout Turn
    ) {
        guard token == coherence[node].trust.token else {
            return coherence[node].trust.heard(foreign: token, now: turn.now)
        }
        guard coherence.knowsWhoSpeaks else { return }
        var contested: [Item] = []
        var contestedAgain: [Item] = []
        var forged = 0
        for sealed in counters {
            guard coherence.isGenuine(sealed, token: token) else {
                forged += 1
                continue
            }
            let counter = sealed.counter
            reports.statistics.countersHeard += 1
            let hearing = known.heard(counter, isRecent: coherence.isRecent(sealed, now: turn.now), now: turn.now)
            reads.noteNewer(counter)
            coherence[node].tellings.heard(counter)
            switch hearing {
            case .contested where safeguards.counterMemory: contested.append(counter.item)
            case .contestedAgain where safeguards.counterMemory: contestedAgain.append(counter.item)
            case .inOrder, .contested, .contestedAgain: if repairs[node].count > 0 { repairs[node].heard(counter) }
            case nil: continue
            }
        }
        if forged > 0 { noteForged(.message, count: forged, &turn) }
        // Read these from PostgreSQL even though the newest version is known: it may have been told before, and a
        // stranger may repeat the message. Other hosts have heard the same message. They need not be told again and
        // again, nor of more than the lane has room for.
        guard safeguards.repairs else { return }
        if repairs.untoldCount < limits.repairsUntoldMax {
            noteMissing(contested, now: turn.now)
        } else {
            repairs[node].reread(contested)
        }
        repairs[node].reread(contestedAgain, delayedFrom: turn.now)
    }

    /// This host's own number came back through the subscription.
    package mutating func heardBeat(on node: NodePlace, _ number: UInt64, _ turn: inout Turn) {
        redis[node].subscriber.proved()
        guard let saidAt = coherence[node].heartbeat.hear(number) else { return }
        known.forget(heardUntil: heardUntil(now: turn.now))
        // A stranger may have made Redis say that hosts were told.
        noteMissing(coherence[node].tellings.takeUnheard(saidBefore: saidAt), isDelayed: true, now: turn.now)
    }

    // MARK: Tellings

    /// Redis took these counters for this host, and told nobody yet.
    mutating func owe(
        _ untold: [SealedCounter], _ permit: WritePermit, on node: NodePlace, _ turn: inout Turn
    ) {
        guard safeguards.tellings, !untold.isEmpty else { return }
        guard let generation = permit.generation(on: node), generation == coherence[node].trust.generation else {
            return noteMissing(untold.map(\.counter), now: turn.now)
        }
        // The message may have been read before Redis' answer.
        let unheard = untold.filter { !known.recent.hasHeard($0.counter) }
        let rest = coherence[node].tellings.owe(unheard, now: turn.now)
        guard !rest.isEmpty else { return }
        redis.call(.tell(rest, isTracked: false), .tell(generation, rest, paceMs: 0), on: node, &turn)
    }

    /// Asks Redis to tell all hosts of what this one owes them.
    mutating func sendTellings(_ turn: inout Turn) {
        for node in redis.places { sendTellings(to: node, &turn) }
    }

    private mutating func sendTellings(to node: NodePlace, _ turn: inout Turn) {
        guard let dueAt = coherence[node].tellings.dueAt, dueAt <= turn.now, redis[node].calls[.tell] == 0 else {
            return
        }
        guard let generation = writableGeneration(node) else { return missTellings(node, now: turn.now) }
        let counters = coherence[node].tellings.take(now: turn.now)
        guard !counters.isEmpty else { return }
        reports.statistics.tellings += 1
        redis.call(
            .tell(counters, isTracked: true), .tell(generation, counters, paceMs: limits.tellMs), on: node, &turn)
    }

    mutating func told(
        _ counters: [SealedCounter], isTracked: Bool, _ outcomes: [TellingOutcome], on node: NodePlace, now: Instant
    ) {
        if isTracked {
            noteLost(coherence[node].tellings.answered(counters, outcomes, now: now), now: now)
        } else {
            noteLost(zip(counters, outcomes).compactMap { $1 == .told ? nil : $0.counter }, now: now)
        }
    }

    /// Redis lost these before hosts were told of them. If it does so again soon, somebody may be doing it.
    private mutating func noteLost(_ counters: [CounterState], now: Instant) {
        for counter in counters {
            noteMissing([counter.item], isDelayed: known.contest(counter.item, now: now), now: now)
        }
    }

    /// Redis cannot tell hosts of what this one owes them. They learn of it by repairs.
    mutating func missTellings(_ node: NodePlace, now: Instant) {
        noteMissing(coherence[node].tellings.takeAll(), now: now)
    }

    mutating func sendBeat(_ turn: inout Turn) {
        for node in redis.places { sendBeat(to: node, &turn) }
    }

    /// Whether both of the node's connections are up.
    func isAwake(_ node: NodePlace) -> Bool { redis[node].link.isUp && redis[node].subscriber.isUp }

    /// All messages sent before this moment were heard: by the beats of the nodes that this host hears. What others
    /// would tell is not believed anyway until they are heard again.
    private func heardUntil(now: Instant) -> Instant {
        redis.places.reduce(now) { moment, node in
            redis[node].subscriber.isUp ? min(moment, coherence[node].heartbeat.heardUntil) : moment
        }
    }

    private mutating func sendBeat(to node: NodePlace, _ turn: inout Turn) {
        guard isAwake(node), coherence[node].heartbeat.nextAt <= turn.now else { return }
        switch coherence[node].heartbeat.beat(now: turn.now, hasWritten: known.recent.hasWritten) {
        case .say(let number):
            turn.append(.beat(node, number))
            checkMarker(of: node, &turn)
        case .wait: break
        case .silence: giveUp(.subscriber(node), .unreachable("it went silent"), &turn)
        }
    }

    /// An idle host should learn that Redis holds another generation before it has something to write there.
    mutating func checkMarker(of node: NodePlace, _ turn: inout Turn) {
        guard let generation = coherence[node].trust.generation else { return }
        redis.call(
            .readCounters([], generation, writePermit(now: turn.now)), .readCounters(generation, []), on: node,
            &turn)
    }
}
