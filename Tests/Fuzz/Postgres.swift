import CPostgres
import LikesCore
import LikesProtocol

@testable import likesd

private let items = [Item(type: 0, id: 1), Item(type: 2, id: 7)]
private let rows = [
    BatchRow(pair: Pair(user: 1, item: items[0]), wanted: true),
    BatchRow(pair: Pair(user: 2, item: items[1]), wanted: false),
]
private let types = TypeNumbers(types: .standard, rows: [(1, "post"), (2, "reel"), (3, "comment")])
private let laneCalls: [LaneCall] = {
    let fence = LaneFence(lane: 1, epoch: 1)
    let requests: [LaneRequest] = [
        .fence(FenceRequest(lane: 1, former: nil, rows: rows)),
        .commit(CommitRequest(fence: fence, batch: 1, rows: rows, journal: items, cutOff: .some([items[1]]))),
        .tend(TendRequest(fence: fence, repairs: [], mended: [], journal: [])),
        .survey(SurveyRequest(lane: 1, tokens: ["node:abc"], signOfLife: 1)), .checkSchema,
    ]
    return requests.map { LaneCall(1, $0, types: types) }
}()
private let readerRequests: [ReaderRequest] = [
    .selectCounters(items), .selectPairs(rows.map(\.pair)),
    .selectLists([.likes(LikesQuery(user: 1)), .likes(LikesQuery(user: 2, after: items[0], limit: 1))]),
    .selectLists([.likers(LikersQuery(item: items[0])), .likers(LikersQuery(item: items[1], after: 3, limit: 1))]),
    .selectRepairs(RepairSelect(after: RepairCursor(begin: 0))), .selectPosition(lane: 1),
]
private let standbyCall = StandbyCall(id: 1, request: .selectCounters(items, lane: 1))

/// Bytes, one after the other; zeros behind the last.
private struct Source {
    var rest: UnsafeRawBufferPointer

    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    mutating func bytes(_ count: Int) -> [CChar] { (0..<count).map { _ in CChar(bitPattern: byte()) } }
}

/// A result as a server could give it: any number of columns and rows, values of any length, and NULL.
private func result(_ source: inout Source) -> OpaquePointer? {
    guard let made = PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK) else { return nil }
    let columns = Int32(source.byte() % 13)
    var name = Array("column".utf8CString)
    let isMade = name.withUnsafeMutableBufferPointer { name in
        var attributes = (0..<columns).map { _ in
            PGresAttDesc(
                name: name.baseAddress, tableid: 0, columnid: 0, format: 1, typid: Oid(source.byte()), typlen: -1,
                atttypmod: -1)
        }
        return PQsetResultAttrs(made, columns, &attributes) != 0
    }
    guard isMade || columns == 0 else {
        PQclear(made)
        return nil
    }
    for row in 0..<Int32(source.byte() % 5) {
        for column in 0..<columns {
            // Of nearly every length, and often the eight bytes of a bigint.
            let choice = source.byte()
            let length = choice < 100 ? 8 : choice < 140 ? 2 : choice < 160 ? -1 : Int(choice) - 160
            var value = source.bytes(max(0, length))
            PQsetvalue(made, row, column, &value, Int32(length))
        }
    }
    return made
}

/// What PostgreSQL answers, taken for the answer to each of the calls.
func fuzzRows(_ data: UnsafeRawBufferPointer) {
    var source = Source(rest: data)
    guard let made = result(&source) else { return }
    let result = StatementResult(made)
    for call in laneCalls {
        let answer = try? call.answer(result, types: types) { $0.isEmpty ? nil : .schema("misfits") }
        guard case .committed(let outcome)? = answer else { continue }
        precondition(outcome.changed.count == rows.count, "an outcome of another batch")
    }
    for request in readerRequests {
        guard case .countersSelected(let counters)? = try? request.answer(result, types: types) else { continue }
        precondition(counters.count == items.count, "another number of counters than was asked for")
    }
    for statement in standbyCall.statements {
        var call = standbyCall
        try? call.take(result, of: statement, types: types)
        precondition([0, items.count].contains(call.counters.count), "another number of counters than was asked for")
    }
    for statement in PreparedStatement.allCases { _ = result.misfit(statement.columns) }
}
