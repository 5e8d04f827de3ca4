import LikesJSON
import LikesProtocol

/// What a request asks of likesd.
package enum Question: Equatable, Sendable {
    case like(user: Int64, ItemName)
    case unlike(user: Int64, ItemName)
    case count(ItemName)
    /// Each item once.
    case counts([ItemName])
    /// Each item once.
    case hasLiked(user: Int64, type: String, [Int64])
    /// A page of what a user likes: behind an item, at most so many.
    case likes(user: Int64, after: ItemName?, limit: Int)
    /// A page of who likes an item: behind a user, at most so many.
    case likers(ItemName, after: Int64?, limit: Int)
    case health
    case ready
    case metrics

    /// Whether it changes something: then it must not be asked twice unless it is known that likesd never had it.
    package var isChange: Bool {
        switch self {
        case .like, .unlike: true
        case .count, .counts, .hasLiked, .likes, .likers, .health, .ready, .metrics: false
        }
    }

    /// Whether those ask it who watch over likesd. It answers from memory.
    package var isOfWatchers: Bool {
        switch self {
        case .health, .ready, .metrics: true
        case .like, .unlike, .count, .counts, .hasLiked, .likes, .likers: false
        }
    }

    /// How many items it asks for, or how many elements its page may have.
    package var itemCount: Int {
        switch self {
        case .like, .unlike, .count: 1
        case .counts(let items): items.count
        case .hasLiked(_, _, let ids): ids.count
        case .likes(_, _, let limit), .likers(_, _, let limit): limit
        case .health, .ready, .metrics: 0
        }
    }

    /// How many requests to likesd it takes: each has as many items as likesd accepts.
    var callCount: Int {
        switch self {
        case .like, .unlike, .count, .likes, .likers, .health, .ready, .metrics: 1
        case .counts, .hasLiked: (itemCount + WireLimits.itemsPerRequestMax - 1) / WireLimits.itemsPerRequestMax
        }
    }

    /// The items of one of these requests.
    func items(of call: Int) -> Range<Int> {
        let start = call * WireLimits.itemsPerRequestMax
        return start..<min(itemCount, start + WireLimits.itemsPerRequestMax)
    }

    /// The words of one of these requests.
    func words(of call: Int) -> [String] {
        switch self {
        case .like(let user, let item): ["LIKE", String(user), item.text]
        case .unlike(let user, let item): ["UNLIKE", String(user), item.text]
        case .count(let item): ["MCOUNT", item.text, "WITHCACHED"]
        case .counts(let all): ["MCOUNT"] + all[items(of: call)].map(\.text) + ["WITHCACHED"]
        case .hasLiked(let user, let type, let ids):
            ["MLIKED", String(user)] + ids[items(of: call)].map { ItemName(type: type, id: $0).text }
        case .likes(let user, let after, let limit):
            ["LIKES", String(user)] + Self.page(after: after?.text, limit: limit)
        case .likers(let item, let after, let limit):
            ["LIKERS", item.text] + Self.page(after: after.map { String($0) }, limit: limit)
        case .health, .ready: ["HEALTH"]
        case .metrics: ["METRICS"]
        }
    }

    private static func page(after: String?, limit: Int) -> [String] {
        (after.map { ["AFTER", $0] } ?? []) + ["LIMIT", String(limit)]
    }
}
