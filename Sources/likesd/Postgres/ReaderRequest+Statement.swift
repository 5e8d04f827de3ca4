import LikesCore
import LikesProtocol
import LikesStorage

/// The statement of each call, its parameters, and its answer from the rows.
extension ReaderRequest {
    var statement: PreparedStatement {
        switch self {
        case .selectCounters: .counters
        case .selectPairs: .pairs
        case .selectLists(let queries): if case .likers? = queries.first { .likers } else { .likes }
        case .selectRepairs: .repairs
        case .selectPosition: .position
        }
    }

    /// Rows of its answer.
    var rowsMax: Int {
        switch self {
        case .selectCounters(let items): items.count
        case .selectPairs(let pairs): pairs.count
        case .selectLists(let queries): queries.reduce(0) { $0 + $1.limit }
        case .selectRepairs: Limits.standard.countersPerCallMax
        case .selectPosition: 1
        }
    }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch self {
        case .selectCounters(let items): parameters.append(items: items, types: types)
        case .selectPairs(let pairs):
            parameters.append(bigints: pairs) { $0.user }
            parameters.append(bigints: pairs) { $0.item.id }
            parameters.append(smallints: pairs) { types.number(of: $0.item) }
        case .selectLists(let queries): Self.write(queries, to: &parameters, types: types)
        case .selectRepairs(let select):
            parameters.append(bigint: select.after.notedBy)
            parameters.append(smallint: select.after.typeNumber)
            parameters.append(bigint: select.after.itemID)
            parameters.append(bigint: select.settledBefore)
        case .selectPosition(let lane): parameters.append(bigint: lane)
        }
    }

    /// What the rows say, if one of likesd's statements can return such rows.
    func answer(_ result: borrowing StatementResult, types: TypeNumbers) throws(Misfit) -> ReaderAnswer {
        switch self {
        case .selectCounters(let items):
            return .countersSelected(try result.counters(of: items))
        case .selectPairs(let pairs):
            var states = pairs.map {
                PairState(liked: false, counter: CounterState(item: $0.item, count: 0, version: 0))
            }
            for row in 0..<result.rowCount {
                let place = try result.place(row, of: states.count)
                states[place].liked = !result.isNull(row, 1)
                // An item without a row has neither.
                guard !result.isNull(row, 2) || !result.isNull(row, 3) else { continue }
                states[place].counter.count = try result.integer(row, 2, as: Int64.self)
                states[place].counter.version = try result.integer(row, 3, as: Int64.self)
            }
            return .pairsSelected(states)
        case .selectLists(let queries): return .listsSelected(try result.pages(of: queries, types: types))
        case .selectRepairs(let select):
            return .repairsSelected(try Self.repairs(result, after: select.after, types: types))
        case .selectPosition:
            guard try !result.isPositionMissing() else { throw Misfit("a primary without a position") }
            return .positionSelected(try result.position(), epoch: try result.epoch())
        }
    }

    /// One chunk of `cache_repairs`. Repairs of types that are configured only on other hosts are left to them.
    static func repairs(
        _ result: borrowing StatementResult, after cursor: RepairCursor, types: TypeNumbers
    ) throws(Misfit) -> RepairRows {
        var chunk = RepairRows(rows: [], next: nil, horizon: 0)
        var last = cursor
        for row in 0..<result.rowCount {
            chunk.horizon = try result.integer(row, 4, as: Int64.self)
            chunk.hasSettled = !result.isNull(row, 5)
            // The one row of an empty chunk.
            guard !result.isNull(row, 0) else { continue }
            let number = try result.integer(row, 0, as: Int16.self)
            let id = try result.integer(row, 1, as: Int64.self)
            let notedBy = try result.integer(row, 3, as: Int64.self)
            // Otherwise the chunks would never end.
            if (notedBy, number, id) <= (last.notedBy, last.typeNumber, last.itemID) {
                throw Misfit("rows of cache_repairs are out of order")
            }
            last = RepairCursor(notedBy: notedBy, typeNumber: number, itemID: id)
            guard let item = types.item(number: number, id: id) else { continue }
            let version = try result.integer(row, 2, as: Int64.self)
            chunk.rows.append(RepairRow(item: item, version: version, notedBy: notedBy))
        }
        if result.rowCount >= Limits.standard.countersPerCallMax { chunk.next = last }
        return chunk
    }
}

// MARK: Rows

extension StatementResult {
    /// The rows of `ReaderStatements.counters`.
    func counters(of items: [Item]) throws(Misfit) -> [CounterState] {
        var counters = items.map { CounterState(item: $0, count: 0, version: 0) }
        for row in 0..<rowCount {
            let place = try place(row, of: counters.count)
            counters[place].count = try integer(row, 1, as: Int64.self)
            counters[place].version = try integer(row, 2, as: Int64.self)
        }
        return counters
    }

    /// Turns a place counted from 1, among `count` that were asked for, into one counted from 0.
    func place(_ row: Int, of count: Int) throws(Misfit) -> Int {
        guard count > 0 else { throw Misfit("an unrequested row") }
        let place = try integer(row, 0, in: 1...Int64(count))
        return Int(place) - 1
    }

    // The one row of `ReaderStatements.position` or `.replayed`.

    func isPositionMissing() throws(Misfit) -> Bool {
        guard rowCount == 1 else { throw Misfit("\(rowCount) rows for a position instead of one") }
        return isNull(0, 0)
    }

    func position() throws(Misfit) -> LogPosition { try integer(0, 0, in: 0...LogPosition.max) }

    /// nil: there is no such lane.
    func epoch() throws(Misfit) -> Int64? { isNull(0, 1) ? nil : try integer(0, 1, in: 1...Limits.sequenceMax) }

    /// A lane's sign of life; nil: there is none.
    func signOfLife() throws(Misfit) -> Int64? {
        isNull(0, 2) ? nil : try integer(0, 2, in: 0...Limits.sequenceMax)
    }
}
