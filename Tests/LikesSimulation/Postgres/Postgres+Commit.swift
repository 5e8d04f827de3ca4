import LikesCore
import LikesProtocol
import LikesStorage

// The batch statement: fence, likes, unlikes, counters, repairs, the lane's row; then the commit.
extension Postgres {
    func commit(_ session: Session, _ request: CommitRequest) -> StepResult {
        switch session.statement?.phase {
        case .begins?: return beginCommit(session, request)
        case .fence?:
            if safeguards.fence {
                if let wait = lock(.lane(request.fence.lane), session) { return wait }
                guard state.lanes.first(where: { $0.lane == request.fence.lane })?.epoch == request.fence.epoch else {
                    if session.isOrphan { scheduler.coverage.note(.zombiesFenced) }
                    return .done(.lane(.fencedOff))
                }
            }
            session.statement?.phase = .likes
            return .goesOn
        case .likes?: return changeRows(session, request.rows, wanted: true)
        case .unlikes?: return changeRows(session, request.rows, wanted: false)
        case .counters?: return lockCounters(session, cutOff: request.cutOff)
        case .repairs?:
            if let wait = lockUpserts(session) { return wait }
            session.statement?.phase = .flush
            return .goesOn
        case .flush?: return finishCommit(session, request)
        case .mended?, .answers?, nil: preconditionFailure("not a phase of a commit")
        }
    }

    private func beginCommit(_ session: Session, _ request: CommitRequest) -> StepResult {
        let rows = request.rows
        session.statement?.snapshot = rows.map { state.likes[index(of: $0.pair)] }
        session.statement?.changed = [Bool](repeating: false, count: rows.count)
        session.statement?.ups = [Int64](repeating: 0, count: plan.items.count)
        session.statement?.downs = [Int64](repeating: 0, count: plan.items.count)
        session.statement?.phase = .fence
        if let poisoned = plan.poisonedPair, let place = rows.firstIndex(where: { index(of: $0.pair) == poisoned }) {
            session.statement?.failsAt = (place, .rows("a trigger refuses it"))
        }
        return .goesOn
    }

    /// `INSERT … ON CONFLICT DO NOTHING`, which sees what others committed meanwhile, or `DELETE`, which sees its
    /// snapshot; both wait for rows that others changed and did not commit yet.
    private func changeRows(_ session: Session, _ rows: [BatchRow], wanted: Bool) -> StepResult {
        guard var place = session.statement?.place else { return .goesOn }
        while place < rows.count {
            let row = rows[place]
            if row.wanted == wanted {
                if let failing = session.statement?.failsAt, failing.place == place { return .failed(failing.failure) }
                let pair = index(of: row.pair)
                session.statement?.place = place
                let present = state.likes[pair]
                // A row that its snapshot had and that is no more is gone, whoever inserts another in its place.
                let isSeen = present != 0 && present == session.statement?.snapshot[place]
                if wanted || isSeen, isLocked(.pair(pair), against: session) { return .waits(.pair(pair)) }
                let changes = wanted ? present == 0 : isSeen
                if changes {
                    if let wait = lock(.pair(pair), session) { return wait }
                    let item = index(of: row.pair.item)
                    session.statement?.changed[place] = true
                    if wanted { session.statement?.ups[item] += 1 } else { session.statement?.downs[item] += 1 }
                }
            }
            place += 1
            session.statement?.place = place
            if scheduler.chance.hits(percent: plan.pausePercent) { return .goesOn }
        }
        session.statement?.place = 0
        session.statement?.phase = wanted ? .unlikes : .counters
        return .goesOn
    }

    private func lockCounters(_ session: Session, cutOff: CutOff) -> StepResult {
        guard let statement = session.statement else { return .goesOn }
        var place = statement.place
        while place < plan.items.count {
            if statement.ups[place] + statement.downs[place] > 0 {
                session.statement?.place = place
                if let wait = lock(.counter(place), session) { return wait }
                if cutOff.contains(plan.items[place]), safeguards.repairTable {
                    session.statement?.upserts.append((place, state.counters[place].version + 1))
                }
            }
            place += 1
            session.statement?.place = place
            if scheduler.chance.hits(percent: 20) { return .goesOn }
        }
        session.statement?.place = 0
        session.statement?.phase = .repairs
        return .goesOn
    }

    /// The rows of `cache_repairs` that are written, in order.
    func lockUpserts(_ session: Session) -> StepResult? {
        guard let statement = session.statement else { return nil }
        for place in statement.place..<statement.upserts.count {
            session.statement?.place = place
            if let wait = lock(.repair(statement.upserts[place].item), session) { return wait }
        }
        session.statement?.place = 0
        return nil
    }

    func applyUpserts(_ session: Session) {
        guard let transaction = session.statement?.transaction else { return }
        for (item, version) in session.statement?.upserts ?? [] {
            let newest = max(state.repairs[item]?.version ?? 0, version)
            state.repairs[item] = RepairRecord(version: newest, notedBy: transaction)
        }
    }

    private func finishCommit(_ session: Session, _ request: CommitRequest) -> StepResult {
        guard let statement = session.statement else { return .goesOn }
        var changedCounters: [CounterState] = []
        for (place, row) in request.rows.enumerated() where statement.changed[place] {
            let pair = index(of: row.pair)
            if row.wanted {
                state.lastRow += 1
                state.likes[pair] = state.lastRow
            } else {
                state.likes[pair] = 0
            }
            note(flip: pair, liked: row.wanted, host: session.host)
        }
        for item in plan.items.indices where statement.ups[item] + statement.downs[item] > 0 {
            state.counters[item].count += statement.ups[item] - statement.downs[item]
            state.counters[item].version += 1
            note(
                count: item, host: session.host, ups: statement.ups[item], downs: statement.downs[item],
                loggedAt: statement.loggedAt)
            changedCounters.append(told(item))
            check(item)
        }
        var items: UInt32 = 0
        for counter in changedCounters { items |= 1 << UInt32(index(of: counter.item)) }
        if items != 0 { lastCommit = (session.host, items) }
        if session.isOrphan { scheduler.coverage.note(.zombieCommits) }
        applyUpserts(session)
        if let place = state.lanes.firstIndex(where: { $0.lane == request.fence.lane }) {
            state.lanes[place].batch = request.batch
            state.lanes[place].changed = statement.changed
            state.lanes[place].journal = safeguards.journal ? request.journal.map { index(of: $0) } : []
            if !request.server.isEmpty {
                state.lanes[place].servers = Set(request.server.split(separator: ",").map(String.init))
                state.lanes[place].writtenBy = statement.transaction ?? 0
            }
        }
        releaseCommitted(session)
        let outcome = BatchOutcome(changed: statement.changed, counters: changedCounters)
        session.statement?.phase = .answers(.lane(.committed(outcome)))
        return .goesOn
    }

    /// The counter is what `user_likes` says, in every committed state.
    private func check(_ item: Int) {
        let itemsCount = plan.items.count
        var likes: Int64 = 0
        for user in 0..<plan.usersCount where state.likes[user * itemsCount + item] != 0 { likes += 1 }
        let entries = counts[item]
        if state.counters[item].count != likes {
            violation = violation ?? Violation(.counters, "the counter is not the count of the likes", item: item)
        }
        if entries.count > 1, entries[entries.count - 1].version != entries[entries.count - 2].version + 1 {
            violation = violation ?? Violation(.counters, "the version did not go up by one", item: item)
        }
    }
}
