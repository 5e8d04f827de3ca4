import LikesSettings
import LikesProtocol
import LikesStorage

/// Versions that PostgreSQL seems to have gone behind: Redis kept a newer one than was to be written there, or an
/// answer was so long under way that nobody remembers what was known before. Most are only seen in another order than
/// they came about, so PostgreSQL is asked once more. A version never goes back: a primary that still has an older one
/// is at another past than the one in which the version was given.
struct Doubts {
    /// An item, and a version that it has had already.
    struct Claim: Hashable {
        var item: Item
        var version: Int64
    }

    private var versions: [Item: Int64] = [:]
    private var notBefore: Instant
    private let itemsMax: Int

    init(_ limits: Limits, now: Instant) {
        itemsMax = limits.doubtsMax
        notBefore = now
    }

    /// When PostgreSQL is to be asked; nil: there is nothing to ask.
    var dueAt: Instant? { versions.isEmpty ? nil : notBefore }

    /// Of an item only the newest is held. With `Limits.doubtsMax` items no other is taken in.
    mutating func claim(_ counter: CounterState) {
        if let held = versions[counter.item] {
            versions[counter.item] = max(held, counter.version)
        } else if versions.count < itemsMax {
            versions[counter.item] = counter.version
        }
    }

    /// All of them, once they are due, in an order that is the same in every run.
    mutating func take(now: Instant) -> [Claim] {
        guard let dueAt, dueAt <= now else { return [] }
        notBefore = now.adding(ms: Limits.doubtMs)
        let claims = versions.map { Claim(item: $0.key, version: $0.value) }
        versions = [:]
        return claims.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
    }

    mutating func removeAll() { versions = [:] }
}
