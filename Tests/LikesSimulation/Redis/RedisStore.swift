import LikesProtocol
import LikesStorage

/// A value with the moment it expires at, by Redis' clock.
struct Expiring<Value: Sendable>: Sendable {
    var value: Value
    var expiresAt: Micros
}

/// The version that stands beside a counter.
struct StoredVersion: Sendable {
    var token: String
    var version: Int64
    var seal: Seal
    /// Zeros in front, which no host writes.
    var zeros = 0

    /// As it stands behind the token.
    var word: String { "\(digits):\(seal.text)" }
    private var digits: String { String(repeating: "0", count: zeros) + String(version) }

    /// As the edge reads it, with its counter.
    func read(_ item: Item, count: Int64) -> SealedCounter? {
        Array(word.utf8).withUnsafeBytes { SealedCounter(item: item, count: count, word: $0) }
    }

    /// As the script compares versions: by length, then as text.
    func looksNewer(than version: Int64) -> Bool {
        guard zeros > 0 else { return self.version > version }
        let (own, other) = (digits, String(version))
        return own.count == other.count ? own > other : own.count > other.count
    }
}

/// Redis' data: what a restart keeps, or a snapshot has. Items and users by index.
struct RedisStore: Sendable {
    var marker: Generation?
    var counters: [Expiring<Int64>?]
    var versions: [Expiring<StoredVersion>?]
    /// For each user a bit for each item.
    var recent: [Expiring<UInt32>?]
    var rates: [Expiring<Int64>?]

    init(usersCount: Int, itemsCount: Int) {
        counters = [Expiring<Int64>?](repeating: nil, count: itemsCount)
        versions = [Expiring<StoredVersion>?](repeating: nil, count: itemsCount)
        recent = [Expiring<UInt32>?](repeating: nil, count: usersCount)
        rates = [Expiring<Int64>?](repeating: nil, count: usersCount)
    }

    func counter(_ item: Int, at time: Micros) -> Int64? {
        counters[item].flatMap { $0.expiresAt > time ? $0.value : nil }
    }

    func version(_ item: Int, at time: Micros) -> StoredVersion? {
        versions[item].flatMap { $0.expiresAt > time ? $0.value : nil }
    }

    /// Key `number` of all there could be: each may be evicted on its own.
    mutating func evict(_ number: Int) {
        var place = number
        if place < counters.count {
            counters[place] = nil
            return
        }
        place -= counters.count
        if place < versions.count {
            versions[place] = nil
            return
        }
        place -= versions.count
        if place < recent.count {
            recent[place] = nil
            return
        }
        place -= recent.count
        if place < rates.count {
            rates[place] = nil
            return
        }
        marker = nil
    }

    var keysMax: Int { counters.count + versions.count + recent.count + rates.count + 1 }
}
