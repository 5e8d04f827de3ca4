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

    func deliver(_ result: borrowing StatementResult, types: TypeNumbers, to host: CoreHost) {
        switch self {
        case .counters(let call, let items):
            var counters = items.map { CounterState(item: $0, count: 0, version: 0) }
            for row in 0..<result.rowCount {
                let place = ReaderCall.place(result, row)
                counters[place].count = result.integer(row, 1, as: Int64.self)
                counters[place].version = result.integer(row, 2, as: Int64.self)
            }
            host.deliver { core, now, actions in core.countersSelected(call, counters, now: now, into: &actions) }
        case .pairs(let call, let pairs):
            var states = pairs.map {
                PairState(liked: false, counter: CounterState(item: $0.item, count: 0, version: 0))
            }
            for row in 0..<result.rowCount {
                let place = ReaderCall.place(result, row)
                states[place].liked = !result.isNull(row, 1)
                guard !result.isNull(row, 2) else { continue }
                states[place].counter.count = result.integer(row, 2, as: Int64.self)
                states[place].counter.version = result.integer(row, 3, as: Int64.self)
            }
            host.deliver { core, now, actions in core.pairsSelected(call, states, now: now, into: &actions) }
        case .repairs(let call, _):
            let (items, next) = ReaderCall.repairs(result, types: types)
            host.deliver { core, now, actions in
                core.repairsSelected(call, items, next: next, now: now, into: &actions)
            }
        }
    }

    /// One page of repairs. Those of types that only other hosts are configured for are left to them.
    static func repairs(
        _ result: borrowing StatementResult, types: TypeNumbers
    ) -> (items: [Item], next: RepairCursor?) {
        var items: [Item] = []
        var last: RepairCursor?
        for row in 0..<result.rowCount {
            let number = result.integer(row, 0, as: Int16.self)
            let id = result.integer(row, 1, as: Int64.self)
            last = RepairCursor(typeNumber: number, itemID: id)
            guard let item = types.knownItem(number: number, id: id), !result.isNull(row, 2) else { continue }
            items.append(item)
        }
        return (items, result.rowCount < Limits.standard.countersPerCallMax ? nil : last)
    }

    var call: CallID {
        switch self {
        case .counters(let call, _), .pairs(let call, _), .repairs(let call, _): call
        }
    }

    private static func place(_ result: borrowing StatementResult, _ row: Int) -> Int {
        Int(result.integer(row, 0, as: Int64.self)) - 1
    }
}
