import LikesStorage
import LikesctlCommands

/// One thing that differs from what it should be.
struct Difference {
    enum Finding {
        /// `counters` and the count of the item's likes; no state: there is no row.
        case counter(CounterState?, likes: Int64)
        /// What Redis holds and what `counters` says; no state: never liked.
        case redis(RedisKind, RedisCounter, CounterState?)
        /// How often one user's like of the item is stored in `user_likes`.
        case twice(user: Int64, copies: Int64)
    }

    enum RedisKind: String {
        case wrong = "redis-wrong"
        case stale = "redis-stale"
        case newer = "redis-newer"
    }

    var item: StoredItem
    var finding: Finding

    /// What must be added to the counter.
    var delta: Int64? {
        switch finding {
        case .counter(let state, let likes): likes - (state?.count ?? 0)
        case .redis, .twice: nil
        }
    }

    var kind: String {
        switch finding {
        case .counter(nil, likes: _): "counter-missing"
        case .counter(let state?, let likes): state.count > likes ? "counter-high" : "counter-low"
        case .redis(let kind, _, _): kind.rawValue
        case .twice: "like-twice"
        }
    }

    private var sides: [(name: String, value: JSON)] {
        switch finding {
        case .counter(let state, let likes):
            [
                ("counters", state.map { .integer($0.count) } ?? .null), ("likes", .integer(likes)),
                ("version", state.map { .integer($0.version) } ?? .null),
            ]
        case .twice(let user, let copies): [("user", .integer(user)), ("copies", .integer(copies))]
        case .redis(_, let cached, let state):
            [
                ("redis", .integer(cached.count)),
                ("redis_version", .integer(cached.version)),
                ("counters", state.map { .integer($0.count) } ?? .null),
                ("version", state.map { .integer($0.version) } ?? .null),
            ]
        }
    }

    /// `post:456 counter-high counters=12 likes=10 version=17`, and whether it was mended if that was asked for.
    func text(_ types: StoredTypes, isMended: Bool?) -> String {
        var words = [types.text(of: item), kind] + sides.map { "\($0.name)=\($0.value.word)" }
        if let isMended { words.append(isMended ? "mended" : "not-mended") }
        return words.joined(separator: " ")
    }

    func json(_ types: StoredTypes, isMended: Bool?) -> JSON {
        var members: [(name: String, value: JSON)] = [
            ("item", .string(types.text(of: item))), ("kind", .string(kind)),
        ]
        members += sides
        if let isMended { members.append(("mended", .bool(isMended))) }
        return .object(members)
    }
}

extension JSON {
    /// For a line; `-` if there is nothing.
    fileprivate var word: String {
        switch self {
        case .null: "-"
        case .bool, .integer, .number, .numeral, .string, .array, .object: text
        }
    }
}
