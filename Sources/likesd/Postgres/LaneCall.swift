import LikesCore
import LikesProtocol
import LikesStorage

/// A call on the lane: the core's request, its parameters, and its answer from the rows.
struct LaneCall {
    let id: CallID
    let request: LaneRequest
    /// The rows of a fence or a commit, as sent.
    private let batch: LaneBatch

    init(_ id: CallID, _ request: LaneRequest, types: TypeNumbers) {
        self.id = id
        self.request = request
        switch request {
        case .fence(let request): batch = LaneBatch(request.rows, types: types)
        case .commit(let request): batch = LaneBatch(request.rows, types: types)
        case .tend, .survey, .checkSchema: batch = LaneBatch([], types: types)
        }
    }

    var statement: PreparedStatement {
        switch request {
        case .fence: .fence
        case .commit: .commit
        case .tend: .tend
        case .survey: .survey
        case .checkSchema: .misfits
        }
    }

    /// Rows that its answer may have for the items it asks about; 0 if it always has the same few.
    var rowsMax: Int { batch.rowCount }

    func write(to parameters: inout StatementParameters, types: TypeNumbers) {
        parameters.reset()
        switch request {
        case .fence(let request):
            parameters.append(bigint: request.lane)
            // No lane has this number.
            parameters.append(bigint: request.former ?? -1)
        case .commit(let request):
            batch.write(to: &parameters)
            parameters.append(fence: request.fence)
            parameters.append(bigint: request.batch)
            parameters.append(items: request.journal, types: types)
            parameters.append(boolean: request.cutOff == .all)
            parameters.append(text: request.server)
            parameters.append(items: request.cutOff.some, types: types)
        case .tend(let request):
            parameters.append(fence: request.fence)
            parameters.append(items: request.repairs, types: types)
            parameters.append(items: request.mended.map(\.item), types: types)
            parameters.append(bigints: request.mended) { $0.version }
            parameters.append(bigints: request.mended) { $0.notedBy }
            parameters.append(items: request.journal, types: types)
            parameters.append(bigint: request.settled?.from ?? 0)
            parameters.append(bigint: request.settled?.before ?? 0)
        case .survey(let request):
            parameters.append(bigint: request.lane)
            parameters.append(text: request.tokens.sorted().joined(separator: ","))
            parameters.append(text: request.servers.joined(separator: ","))
            parameters.append(bigint: request.snapshot.least)
            parameters.append(bigint: request.signOfLife)
            parameters.append(bigint: request.since)
            parameters.append(bigint: request.snapshot.next)
            parameters.append(bigints: request.snapshot.running) { $0 }
        case .checkSchema: return
        }
    }

    /// What the rows say, if one of likesd's statements can return such rows. `failure`: what misfits of the tables
    /// mean on this server.
    func answer(
        _ result: borrowing StatementResult, types: TypeNumbers, failure: ([SchemaMisfit]) -> BackendFailure?
    ) throws(Misfit) -> LaneAnswer {
        switch request {
        case .fence:
            guard result.rowCount == 1 else { throw Misfit("\(result.rowCount) rows for a lane instead of one") }
            let epoch = try result.integer(0, 0, in: 1...Limits.sequenceMax)
            // The epoch of an existing row is now 2 or more.
            guard epoch > 1 else { return .fenced(nil) }
            let number = try result.integer(0, 1, in: 0...Limits.sequenceMax)
            let changed = batch.changed(try result.text(0, 2)) ?? []
            return .fenced(LaneState(epoch: epoch, batch: number, changed: changed))
        case .commit:
            guard result.rowCount > 0 else { return .fencedOff }
            return .committed(try LaneCall.outcome(result, of: batch, types: types))
        case .tend:
            guard result.rowCount > 0 else { return .fencedOff }
            return .tended(
                settledUpTo: result.isNull(0, 1) ? nil : try result.integer(0, 1, in: 0...Limits.sequenceMax))
        case .survey:
            guard result.rowCount == 1 else { throw Misfit("\(result.rowCount) rows instead of one") }
            return .surveyed(try LaneCall.survey(result, types: types))
        case .checkSchema: return .schemaChecked(failure(try result.misfits()))
        }
    }

    private static func survey(
        _ result: borrowing StatementResult, types: TypeNumbers
    ) throws(Misfit) -> Survey {
        guard let snapshot = DatabaseSnapshot(try result.text(0, 4)) else { throw Misfit("an invalid snapshot") }
        let seconds = try result.integer(0, 11, in: Schema.secondsRange)
        let seals = Secret(hex: try result.text(0, 10)).map { SealFacts(secret: $0, seconds: seconds) }
        return Survey(
            silentLanesFenced: Int(try result.integer(0, 0, in: 0...Int64(Int32.max))),
            identity: try DatabaseIdentity(
                system: String(try result.integer(0, 1, as: Int64.self)),
                timeline: try result.integer(0, 2, in: 0...DatabaseIdentity.timelineMax), tables: try result.text(0, 3)
            ).checked(),
            snapshot: snapshot,
            others: words(try result.text(0, 5)).compactMap(others),
            latest: try result.integer(0, 6, in: 0...Limits.sequenceMax),
            strayed: numbered(try result.text(0, 7)).compactMap { written(by: $0.number, $0.text) },
            knowsTypes: types.agree(words(try result.text(0, 9))),
            signOfLife: try result.integer(0, 8, in: -1...Limits.sequenceMax), seals: seals)
    }

    private static func words(_ text: String) -> [String] {
        text.split(separator: " ").map(String.init)
    }

    /// Servers as in `UNKNOWN,UNKNOWN/LACKING,LACKING`.
    private static func written(by transaction: Int64, _ text: Substring) -> WrittenTo? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return WrittenTo(transaction: transaction, unknown: names(parts[0]), lacking: names(parts[1]))
    }

    /// As in `AGE/LANE,AGE/LANE@TOKEN,TOKEN`.
    private static func others(_ entry: String) -> OtherHosts? {
        let parts = entry.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let signs = parts[0].split(separator: ",").compactMap { sign -> SignOfLife? in
            let numbers = sign.split(separator: "/").map { Int64($0) }
            guard numbers.count == 2, let ageMs = numbers[0], let lane = numbers[1] else { return nil }
            return SignOfLife(lane: lane, ageMs: ageMs)
        }
        return OtherHosts(tokens: names(parts[1]), signs: signs)
    }

    private static func names(_ text: Substring) -> Set<String> { Set(text.split(separator: ",").map(String.init)) }

    /// Entries as in `NUMBER@TEXT`, separated by spaces.
    private static func numbered(_ text: String) -> [(number: Int64, text: Substring)] {
        words(text).compactMap { entry in
            let parts = entry.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let number = Int64(parts[0]) else { return nil }
            return (number, parts[1])
        }
    }

    /// Counters, and what changed in the one row that has no item.
    ///
    /// The batch is committed once it says what changed. A counter that is unreadable, or whose type was not asked for,
    /// is left out: the core notices that it is missing.
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

extension StatementParameters {
    fileprivate mutating func append(fence: LaneFence) {
        append(bigint: fence.lane)
        append(bigint: fence.epoch)
    }
}

extension CutOff {
    /// The items that it names.
    fileprivate var some: [Item] {
        switch self {
        case .none, .all: []
        case .some(let items): items.sorted { ($0.type, $0.id) < ($1.type, $1.id) }
        }
    }
}
