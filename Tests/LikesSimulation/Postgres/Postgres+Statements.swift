import LikesCore
import LikesProtocol

extension Postgres {
    /// One step of the session's statement.
    func run(_ session: Session) -> StepResult {
        guard let statement = session.statement else { preconditionFailure("a step without a statement") }
        if case .answers(let answer) = statement.phase { return .done(answer) }
        if case .begins = statement.phase, let failure = refusal(of: statement.call) { return .failed(failure) }
        if case .flush = statement.phase {
            if statement.loggedAt == nil, !standbys.isEmpty {
                logCommit(session)
                if scheduler.chance.hits(percent: 30) {
                    return .waitsUntil(scheduler.now + scheduler.chance.skewed(20, .ms(100)))
                }
            }
            if let wait = waitForStandby(session) { return wait }
        }
        switch statement.call {
        case .lane(_, .fence(let request)): return fence(session, request)
        case .lane(_, .commit(let request)): return commit(session, request)
        case .lane(_, .tend(let request)): return tend(session, request)
        case .lane(_, .survey(let request)): return survey(session, request)
        case .lane(_, .checkSchema): return .done(.lane(.schemaChecked(nil)))
        case .reader(_, .selectCounters(let items)):
            return .done(.reader(.countersSelected(items.map { told(index(of: $0)) })))
        case .reader(_, .selectPairs(let pairs)):
            let states = pairs.map { pair in
                PairState(liked: state.likes[index(of: pair)] != 0, counter: told(index(of: pair.item)))
            }
            return .done(.reader(.pairsSelected(states)))
        case .reader(_, .selectLists(let queries)): return .done(.reader(.listsSelected(queries.map { page($0) })))
        case .reader(_, .selectRepairs(let select)): return .done(.reader(.repairsSelected(repairs(select))))
        case .reader(_, .selectPosition(let lane)): return .done(.reader(position(lane: lane)))
        }
    }

    /// Why the server as it is now refuses the statement at once.
    private func refusal(of call: StatementCall) -> StatementFailure? {
        let now = scheduler.now
        if schemaUntil > now { return .schema("no such column") }
        guard call.isWrite else { return nil }
        if readOnlyUntil > now { return .readOnly("the server is read-only") }
        if fullUntil > now { return .other("disk full") }
        if retryableUntil > now, scheduler.chance.hits(percent: 20) { return .retryable("could not serialize") }
        return nil
    }

    private func page(_ query: ListQuery) -> ListPage {
        switch query {
        case .likes(let query):
            func place(_ item: Item) -> (Int64, UInt8) { (item.id, item.type) }
            let liked = plan.items.filter { item in
                state.likes[index(of: Pair(user: query.user, item: item))] != 0
                    && (query.after.map { place($0) < place(item) } ?? true)
            }
            return .items(Array(liked.sorted { place($0) < place($1) }.prefix(query.limit)))
        case .likers(let query):
            let users = (1...Int64(plan.usersCount)).filter { user in
                state.likes[index(of: Pair(user: user, item: query.item))] != 0 && user > query.after ?? 0
            }
            return .users(Array(users.prefix(query.limit)))
        }
    }

    private func repairs(_ select: RepairSelect) -> RepairRows {
        var rows = plan.items.indices.compactMap { place in
            state.repairs[place].map {
                RepairRow(item: plan.items[place], version: $0.version, notedBy: $0.notedBy)
            }
        }
        let hasSettled = rows.contains { $0.notedBy < select.settledBefore }
        func place(_ row: RepairRow) -> (Int64, Int16, Int64) { (row.notedBy, Int16(row.item.type), row.item.id) }
        let after = (select.after.notedBy, select.after.typeNumber, select.after.itemID)
        rows = rows.filter { place($0) > after }
        rows.sort { place($0) < place($1) }
        let most = plan.limits.countersPerCallMax
        var next: RepairCursor?
        if rows.count > most {
            rows.removeLast(rows.count - most)
            next = rows.last.map { row in
                let (notedBy, typeNumber, itemID) = place(row)
                return RepairCursor(notedBy: notedBy, typeNumber: typeNumber, itemID: itemID)
            }
        }
        return RepairRows(rows: rows, next: next, horizon: snapshot.least, hasSettled: hasSettled)
    }

    // MARK: Indexes

    package func index(of item: Item) -> Int {
        for (place, known) in plan.items.enumerated() where known == item { return place }
        preconditionFailure("an item that is not in the plan")
    }

    package func index(of pair: Pair) -> Int { Int(pair.user - 1) * plan.items.count + index(of: pair.item) }
}
