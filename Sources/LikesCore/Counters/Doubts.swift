import LikesProtocol
import LikesStorage

/// An item, and a version that it has already had.
struct Doubt: Hashable {
    var item: Item
    var version: Int64
}

/// Versions that PostgreSQL may contradict: Redis kept a newer one than was to be written, or an answer took so long
/// that it is no longer known what this host knew before. Most of them were only seen in another order than they arose,
/// so PostgreSQL is asked once more. A version never goes back: a primary that still has an older one is at another
/// past than the one in which the version was given.
struct Doubts {
    private var versions: [Item: Int64] = [:]
    private var notBefore: Instant
    private let itemsMax: Int

    init(_ limits: Limits, now: Instant) {
        itemsMax = limits.doubtsMax
        notBefore = now
    }

    /// When to ask PostgreSQL; nil: there is nothing to ask.
    var dueAt: Instant? { versions.isEmpty ? nil : notBefore }

    /// Keeps only the newest version of an item. Beyond `Limits.doubtsMax` items it takes in no other item.
    mutating func note(_ counter: CounterState) {
        if let held = versions[counter.item] {
            versions[counter.item] = max(held, counter.version)
        } else if versions.count < itemsMax {
            versions[counter.item] = counter.version
        }
    }

    /// Takes all of them once they are due, in an order that is the same in every run.
    mutating func take(now: Instant) -> [Doubt] {
        guard let dueAt, dueAt <= now else { return [] }
        notBefore = now.adding(ms: Limits.doubtMs)
        let doubts = versions.map { Doubt(item: $0.key, version: $0.value) }
        versions = [:]
        return doubts.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
    }

    mutating func removeAll() { versions = [:] }
}
