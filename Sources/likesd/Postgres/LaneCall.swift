import LikesCore
import LikesProtocol

/// A call of the lane's: its parameters, and its answer from the rows.
enum LaneCall {
    case fence(CallID, lane: Int64, LaneBatch)
    case commit(CallID, LaneBatch, CommitRequest)
    case tend(CallID, TendRequest)
    case retire(CallID)

    var call: CallID {
        switch self {
        case .fence(let call, _, _), .commit(let call, _, _), .tend(let call, _), .retire(let call): call
        }
    }

    var statement: PreparedStatement {
        switch self {
        case .fence: .fence
        case .commit: .commit
        case .tend: .tend
        case .retire: .retire
        }
    }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch self {
        case .fence(_, let lane, _): parameters.append(bigint: lane)
        case .commit(_, let batch, let request):
            batch.write(to: &parameters)
            parameters.append(fence: request.fence)
            parameters.append(bigint: request.batch)
            parameters.append(items: request.journal, types: types)
            parameters.append(boolean: request.isCutOff)
        case .tend(_, let request):
            parameters.append(fence: request.fence)
            parameters.append(items: request.repairs, types: types)
            parameters.append(items: request.mended.map(\.item), types: types)
            parameters.append(bigints: request.mended) { $0.version }
            parameters.append(items: request.journal, types: types)
        case .retire: return
        }
    }

    /// nil: no statement of likesd's gives such rows.
    func answer(_ result: borrowing StatementResult, types: TypeNumbers) -> LaneAnswer? {
        switch self {
        case .fence(_, _, let batch):
            guard result.rowCount == 1 else { return nil }
            let epoch = result.integer(0, 0, as: Int64.self)
            // A row that was there before has gone up to 2 at least.
            guard epoch > 1 else { return .fenced(nil) }
            let number = result.integer(0, 1, as: Int64.self)
            let changed = batch.changed(result.text(0, 2)) ?? []
            return .fenced(LaneState(epoch: epoch, batch: number, changed: changed))
        case .commit(_, let batch, _):
            guard result.rowCount > 0 else { return .fencedOff }
            return LaneCall.outcome(result, of: batch, types: types).map { .committed($0) }
        case .tend: return result.rowCount > 0 ? .tended : .fencedOff
        case .retire:
            guard result.rowCount == 1 else { return nil }
            return .retired(Int(result.integer(0, 0, as: Int64.self)))
        }
    }

    /// Counters, and what changed in the one row that has no version.
    private static func outcome(
        _ result: borrowing StatementResult, of batch: LaneBatch, types: TypeNumbers
    ) -> BatchOutcome? {
        var changed: [Bool]?
        var counters: [CounterState] = []
        counters.reserveCapacity(result.rowCount - 1)
        for row in 0..<result.rowCount {
            guard !result.isNull(row, 3) else {
                changed = batch.changed(result.text(row, 4))
                continue
            }
            let id = result.integer(row, 1, as: Int64.self)
            let item = types.item(number: result.integer(row, 2, as: Int16.self), id: id)
            counters.append(
                CounterState(
                    item: item, count: result.integer(row, 0, as: Int64.self),
                    version: result.integer(row, 3, as: Int64.self)))
        }
        guard let changed else { return nil }
        counters.sort { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
        return BatchOutcome(changed: changed, counters: counters)
    }
}

/// What PostgreSQL said to a call of the lane's.
enum LaneAnswer: Equatable {
    /// nil: the lane was not there before.
    case fenced(LaneState?)
    case committed(BatchOutcome)
    /// The lane is another's: nothing was done.
    case fencedOff
    case tended
    /// How many lanes.
    case retired(Int)
}

extension StatementParameters {
    fileprivate mutating func append(fence: LaneFence) {
        append(bigint: fence.lane)
        append(bigint: fence.epoch)
    }
}
