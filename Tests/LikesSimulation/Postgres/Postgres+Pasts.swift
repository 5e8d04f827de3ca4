import LikesCore

// Commits that are not everywhere yet, and a database that goes back to what it held before.
extension Postgres {
    // MARK: The synchronous standby

    package func loseStandby(until: Micros) {
        if standbyLostUntil <= scheduler.now {
            // It has received what is flushed.
            for connection in connections { sessions[connection].map(finishUnseen) }
            standby = state
        }
        standbyLostUntil = max(standbyLostUntil, until)
    }

    /// nil: the standby has it, or its wait was cancelled. Nobody sees a commit before.
    func waitForStandby(_ session: Session) -> StepResult? {
        guard standbyLostUntil > scheduler.now, let statement = session.statement, !statement.isWaitCancelled else {
            return nil
        }
        let cancelledAt = statement.cancelledAt ?? scheduler.now + scheduler.chance.skewed(.ms(5), .seconds(4))
        session.statement?.cancelledAt = cancelledAt
        guard cancelledAt <= scheduler.now else { return .waitsUntil(min(cancelledAt, standbyLostUntil)) }
        session.statement?.isWaitCancelled = true
        scheduler.coverage.note(.cancelledWaits)
        return nil
    }

    /// What the server has flushed is committed there, whatever becomes of its connection.
    func finishFlushed(_ session: Session) {
        guard case .flush? = session.statement?.phase, let statement = session.statement else { return }
        guard statement.cancelledAt != nil || statement.loggedAt != nil else { return }
        session.statement?.isWaitCancelled = true
        _ = run(session)
    }

    /// What standbys may show already, this server shows now.
    private func finishUnseen(_ session: Session) { if isUnseen(session) { _ = run(session) } }

    /// The standby takes over, with what it has.
    package func failOver(until: Micros) {
        crash(until: until, isRecovered: false)
        if standbyLostUntil > scheduler.now, let standby {
            standbyLostUntil = 0
            jump(to: standby, isLoss: true)
            fork()
        }
        timeline += 1
        forkStandbys(isNewTimeline: true)
    }

    // MARK: Another past

    package func save() {
        guard downUntil <= scheduler.now, !hasUnseenCommits else { return }
        saves.append(state)
        if saves.count > 5 { saves.remove(at: scheduler.chance.below(saves.count - 1)) }
    }

    /// A dump is put back while all goes on. `intoNewTables`: all of them, made anew; otherwise likes and counters
    /// alone are emptied and filled.
    package func restore(intoNewTables: Bool) {
        guard !saves.isEmpty, downUntil <= scheduler.now else { return }
        // It waits for, or ends, what was under way on the tables.
        for connection in connections {
            guard let session = sessions[connection], let statement = session.statement else { continue }
            if case .answers = statement.phase { continue }
            if isUnseen(session) {
                finishFlushed(session)
                continue
            }
            fail(session, .other("the table was replaced"))
        }
        var saved = saves[scheduler.chance.below(saves.count)]
        // The server goes on.
        saved.lastTransaction = state.lastTransaction
        saved.position = state.position
        saved.forks = state.forks
        filesMade += 1
        if intoNewTables {
            tablesMade += 1
        } else {
            saved.lanes = state.lanes
            saved.hosts = state.hosts
            saved.repairs = state.repairs
        }
        jump(to: saved, isLoss: false)
        logReplacement()
    }

    /// The server comes back with the data directory of an earlier moment.
    package func goBack(until: Micros) {
        crash(until: until, isRecovered: false)
        guard !saves.isEmpty else { return }
        jump(to: saves[scheduler.chance.below(saves.count)], isLoss: false)
        fork()
        forkStandbys(isNewTimeline: false)
    }

    private func fork() { state.forks.append(LogFork(number: jumps, position: state.position)) }

    private func jump(to saved: PostgresState, isLoss: Bool) {
        jumps += 1
        let itemsCount = plan.items.count
        for pair in flips.indices {
            let commit = saved.commits[pair % itemsCount]
            for place in flips[pair].indices where flips[pair][place].commit > commit {
                // What an earlier jump undid is not lost once more.
                guard !flips[pair][place].isByNobody, !flips[pair][place].isUndone else { continue }
                flips[pair][place].isUndone = true
                if isLoss {
                    flips[pair][place].isLost = true
                    scheduler.coverage.note(.lostCommits)
                }
            }
            let wasLiked = saved.likes[pair] != 0
            if wasLiked != (state.likes[pair] != 0) { note(flip: pair, liked: wasLiked, host: -1) }
        }
        for item in plan.items.indices where saved.commits[item] != state.commits[item] {
            let counter = saved.counters[item]
            var last = saved.commits[item]
            while let again = counts[item][last].again { last = again }
            counts[item][last].again = counts[item].count
            counts[item].append(
                CountEntry(
                    at: scheduler.now, count: counter.count, version: counter.version, host: -1, ups: 0, downs: 0,
                    isTold: true))
        }
        let lastRow = max(state.lastRow, saved.lastRow)
        state = saved
        state.lastRow = lastRow
    }
}
