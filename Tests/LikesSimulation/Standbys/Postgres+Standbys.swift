import LikesCore
import LikesProtocol
import LikesStorage

// The log, and the standbys that replay it.
extension Postgres {
    // MARK: The log

    /// The statement's commit is flushed. Standbys may show it before this server does.
    func logCommit(_ session: Session) {
        guard let statement = session.statement else { return }
        session.statement?.loggedAt = scheduler.now
        var changes: [LogRecord.Change] = []
        func change(lane: Int64) {
            let epoch = state.lanes.first { $0.lane == lane }?.epoch ?? 0
            changes.append(.epoch(lane: lane, epoch + 1))
        }
        switch statement.call {
        case .lane(_, .commit):
            for item in plan.items.indices where statement.ups[item] + statement.downs[item] > 0 {
                var counter = state.counters[item]
                counter.count += statement.ups[item] - statement.downs[item]
                counter.version += 1
                changes.append(.counter(item: item, counter, commit: counts[item].count))
            }
        case .lane(_, .fence(let request)):
            if let former = request.former { changes.append(.epoch(lane: former, nil)) }
            change(lane: request.lane)
        case .lane(_, .survey(let request)):
            for lane in statement.fenced { change(lane: lane) }
            changes.append(.beat(lane: request.lane, request.signOfLife))
        case .lane(_, .tend): break
        case .lane(_, .checkSchema), .reader: preconditionFailure("nothing to commit")
        }
        log(changes)
    }

    private func log(_ changes: [LogRecord.Change]) {
        state.position += scheduler.chance.between(1, 300)
        let record = LogRecord(position: state.position, changes: changes)
        for standby in standbys { standby.receive(record) }
    }

    /// The tables hold something else from here on.
    func logReplacement() {
        guard !standbys.isEmpty else { return }
        log([.everything(ReplayedState(state))])
    }

    /// Where the log ends. It grows without commits as well.
    func position(lane: Int64) -> ReaderAnswer {
        if scheduler.chance.hits(percent: 30) { log([]) }
        return .positionSelected(state.position, epoch: state.lanes.first { $0.lane == lane }?.epoch)
    }

    /// Commits that standbys may show, and this server not yet.
    var hasUnseenCommits: Bool { sessions.values.contains(where: isUnseen) }

    func isUnseen(_ session: Session) -> Bool {
        guard case .flush? = session.statement?.phase else { return false }
        return session.statement?.loggedAt != nil
    }

    // MARK: Another past

    /// This server's log goes on from an earlier position, or is that of another server.
    func forkStandbys(isNewTimeline: Bool) {
        for (place, standby) in standbys.enumerated() where standby.follows {
            guard !standby.follow(state, isNewTimeline: isNewTimeline) else { continue }
            // Until somebody sees to it.
            scheduler.after(
                scheduler.chance.between(.seconds(2), .seconds(40)), .standbyCloned, Int32(place), UInt32(number))
        }
    }

    package func cloneStandby(_ place: Int) {
        guard downUntil <= scheduler.now, !hasUnseenCommits else {
            return scheduler.after(.ms(20), .standbyCloned, Int32(place), UInt32(number))
        }
        end(standbys[place], until: 0)
        standbys[place].clone(state)
    }

    /// Every connection of the standby ends, and it takes no new one until then.
    func end(_ standby: StandbyServer, until: Micros) {
        for connection in standby.sessions.keys.sorted() {
            outbox.append((connection, .end(.unreachable("the standby went away"))))
        }
        standby.sessions = [:]
        standby.downUntil = max(standby.downUntil, until)
    }

    // MARK: Calls

    package func receive(_ message: ToServer, on connection: Int32, standby place: Int) {
        let standby = standbys[place]
        guard standby.downUntil <= scheduler.now else {
            if case .end = message { return }
            outbox.append((connection, .end(.unreachable("the standby is down"))))
            return
        }
        switch message {
        case .hello:
            // While it hangs, nobody answers.
            guard standby.hungUntil <= scheduler.now else { return }
            standby.sessions[connection] = StandbySession()
            var facts = DatabaseFacts(identity: nil, seals: SealFacts(secret: secret, seconds: nil))
            if standby.isPromoted {
                facts.identity = identity
                facts.identity?.timeline += 1
            }
            outbox.append((connection, .databaseReady(facts)))
        case .standby(let id, .selectCounters(let items, let lane)):
            guard let session = standby.sessions[connection] else { return }
            session.calls.append(StandbySession.Call(id: id, items: items, lane: lane))
            if session.calls.count == 1 { goOn(connection) }
        case .end: standby.sessions[connection] = nil
        case .redis, .lane, .reader, .beat, .loadScripts, .askTime: preconditionFailure("not a call to a standby")
        }
    }

    private func goOn(_ connection: Int32) {
        let isSlow = scheduler.chance.hits(percent: 3)
        let delay = isSlow ? scheduler.chance.between(.ms(20), .ms(400)) : scheduler.chance.skewed(20, .ms(3))
        scheduler.after(delay, .standbyStep, connection)
    }

    package func standbyStep(_ connection: Int32) {
        guard let standby = standbys.first(where: { $0.sessions[connection] != nil }),
            let session = standby.sessions[connection], let call = session.calls.first
        else { return }
        guard standby.hungUntil <= scheduler.now else {
            return scheduler.at(standby.hungUntil + scheduler.chance.between(0, .ms(2)), .standbyStep, connection)
        }
        let answer: StandbyAnswer
        if let failure = failure(of: standby) {
            answer = .failed(failure)
        } else if let log = session.log {
            answer = counters(standby, log, call.items)
        } else {
            session.log = standby.log(lane: call.lane).map { .replayed($0) } ?? .isPrimary
            return goOn(connection)
        }
        session.log = nil
        session.calls.popFirst()
        outbox.append((connection, .standby(call.id, answer)))
        if !session.calls.isEmpty { goOn(connection) }
    }

    private func failure(of standby: StandbyServer) -> StatementFailure? {
        if standby.conflictsUntil > scheduler.now, scheduler.chance.hits(percent: 25) {
            return .retryable("canceling statement due to conflict with recovery")
        }
        guard standby.refusesUntil > scheduler.now, scheduler.chance.hits(percent: 50) else { return nil }
        let failures: [StatementFailure] = [
            .other("out of memory"), .rows("out of range"), .schema("no such column"), .readOnly("recovery"),
            .permission("no right", next: "run likesctl migrate"),
        ]
        return failures[scheduler.chance.below(failures.count)]
    }

    private func counters(_ standby: StandbyServer, _ log: StandbySession.Log, _ items: [Item]) -> StandbyAnswer {
        var told = items.map { standby.told(index(of: $0)) }
        if standby.misfitsUntil > scheduler.now, scheduler.chance.hits(percent: 30) {
            guard !told.isEmpty, scheduler.chance.hits(percent: 50) else { return .misfit(Misfit("a negative count")) }
            told.removeLast()
        }
        guard case .replayed(let replayed) = log else { return .countersSelected(nil, told) }
        if !standby.follows { scheduler.coverage.note(.otherPasts) }
        for counter in told where counter.version > state.counters[index(of: counter.item)].version {
            if standby.follows { scheduler.coverage.note(.unseenCommits) }
        }
        return .countersSelected(replayed, told)
    }
}
