import LikesProtocol
import LikesSettings
import LikesStorage
/// Those whose connections are counted together, so that one can't take all places.
package enum Sharer: Hashable, Sendable {
    /// Everybody with this number.
    case user(UInt32)
    /// A process, where its user can't be told: in a user namespace all that it does not know are one.
    case process(Int32)
}

/// How many connections each of them has.
struct ConnectionShares {
    private var counts: [Sharer: Int] = [:]

    subscript(sharer: Sharer) -> Int { counts[sharer] ?? 0 }

    /// The most that one has.
    var largest: Int { counts.values.max() ?? 0 }

    mutating func add(_ sharer: Sharer) { counts[sharer, default: 0] += 1 }

    mutating func remove(_ sharer: Sharer) {
        guard let count = counts[sharer], count > 1 else {
            counts[sharer] = nil
            return
        }
        counts[sharer] = count - 1
    }
}
