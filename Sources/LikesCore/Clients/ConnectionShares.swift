/// Whose connections are counted together, so that one sharer cannot take all places.
package enum Sharer: Hashable, Sendable {
    /// Everybody with this user number.
    case user(UInt32)
    /// A process whose user cannot be told: a user namespace shows all users that it does not know as one.
    case process(Int32)
}

/// How many connections each sharer has.
struct ConnectionShares {
    private var counts: [Sharer: Int] = [:]

    subscript(sharer: Sharer) -> Int { counts[sharer] ?? 0 }

    /// The number of connections of the sharer that has most.
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
