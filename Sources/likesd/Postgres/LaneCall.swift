import LikesCore
import LikesProtocol
import LikesStorage

/// A call of the lane's: its parameters, and its answer from the rows.
enum LaneCall {
    case fence(CallID, FenceRequest, LaneBatch)
    case commit(CallID, LaneBatch, CommitRequest)
    case tend(CallID, TendRequest)
    case survey(CallID, SurveyRequest)
    case misfits(CallID)

    var call: CallID {
        switch self {
        case .fence(let call, _, _), .commit(let call, _, _), .tend(let call, _), .survey(let call, _),
            .misfits(let call):
            call
        }
    }

    var statement: PreparedStatement {
        switch self {
        case .fence: .fence
        case .commit: .commit
        case .tend: .tend
        case .survey: .survey
        case .misfits: .misfits
        }
    }

    /// Rows of its answer that it may have for what it asks of; where it is always the same few, 0.
    var rowsMax: Int {
        switch self {
        case .fence(_, _, let batch), .commit(_, let batch, _): batch.rowCount
        case .tend, .survey, .misfits: 0
        }
    }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch self {
        case .fence(_, let request, _):
            parameters.append(bigint: request.lane)
            // No lane has this number.
            parameters.append(bigint: request.former ?? -1)
        case .commit(_, let batch, let request):
            batch.write(to: &parameters)
            parameters.append(fence: request.fence)
            parameters.append(bigint: request.batch)
            parameters.append(items: request.journal, types: types)
            parameters.append(boolean: request.isCutOff)
            parameters.append(text: request.server)
        case .tend(_, let request):
            parameters.append(fence: request.fence)
            parameters.append(items: request.repairs, types: types)
            parameters.append(items: request.mended.map(\.item), types: types)
            parameters.append(bigints: request.mended) { $0.version }
            parameters.append(bigints: request.mended) { $0.notedBy }
            parameters.append(items: request.journal, types: types)
            parameters.append(bigint: request.settled?.from ?? 0)
            parameters.append(bigint: request.settled?.before ?? 0)
        case .survey(_, let request):
            parameters.append(bigint: request.lane)
            parameters.append(text: request.generation)
            parameters.append(text: request.server)
            parameters.append(bigint: request.snapshot.least)
            parameters.append(bigint: request.beat)
            parameters.append(bigint: request.freshMs)
            parameters.append(bigint: request.snapshot.next)
            parameters.append(bigints: request.snapshot.running) { $0 }
        case .misfits: return
        }
    }

    /// What the rows say, as far as a statement of likesd's gives such rows.
    func answer(_ result: borrowing StatementResult, types: TypeNumbers) throws(Misfit) -> LaneAnswer {
        switch self {
        case .fence(_, _, let batch):
            guard result.rowCount == 1 else { throw Misfit("\(result.rowCount) rows where a lane has one") }
            let epoch = try result.integer(0, 0, in: 1...Limits.sequenceMax)
            // A row that was there before has gone up to 2 at least.
            guard epoch > 1 else { return .fenced(nil) }
            let number = try result.integer(0, 1, in: 0...Limits.sequenceMax)
            let changed = batch.changed(try result.text(0, 2)) ?? []
            return .fenced(LaneState(epoch: epoch, batch: number, changed: changed))
        case .commit(_, let batch, _):
            guard result.rowCount > 0 else { return .fencedOff }
            return .committed(try LaneCall.outcome(result, of: batch, types: types))
        case .tend:
            guard result.rowCount > 0 else { return .fencedOff }
            return .tended(
                settledUpTo: result.isNull(0, 1) ? nil : try result.integer(0, 1, in: 0...Limits.sequenceMax))
        case .survey:
            guard result.rowCount == 1 else { throw Misfit("\(result.rowCount) rows where one was asked for") }
            return .surveyed(try LaneCall.survey(result, types: types))
        case .misfits: return .misfits(try result.misfits())
        }
    }

    private static func survey(
        _ result: borrowing StatementResult, types: TypeNumbers
    ) throws(Misfit) -> Survey {
        guard let snapshot = DatabaseSnapshot(try result.text(0, 4)) else { throw Misfit("a snapshot that is none") }
        let seconds = try result.integer(0, 12, in: Schema.secondsRange)
        let seals = Secret(hex: try result.text(0, 11)).map { SealFacts(secret: $0, seconds: seconds) }
        return Survey(
            lanesRetired: Int(try result.integer(0, 0, in: 0...Int64(Int32.max))),
            history: try DatabaseHistory(
                system: String(try result.integer(0, 1, as: Int64.self)),
                timeline: try result.integer(0, 2, in: 0...DatabaseHistory.timelineMax), tables: try result.text(0, 3)
            ).checked(),
            snapshot: snapshot, generations: words(try result.text(0, 5)),
            freshGenerations: words(try result.text(0, 6)),
            latest: try result.integer(0, 7, in: 0...Limits.sequenceMax),
            strayed: words(try result.text(0, 8)).compactMap { Int64($0) },
            knowsTypes: types.agree(words(try result.text(0, 10))),
            beat: try result.integer(0, 9, in: -1...Limits.sequenceMax), seals: seals)
    }

    private static func words(_ text: String) -> [String] {
        text.split(separator: " ").map(String.init)
    }

    /// Counters, and what changed in the one row that has no item.
    ///
    /// The batch is committed with what changed. A counter that is not to be read, or is none of a type asked for, is
    /// left out: the core finds that it lacks one.
    private static func outcome(
        _ result: borrowing StatementResult, of batch: LaneBatch, types: TypeNumbers
    ) throws(Misfit) -> BatchOutcome {
        var changed: [Bool]?
        var counters: [CounterState] = []
        counters.reserveCapacity(result.rowCount)
        for row in 0..<result.rowCount {
            if !result.isNull(row, 4) {
                changed = batch.changed(try result.text(row, 4))
            } else if !(0..<4).contains(where: { result.isNull(row, $0) }) {
                let id = try result.integer(row, 1, as: Int64.self)
                guard let item = types.item(number: try result.integer(row, 2, as: Int16.self), id: id) else {
                    continue
                }
                counters.append(
                    CounterState(
                        item: item, count: try result.integer(row, 0, as: Int64.self),
                        version: try result.integer(row, 3, as: Int64.self)))
            }
        }
        guard let changed else { throw Misfit("the lane's row does not say what a batch changed") }
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
    /// The transaction up to which settled repairs were deleted; nil: none are left.
    case tended(settledUpTo: Int64?)
    case surveyed(Survey)
    case misfits([SchemaMisfit])
}

extension StatementParameters {
    fileprivate mutating func append(fence: LaneFence) {
        append(bigint: fence.lane)
        append(bigint: fence.epoch)
    }
}
