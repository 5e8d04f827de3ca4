import LikesSettings

/// How old the answer to COUNT may be: docs/simulation.md says why.
extension Simulation {
    func checkFreshness(_ windows: [CommitWindow], _ spans: [Span?]) {
        let own = ownChanges(spans)
        var isTight = [Bool](repeating: false, count: operations.count)
        for place in operations.indices {
            let operation = operations[place]
            guard operation.kind == .count, operation.outcome == .answered else { continue }
            let bound = Bound(operation, troubles: troubles, configuration: plan.configuration)
            countsByStrictness[bound.strictness.rawValue] += 1
            isTight[place] = bound.strictness == .tightly
            // A host that never was at PostgreSQL tells what Redis has, whoever put it there.
            if operation.mayBeForged, plan.hasForgeries { continue }
            var from = bound.from
            var window = windows[place]
            if bound.isFree || bound.isUnnoticed || bound.isPutBack {
                // Nothing newer than what happens to be cached can be had; or hosts that have not noticed that the
                // database went back still tell each other of newer versions; or a stranger has put back what Redis
                // had before.
                window.first = 0
            } else {
                // The last change of the item that its host had acknowledged by then.
                let changes = own[Int(operation.host)][operation.item]
                var last = changes.partitioningIndex { $0.repliedAt >= operation.calledAt }
                while last > 0 {
                    last -= 1
                    if changes[last].life != operation.life { break }
                    from = max(from, changes[last].committedAt)
                    if operation.calledAt - changes[last].repliedAt > .seconds(1), from > 0 { break }
                }
            }
            let (to, host) = (operation.repliedAt, Int(operation.host))
            let isRight = wasCount(
                operation.value, operation.item, from: from, to: to, host: host, isFlushedEnough: true, window)
            guard isRight else {
                let text = "COUNT at \(to) µs says \(operation.value), which was before \(from) µs, or out of order"
                return fail(Violation(.fresh, text + " (\(bound.why))", item: operation.item))
            }
        }
        checkBackwards(isTight: isTight)
    }

    struct OwnChange {
        var life: Int32
        var repliedAt: Micros
        var committedAt: Micros
    }

    /// For each host and item, the acknowledged changes in the order of their replies; the commit is the latest so far.
    private func ownChanges(_ spans: [Span?]) -> [[[OwnChange]]] {
        var own = [[[OwnChange]]](
            repeating: [[OwnChange]](repeating: [], count: plan.items.count), count: plan.hostsCount)
        for (place, operation) in operations.enumerated() where operation.isChange && operation.changed {
            guard let span = spans[place] else { continue }
            let committedAt = postgres(of: Int(operation.host)).flips[operation.pair][span.first - 1].at
            own[Int(operation.host)][operation.item].append(
                OwnChange(life: operation.life, repliedAt: operation.repliedAt, committedAt: committedAt))
        }
        for host in own.indices {
            for item in own[host].indices { own[host][item].sort { $0.repliedAt < $1.repliedAt } }
        }
        return own
    }
}

/// The earliest moment whose count may still be the answer.
package struct Bound {
    var from: Micros
    /// PostgreSQL is out of reach: anything that is still cached may be served.
    var isFree = false
    /// The database went back just before, and not every host may have seen that.
    var isUnnoticed = false
    /// A stranger may have put back what was there before the host's own change, or an earlier answer.
    var isPutBack = false
    var why: String
    var strictness: Strictness

    /// How closely an answer is held.
    package enum Strictness: Int, CaseIterable, Sendable {
        /// Half a second; LOCAL_CACHE_TTL_MS more, or the time that a silence takes to be noticed; 30 s, and outages;
        /// nothing.
        case tightly, toTTL, toRepairs, toNothing
    }

    /// Messages, a turn or two, a statement that waits for rows: all that a change takes to the other hosts.
    static let messages: Micros = .ms(500)
    /// Until Redis or a dead host's changes are repaired.
    static let repair: Micros = .seconds(30)
    /// Until a subscription that went silent is noticed and made anew.
    static let silence: Micros = .seconds(8)
    /// Until a host that fills Redis finds that its subscription went silent, and what it filled is read again.
    static let unheard: Micros = .seconds(4)
    /// Until every host has looked at the database again, and found that it went back.
    static let noticing: Micros = .seconds(6)
    /// Until every host that has Redis has looked for what others noted, and has set it there.
    static let noted: Micros = .seconds(7)
    /// Until one whose loss is known is made anew.
    static let subscribing: Micros = .ms(500)

    init(_ operation: Operation, troubles: [Trouble], configuration: Configuration) {
        let (from, to) = (operation.calledAt, operation.repliedAt)
        // A hung connection is given up a second after the requests' time.
        let outage = Micros.ms(configuration.requestTimeoutMs) + .seconds(5)
        // A lost subscription is noticed, and then nothing from before is fresh.
        let unnoticed = min(.ms(configuration.localCacheTTLMs), Bound.silence)
        var isRepairing = false
        var isSilent = false
        var isNoted = false
        var isEvicting = false
        var outages: Micros = 0
        for trouble in troubles where trouble.from <= to && trouble.items & 1 << UInt32(operation.item) != 0 {
            switch trouble.scope {
            case .evictions: if trouble.to + Bound.silence >= from { isEvicting = true }
            case .messages: if trouble.to + Bound.silence >= from { isSilent = true }
            case .notes: if trouble.to + Bound.noted + unnoticed >= from { isNoted = true }
            case .subscription: if trouble.to + Bound.subscribing >= from { isSilent = true }
            case .past:
                if trouble.to + Bound.noticing >= from { isUnnoticed = true }
                if trouble.to + Bound.repair + .seconds(2) >= from { isRepairing = true }
            case .strangers:
                if trouble.to + Bound.repair + .seconds(2) >= from { (isRepairing, isPutBack) = (true, true) }
            case .repairs: if trouble.to + Bound.repair + .seconds(2) >= from { isRepairing = true }
            case .database:
                if trouble.to + outage >= from {
                    self.from = 0
                    isFree = true
                    why = "PostgreSQL was out of reach"
                    strictness = .toNothing
                    return
                }
                if trouble.to + outage + Bound.repair >= from {
                    isRepairing = true
                    outages += trouble.to - trouble.from + outage
                }
            }
        }
        if isRepairing {
            self.from = from - Bound.repair - outages
            why = "what failed is repaired within 30 s"
            strictness = .toRepairs
        } else if isNoted {
            self.from = from - Bound.noted - unnoticed - Bound.messages
            why = "what others write is noted in cache_repairs"
            strictness = .toTTL
        } else if isSilent && isEvicting {
            self.from = from - unnoticed - Bound.unheard - Bound.messages
            why = "a counter was dropped and filled by a host whose subscription was lost"
            strictness = .toTTL
        } else if isSilent {
            self.from = from - unnoticed - Bound.messages
            why = "a subscription was lost"
            strictness = .toTTL
        } else {
            self.from = from - Bound.messages
            why = "all was well"
            strictness = .tightly
        }
    }
}
