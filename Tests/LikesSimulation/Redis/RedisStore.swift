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
    /// When hosts were last told of the item, by Redis' clock; nil: never.
    var toldAt: Micros?
    /// They were not told of this version.
    var isUntold = false
    /// Zeros in front, which no host writes.
    var zeros = 0

    /// Version and seal, as they stand behind the token.
    var word: String { "\(digits):\(seal.text)" }
    /// All that stands there.
    var value: String { word + VersionValue.told(atMs: toldAt.map { $0 / 1_000 }, isUntold: isUntold) }
    private var digits: String { String(repeating: "0", count: zeros) + String(version) }

    /// As the edge reads it, with its counter.
    func read(_ item: Item, count: Int64) -> SealedCounter? {
        Array(value.utf8).withUnsafeBytes { SealedCounter(item: item, count: count, value: $0) }
    }

    /// Whether hosts were told so recently. A time in the future is a stranger's.
    func wasTold(within paceMs: Int64, at time: Micros) -> Bool {
        toldAt.map { $0 <= time && time - $0 < .ms(paceMs) } ?? false
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
    static let plainMarker = -1

    /// By their slots; outside of a cluster there is one, at `plainMarker`.
    var markers: [Int: Generation] = [:]
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

    /// Outside of a cluster.
    var marker: Generation? {
        get { markers[Self.plainMarker] }
        set { markers[Self.plainMarker] = newValue }
    }

    /// All keys there could be.
    var keys: [StoredKey] {
        counters.indices.map(StoredKey.counter) + versions.indices.map(StoredKey.version)
            + recent.indices.map(StoredKey.recent) + rates.indices.map(StoredKey.rate) + [.marker(Self.plainMarker)]
            + markers.keys.filter { $0 >= 0 }.sorted().map(StoredKey.marker)
    }

    mutating func evict(_ key: StoredKey) {
        switch key {
        case .counter(let item): counters[item] = nil
        case .version(let item): versions[item] = nil
        case .recent(let user): recent[user] = nil
        case .rate(let user): rates[user] = nil
        case .marker(let slot): markers[slot] = nil
        }
    }
}

/// A key of likesd's; items and users by their places in the plan.
package enum StoredKey: Sendable {
    case counter(Int)
    case version(Int)
    case recent(Int)
    case rate(Int)
    /// Of which slot, in a cluster; -1: of none.
    case marker(Int)

    /// Outside of a cluster.
    package static let plainMarker = StoredKey.marker(RedisStore.plainMarker)

    /// The item whose counter it belongs to.
    var item: Int? {
        switch self {
        case .counter(let item), .version(let item): item
        case .recent, .rate, .marker: nil
        }
    }
}
