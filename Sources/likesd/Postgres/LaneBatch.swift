import LikesCore
import LikesProtocol

/// A batch on its way: rows in the order in which all hosts take their locks.
///
/// They are ordered by user, item and the type's *number*: a type's place in `ITEM_TYPES` may differ from host to host,
/// and two batches that lock rows in different orders deadlock.
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

    private var likes: [Row] = []
    private var unlikes: [Row] = []

    init(_ rows: [BatchRow], types: TypeNumbers) {
        for (place, row) in rows.enumerated() {
            let item = row.pair.item
            let sorted = Row(user: row.pair.user, item: item.id, type: types.number(of: item), place: Int32(place))
            if row.wanted { likes.append(sorted) } else { unlikes.append(sorted) }
        }
        likes.sort(by: Row.isOrdered)
        unlikes.sort(by: Row.isOrdered)
    }

    var rowCount: Int { likes.count + unlikes.count }

    /// Likes, then unlikes: user, item and type of each.
    func write(to parameters: inout StatementParameters) {
        for rows in [likes, unlikes] {
            parameters.append(bigints: rows) { $0.user }
            parameters.append(bigints: rows) { $0.item }
            parameters.append(smallints: rows) { $0.type }
        }
    }

    /// What the lane's row says about the batch: one character for each row in the order they were written, returned in
    /// the order of the core's batch. nil: it describes a batch of another size, or none.
    func changed(_ text: String) -> [Bool]? {
        guard text.utf8.count == rowCount else { return nil }
        var changed = [Bool](repeating: false, count: rowCount)
        var marks = text.utf8.makeIterator()
        for rows in [likes, unlikes] {
            for row in rows {
                switch marks.next() {
                case UInt8(ascii: "1"): changed[Int(row.place)] = true
                case UInt8(ascii: "0"): continue
                default: return nil
                }
            }
        }
        return changed
    }
}
