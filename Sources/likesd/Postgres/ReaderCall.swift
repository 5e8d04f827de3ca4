import LikesCore
import LikesProtocol

/// A call of the reader's: its parameters, and its answer from the rows.
enum ReaderCall {
    case counters(CallID, [Item])
    case pairs(CallID, [Pair])
    case repairs(CallID, after: RepairCursor?)

    var statement: PreparedStatement {
        switch self {
        case .counters: .counters
        case .pairs: .pairs
        case .repairs: .repairs
        }
    }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch self {
        case .counters(_, let items): parameters.append(items: items, types: types)
        case .pairs(_, let pairs):
            parameters.append(bigints: pairs) { $0.user }
            parameters.append(bigints: pairs) { $0.item.id }
            parameters.append(smallints: pairs) { types.number(of: $0.item) }
        case .repairs(_, let cursor):
            parameters.append(smallint: cursor?.typeNumber ?? .min)
            parameters.append(bigint: cursor?.itemID ?? .min)
        }
    }

    /// What the rows say, as far as a statement of likesd's gives such rows.
    func answer(_ result: borrowing StatementResult, types: TypeNumbers) throws(Misfit) -> ReaderAnswer {
        switch self {
        case .counters(_, let items):
            var counters = items.map { CounterState(item: $0, count: 0, version: 0) }
            for row in 0..<result.rowCount {
                let place = try ReaderCall.place(result, row, of: counters.count)
                counters[place].count = try result.integer(row, 1, as: Int64.self)
                counters[place].version = try result.integer(row, 2, as: Int64.self)
            }
            return .counters(counters)
        case .pairs(_, let pairs):
            var states = pairs.map {
                PairState(liked: false, counter: CounterState(item: $0.item, count: 0, version: 0))
            }
            for row in 0..<result.rowCount {
                let place = try ReaderCall.place(result, row, of: states.count)
                states[place].liked = !result.isNull(row, 1)
                // An item without a row has neither.
                guard !result.isNull(row, 2) || !result.isNull(row, 3) else { continue }
                states[place].counter.count = try result.integer(row, 2, as: Int64.self)
                states[place].counter.version = try result.integer(row, 3, as: Int64.self)
            }
            return .pairs(states)
        case .repairs(_, let cursor): return try ReaderCall.repairs(result, after: cursor, types: types)
        }
    }

    /// One page of repairs. Those of types that only other hosts are configured for are left to them.
    private static func repairs(
        _ result: borrowing StatementResult, after cursor: RepairCursor?, types: TypeNumbers
    ) throws(Misfit) -> ReaderAnswer {
        var items: [Item] = []
        var last = cursor
        for row in 0..<result.rowCount {
            let number = try result.integer(row, 0, as: Int16.self)
            let id = try result.integer(row, 1, as: Int64.self)
            // Or the pages would never end.
            if let last, (number, id) <= (last.typeNumber, last.itemID) {
                throw Misfit("rows of cache_repairs are out of order")
            }
            last = RepairCursor(typeNumber: number, itemID: id)
            guard let item = types.item(number: number, id: id), !result.isNull(row, 2) else { continue }
            items.append(item)
        }
        return .repairs(items, next: result.rowCount < Limits.standard.countersPerCallMax ? nil : last)
    }

    var call: CallID {
        switch self {
        case .counters(let call, _), .pairs(let call, _), .repairs(let call, _): call
        }
    }

    /// A place from 1 among so many that were asked for, as one from 0.
    private static func place(
        _ result: borrowing StatementResult, _ row: Int, of count: Int
    ) throws(Misfit) -> Int {
        let place = try result.integer(row, 0, as: Int64.self)
        guard place >= 1, place <= count else { throw Misfit("a row that was not asked for") }
        return Int(place) - 1
    }
}

/// What PostgreSQL said to a call of the reader's.
enum ReaderAnswer: Equatable {
    /// Of each item asked for, in order.
    case counters([CounterState])
    /// Of each pair asked for, in order.
    case pairs([PairState])
    /// `next` nil: there are no more.
    case repairs([Item], next: RepairCursor?)
}
