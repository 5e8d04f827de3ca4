import LikesCore
import LikesProtocol

extension Postgres {
    /// One step of the session's statement.
    func run(_ session: Session) -> StepResult {
        guard let statement = session.statement else { preconditionFailure("a step without a statement") }
        if case .answers(let answer) = statement.phase { return .done(answer) }
        if case .begins = statement.phase, let failure = refusal(of: statement.action) { return .failed(failure) }
        if case .flush = statement.phase, let wait = waitForStandby(session) { return wait }
        switch statement.action {
        case .fence(let call, let request): return fence(session, call, request)
        case .commit(let call, let request): return commit(session, call, request)
        case .tend(let call, let request): return tend(session, call, request)
        case .survey(let call, let request): return survey(session, call, request)
        case .checkSchema(let call): return .done(.schemaChecked(call))
        case .selectCounters(let call, let items):
            return .done(.countersSelected(call, items.map { told(index(of: $0)) }))
        case .selectPairs(let call, let pairs):
            let states = pairs.map { pair in
                PairState(liked: state.likes[index(of: pair)] != 0, counter: told(index(of: pair.item)))
            }
            return .done(.pairsSelected(call, states))
        case .selectRepairs(let call, let select): return .done(.repairsSelected(call, repairs(select)))
        default: preconditionFailure("not a statement")
        }
    }

    /// Why the server as it is now refuses the statement at once.
    private func refusal(of action: Action) -> StatementFailure? {
        let now = scheduler.now
        if schemaUntil > now { return .schema("no such column") }
        guard action.isWrite else { return nil }
        if readOnlyUntil > now { return .readOnly("the server is read-only") }
        if fullUntil > now { return .other("disk full") }
        if retryableUntil > now, scheduler.chance.hits(percent: 20) { return .retryable("could not serialize") }
        return nil
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

extension Action {
    /// The call it makes of a backend; nil: none.
    var call: CallID? {
        switch self {
        case .verify(let call, _), .admit(let call, _), .readCounters(let call, _, _),
            .writeThrough(let call, _, _, _), .fill(let call, _, _), .drop(let call, _, _), .fence(let call, _),
            .commit(let call, _),
            .tend(let call, _), .survey(let call, _), .checkSchema(let call), .selectCounters(let call, _),
            .selectPairs(let call, _), .selectRepairs(let call, _):
            call
        case .reply, .close, .resume, .beat, .connect, .disconnect, .reload, .configure, .log, .stopped: nil
        }
    }

    var isWrite: Bool {
        switch self {
        case .fence, .commit, .tend, .survey: true
        default: false
        }
    }
}
