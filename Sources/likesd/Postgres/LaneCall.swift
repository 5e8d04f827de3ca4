import LikesCore
import LikesProtocol

/// A call of the lane's: its parameters, and its answer from the rows.
enum LaneCall {
    case fence(CallID, FenceRequest, LaneBatch)
    case commit(CallID, LaneBatch, CommitRequest)
    case tend(CallID, TendRequest)
    case survey(CallID, SurveyRequest)

    var call: CallID {
        switch self {
        case .fence(let call, _, _), .commit(let call, _, _), .tend(let call, _), .survey(let call, _): call
        }
    }

    var statement: PreparedStatement {
        switch self {
        case .fence: .fence
        case .commit: .commit
        case .tend: .tend
        case .survey: .survey
        }
    }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch self {
        case .fence(_, let request, _):
            parameters.append(bigint: request.host)
            parameters.append(bigint: request.lane)
            // No lane has this number.
            parameters.append(bigint: request.former ?? -1)
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
        case .survey(_, let request):
            parameters.append(bigint: request.host)
            parameters.append(bigint: request.lane)
            parameters.append(text: request.generation)
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
        case .survey:
            guard result.rowCount == 1 else { return nil }
            return .surveyed(LaneCall.survey(result))
        }
    }

    private static func survey(_ result: borrowing StatementResult) -> Survey {
        Survey(
            lanesRetired: Int(result.integer(0, 0, as: Int64.self)),
            history: DatabaseHistory(
                system: String(result.integer(0, 1, as: Int64.self)), timeline: result.integer(0, 2, as: Int64.self),
                tables: result.text(0, 3)),
            position: result.integer(0, 4, as: Int64.self), since: result.integer(0, 5, as: Int64.self),
            generations: result.text(0, 6).split(separator: " ").map(String.init))
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
    case surveyed(Survey)
}

extension StatementParameters {
    fileprivate mutating func append(fence: LaneFence) {
        append(bigint: fence.lane)
        append(bigint: fence.epoch)
    }
}
