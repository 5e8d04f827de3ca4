import LikesProtocol
import LikesStorage

// Messages from other hosts through Redis, and whether they arrive.
extension Core {
    /// The connection for messages from Redis is up.
    package mutating func subscriberConnected(_ turn: inout Turn) {
        redis.subscriber.connected(now: turn.now)
        say(.connection(.subscriber), .info, "\(Self.name(.subscriber)) connected", &turn)
        coherence.heartbeat.restart(now: turn.now)
        doubtMessages()
    }

    /// Counters that Redis took from a write-through of this host or another, in the order in which it took them.
    package mutating func heard(token: String, _ counters: [SealedCounter], _ turn: inout Turn) {
        guard token == coherence.trust.token else { return coherence.trust.heard(foreign: token, now: turn.now) }
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
            switch hearing {
            case .contested where safeguards.counterMemory: contested.append(counter.item)
            case .contestedAgain where safeguards.counterMemory: contestedAgain.append(counter.item)
            case .inOrder, .contested, .contestedAgain: if repairs.count > 0 { repairs.heard(counter) }
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
            repairs.reread(contested)
        }
        repairs.reread(contestedAgain, delayedFrom: turn.now)
    }

    /// This host's own number came back through the subscription.
    package mutating func heardBeat(_ number: UInt64, _ turn: inout Turn) {
        redis.subscriber.proved()
        if let saidAt = coherence.heartbeat.hear(number) { known.forget(heardUntil: saidAt) }
    }

    mutating func sendBeat(_ turn: inout Turn) {
        guard redis.link.isUp, redis.subscriber.isUp, coherence.heartbeat.nextAt <= turn.now else { return }
        switch coherence.heartbeat.beat(now: turn.now, hasWritten: known.recent.hasWritten) {
        case .say(let number):
            turn.append(.beat(number))
            checkMarker(&turn)
        case .wait: break
        case .silence: giveUp(.subscriber, .unreachable("it went silent"), &turn)
        }
    }

    /// An idle host should learn that Redis holds another generation before it has something to write there.
    mutating func checkMarker(_ turn: inout Turn) {
        guard let generation = coherence.trust.generation else { return }
        redis.call(
            .readCounters([], generation, writePermit(now: turn.now)), .readCounters(generation, []), &turn)
    }
}
