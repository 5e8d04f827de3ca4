import CPostgres
import LikesCore
import LikesProtocol

/// A batch on its way: rows in the order in which all hosts take their locks.
///
/// By user, item and the type's *number*: a type's place in `ITEM_TYPES` may differ from host to host, and two batches
/// that lock rows in different orders deadlock.
struct LaneBatch {
    private struct Row {
        var user: Int64
        var item: Int64
        var type: Int16
        /// The row's place in the core's batch.
        var place: Int32

        static func isOrdered(_ a: Row, _ b: Row) -> Bool {
            (a.user, a.item, a.type) < (b.user, b.item, b.type)
        }
    }

    private let types: TypeNumbers
    private let rowCount: Int
    private var likes: [Row] = []
    private var unlikes: [Row] = []

    init(_ rows: [BatchRow], types: TypeNumbers) {
        self.types = types
        rowCount = rows.count
        for (place, row) in rows.enumerated() {
            let item = row.pair.item
            let sorted = Row(user: row.pair.user, item: item.id, type: types.number(of: item), place: Int32(place))
            if row.wanted { likes.append(sorted) } else { unlikes.append(sorted) }
        }
        likes.sort(by: Row.isOrdered)
        unlikes.sort(by: Row.isOrdered)
    }

    /// Likes, unlikes: user, item and type of each.
    func write(to parameters: inout StatementParameters) {
        parameters.reset()
        for rows in [likes, unlikes] {
            parameters.append(bigints: rows) { $0.user }
            parameters.append(bigints: rows) { $0.item }
            parameters.append(smallints: rows) { $0.type }
        }
    }

    /// Reads the rows of the batch statement's result: pairs that changed, and counters.
    func outcome(_ result: borrowing StatementResult) -> BatchOutcome {
        var changed = [Bool](repeating: false, count: rowCount)
        var counters: [CounterState] = []
        for row in 0..<result.rowCount {
            let item = result.integer(row, 1, as: Int64.self)
            let type = result.integer(row, 2, as: Int16.self)
            let first = result.integer(row, 0, as: Int64.self)
            if result.isNull(row, 3) {
                let pair = Row(user: first, item: item, type: type, place: 0)
                guard let place = place(of: pair, in: likes) ?? place(of: pair, in: unlikes) else {
                    preconditionFailure("the batch statement changed a pair it was not given")
                }
                changed[place] = true
            } else {
                let version = result.integer(row, 3, as: Int64.self)
                let counted = types.item(number: type, id: item)
                counters.append(CounterState(item: counted, count: first, version: version))
            }
        }
        counters.sort { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
        return BatchOutcome(changed: changed, counters: counters)
    }

    private func place(of pair: Row, in rows: [Row]) -> Int? {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            if Row.isOrdered(rows[middle], pair) { low = middle + 1 } else { high = middle }
        }
        guard low < rows.count, !Row.isOrdered(pair, rows[low]) else { return nil }
        return Int(rows[low].place)
    }
}
