import LikesProtocol
import LikesStorage

// Counts from standbys: which to ask, and how far to believe them.
extension Core {
    // MARK: Asking

    /// Sends counts that the caches lack to standbys that are probably fresh. Returns whether there is one. Then only
    /// what no standby may answer goes to the primary.
    mutating func sendToStandbys(_ turn: inout Turn) -> Bool {
        guard !reader.standbys.isEmpty, standbyAgeMsMax > 0, canAskPrimary, let sight = laneSight else { return false }
        reader.standbys.look(now: turn.now)
        if reads.hasForDatabase { reader.standbys.want(now: turn.now) }
        askPosition(sight, &turn)
        for place in reader.standbys.toProbe(ageMsMax: standbyAgeMsMax, now: turn.now) {
            reader.standbys[place].probed(now: turn.now)
            ask(place, .probe(sight), &turn)
        }
        while reads.hasForDatabase,
            let place = reader.standbys.choose(
                ageMsMax: standbyAgeMsMax, callsMax: limits.callsInFlightMax, now: turn.now)
        {
            let items = reads.takeForStandby(max: limits.countersPerCallMax)
            guard !items.isEmpty else { continue }
            ask(place, .fetches(items, sight, era: coherence.past.era), &turn)
        }
        return reader.standbys.hasOneOfUse(ageMsMax: standbyAgeMsMax, now: turn.now)
    }

    private mutating func ask(_ place: Int, _ purpose: StandbyPurpose, _ turn: inout Turn) {
        let call = reader.standbys[place].calls.begin(purpose, now: turn.now)
        turn.append(
            .standby(place: place, call, .selectCounters(purpose.items, lane: purpose.sight.fence.lane)))
    }

    private mutating func askPosition(_ sight: LaneSight, _ turn: inout Turn) {
        guard reader.calls[.position] == 0, let askAt = reader.standbys.askAt, askAt <= turn.now else { return }
        reader.standbys.asked(now: turn.now)
        reader.call(.position(sight, askedAt: turn.now), .selectPosition(lane: sight.fence.lane), &turn)
    }

    /// When standbys or the primary are to be asked again, or those that wait for a standby have waited long enough.
    var standbysWakeAt: Instant? {
        guard !reader.standbys.isEmpty, canAskPrimary, laneSight != nil else { return nil }
        let askAt = reader.calls[.position] == 0 ? reader.standbys.askAt : nil
        let slowAt = reads.hasForDatabase ? reader.standbys.slowAt : nil
        guard let askAt, let slowAt else { return askAt ?? slowAt }
        return min(askAt, slowAt)
    }

    /// The lane's connection and its epoch; nil: the lane is not open, or an earlier connection had its number.
    private var laneSight: LaneSight? {
        guard !lane.row.isReused, let fence = lane.row.fence else { return nil }
        return LaneSight(
            fence: fence, connection: lane.link.connectedTotal, signOfLife: max(0, lane.row.signOfLifeKept))
    }

    /// Whether the lane still has the connection that it had then. A new number changes nothing.
    private func holds(_ sight: LaneSight) -> Bool {
        lane.link.isUp && sight.connection == lane.link.connectedTotal
    }

    /// How old a count from a standby may be.
    private var standbyAgeMsMax: Int64 { min(configuration.localCacheTTLMs, Limits.unheardCacheMs) }

    // MARK: Connections

    mutating func standbyConnected(_ place: Int, _ facts: DatabaseFacts, _ turn: inout Turn) {
        guard facts.identity == nil else {
            return leaveStandby(place, Self.notStandby, &turn)
        }
        reader.standbys[place].connected(now: turn.now)
        let name = name(.standby(place))
        say(.connection(.standby(place)), .notice, "\(name) connected", &turn)
    }

    private static let notStandby = BackendFailure.unreachable(
        "it takes writes, so it is no standby", next: "name standbys alone in DATABASE_REPLICA_URLS")

    /// The server is of no use for now. Trying it again at once would bring the same.
    private mutating func leaveStandby(_ place: Int, _ failure: BackendFailure, _ turn: inout Turn) {
        giveUp(.standby(place), failure, &turn)
        reader.standbys[place].link.stayDown(until: turn.now.adding(ms: Limits.standbyRetryMs))
    }

    /// The standby did not answer the call, or not well enough.
    mutating func askPrimary(_ purpose: StandbyPurpose, of place: Int, _ turn: inout Turn) {
        let items = purpose.items
        guard !items.isEmpty else { return }
        reader.standbys[place].noteRefused(items.count)
        askPrimary(items, &turn)
    }

    private mutating func askPrimary(_ items: [Item], _ turn: inout Turn) {
        reads.moveToDatabase(items, isOnlyPrimary: true, clients)
        serveStale(items, &turn)
    }

    // MARK: Answers

    /// The primary said where its log ends. `epoch`: of the lane that was asked for.
    mutating func learnPosition(_ position: LogPosition, epoch: Int64?, _ sight: LaneSight, askedAt: Instant) {
        // Otherwise the reader is at another server than the lane.
        guard holds(sight), epoch == sight.fence.epoch else { return }
        reader.standbys.learn(position, sight, askedAt: askedAt)
    }

    /// A standby answered a call. A call that was given up is ignored.
    package mutating func answered(standby place: Int, _ call: CallID, _ answer: StandbyAnswer, _ turn: inout Turn) {
        guard let (purpose, sentAt) = reader.standbys[place].calls.end(call) else { return }
        reports.note(purpose, sentAt: sentAt, now: turn.now)
        switch purpose.checked(answer) {
        case .countersSelected(let log?, let counters):
            reader.standbys[place].link.proved()
            let sight = holds(purpose.sight) ? purpose.sight : nil
            let asOf =
                safeguards.standbyProof
                ? reader.standbys.prove(log, from: place, sight, now: turn.now)
                : reader.standbys.believe(place, now: turn.now)
            let isFresh = asOf.map { turn.now.ms(since: $0) <= standbyAgeMsMax } ?? false
            // Without a sight nobody can say.
            if sight != nil { noteFresh(isFresh, place, &turn) }
            guard let asOf, isFresh, purpose.isOf(era: coherence.past.era) else {
                return askPrimary(purpose, of: place, &turn)
            }
            if !counters.isEmpty { progressed(.reading, now: turn.now) }
            take(counters, asOf: asOf, from: place, &turn)
        case .countersSelected(nil, _):
            askPrimary(purpose, of: place, &turn)
            leaveStandby(place, Self.notStandby, &turn)
        case .misfit(let misfit):
            reports.noteUnexpected(.standby(place))
            askPrimary(purpose, of: place, &turn)
            leaveStandby(place, .misfit(misfit), &turn)
        case .failed(let failure):
            askPrimary(purpose, of: place, &turn)
            failed(failure, of: place, &turn)
        }
    }

    private mutating func failed(_ failure: StatementFailure, of place: Int, _ turn: inout Turn) {
        reports.statistics.databaseErrors += 1
        switch failure {
        // Replaying the log conflicted with the query.
        case .retryable: reader.standbys[place].prove(nil, now: turn.now)
        case .readOnly(let text, let next), .schema(let text, let next):
            leaveStandby(place, .unreachable(text, next: next), &turn)
        case .permission(let text, let next): leaveStandby(place, .unreachable(text, next: next), &turn)
        case .rows(let text), .other(let text): leaveStandby(place, .unreachable(text), &turn)
        }
    }

    /// A standby that stays behind is said once.
    private mutating func noteFresh(_ isFresh: Bool, _ place: Int, _ turn: inout Turn) {
        let wasShown = isShownBehind(place, now: turn.now)
        let behindMs = reader.standbys[place].noteFresh(isFresh, now: turn.now)
        guard let behindMs, !wasShown else { return }
        let name = name(.standby(place))
        say(.behind(place), .warning, "\(name): \(Self.behind(behindMs))", &turn)
    }

    /// Whether this host has answered or heard something newer, or may have: it has forgotten some of that.
    private func isOlder(_ counter: CounterState, asOf: Instant) -> Bool {
        known.hasNewer(than: counter) || asOf < known.forgottenAt(counter.item)
            || repairs.contains(counter.item, on: redis.node(of: counter.item))
    }

    /// Whether all changes of the item since that moment were told, if they are. What was changed before the
    /// subscription began, or before the data in Redis was identified, may not have been.
    private func isHeard(since moment: Instant, _ item: Item) -> Bool {
        guard let node = redis.node(of: item) else { return true }
        let subscriber = redis[node].subscriber
        return (!subscriber.isUp || moment >= subscriber.upSince) && moment >= coherence[node].trust.identifiedAt
    }

    private mutating func take(_ counters: [CounterState], asOf: Instant, from place: Int, _ turn: inout Turn) {
        var older: [Item] = []
        for counter in counters {
            if safeguards.standbyMemory, isOlder(counter, asOf: asOf) {
                older.append(counter.item)
                continue
            }
            let (waiting, newer) = reads.finish(counter.item, clients)
            let standing = known.fetched(
                counter, newer: newer, asOf: asOf, isFresh: isHeard(since: asOf, counter.item),
                node: redis.node(of: counter.item), now: turn.now)
            for part in waiting { give(standing.count, to: part, &turn) }
        }
        reader.standbys[place].noteAnswered(counters.count - older.count)
        reader.standbys[place].noteRefused(older.count)
        askPrimary(older, &turn)
    }
}

// MARK: Reports

extension Core {
    /// What HEALTH says of standbys that answer no counts. These come from the others then, or from the primary. One
    /// that was promoted is as its operators want it.
    func standbyTroubles(now: Instant) -> [(backend: String, reason: String, next: String?)] {
        reader.standbys.places.compactMap { place in
            let standby = reader.standbys[place]
            let name = "PostgreSQL standby \(place + 1)"
            if let failure = standby.link.failure {
                return isPromoted(standby) ? nil : (name, failure.reason, failure.next)
            }
            guard let behindSince = standby.behindSince, isShownBehind(place, now: now) else { return nil }
            return (name, Self.behind(now.ms(since: behindSince)), Self.behindAdvice)
        } + refusedPosition(now: now)
    }

    /// Whether it was a standby before, and takes writes by now.
    private func isPromoted(_ standby: Standby) -> Bool {
        standby.wasStandby && standby.link.failure == Self.notStandby
    }

    private func isShownBehind(_ place: Int, now: Instant) -> Bool {
        let standby = reader.standbys[place]
        guard standby.link.isUp, standby.isAsked(now: now), let since = standby.behindSince else { return false }
        return now.ms(since: since) >= Limits.standbyBehindShownMs
    }

    private static func behind(_ ms: Int64) -> String {
        "too far behind for \(ms / 1_000) s: its replay stands still or is slow, or it follows another primary"
    }

    private static let behindAdvice =
        "look at SELECT pg_is_wal_replay_paused() and SELECT * FROM pg_stat_wal_receiver there"

    private func refusedPosition(now: Instant) -> [(backend: String, reason: String, next: String?)] {
        reader.standbys.refusal(now: now).map {
            [("PostgreSQL", "the primary does not say where its log ends, so no standby is asked: \($0)", nil)]
        } ?? []
    }

    /// INFO's line for each standby, in the order in which they are configured.
    func standbyFields(now: Instant) -> [(String, String)] {
        reader.standbys.places.map { place in
            let standby = reader.standbys[place]
            let facts: [(String, String)] = [
                ("state", standbyState(place, now: now)), ("lag_ms", standby.lagMs(now: now).map(String.init) ?? ""),
                ("counts", String(standby.answered)), ("counts_refused", String(standby.refused)),
            ]
            return ("standby\(place + 1)", facts.map { "\($0)=\($1)" }.joined(separator: ","))
        }
    }

    /// Whether counts are asked of it, or would be: for METRICS. nil: it was promoted.
    func standbyIsFresh(_ place: Int, now: Instant) -> Bool? {
        switch standbyState(place, now: now) {
        case "fresh", "idle": true
        case "promoted": nil
        default: false
        }
    }

    /// `promoted`: it takes writes by now. `fresh`: it is asked for counts. `behind`: its last answer was too old, or
    /// nothing is proven yet. `slow`: it has not answered the last call. `idle`: it was not asked lately, since no
    /// counts had to be read from PostgreSQL.
    private func standbyState(_ place: Int, now: Instant) -> String {
        let standby = reader.standbys[place]
        guard standby.link.isUp else { return isPromoted(standby) ? "promoted" : "down" }
        if standby.isSlow(now: now) { return "slow" }
        if standby.isOfUse(ageMsMax: standbyAgeMsMax, now: now) { return "fresh" }
        return reader.standbys.isWanted(now: now) ? "behind" : "idle"
    }

    /// Labels and value of each standby for METRICS.
    func standbyValues(_ value: (Standby) -> String?) -> [(labels: String, value: String)] {
        reader.standbys.places.compactMap { place in
            value(reader.standbys[place]).map { ("{standby=\"\(place + 1)\"}", $0) }
        }
    }
}
