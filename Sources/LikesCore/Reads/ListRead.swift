import LikesProtocol

/// A page that LIKES or LIKERS asks for.
package enum ListQuery: Hashable, Sendable {
    case likes(LikesQuery)
    case likers(LikersQuery)

    /// How many elements it has at most.
    package var limit: Int {
        switch self {
        case .likes(let query): query.limit
        case .likers(let query): query.limit
        }
    }

    /// Whether the page may show a change of the pair.
    func sees(_ pair: Pair) -> Bool {
        switch self {
        case .likes(let query): query.user == pair.user
        case .likers(let query): query.item == pair.item
        }
    }

    /// Whether both pages may show the same pair.
    func overlaps(_ other: ListQuery) -> Bool {
        switch (self, other) {
        case (.likes(let query), .likes(let other)): query.user == other.user
        case (.likers(let query), .likers(let other)): query.item == other.item
        case (.likes, .likers), (.likers, .likes): true
        }
    }

    func isOfSameKind(as other: ListQuery) -> Bool {
        switch (self, other) {
        case (.likes, .likes), (.likers, .likers): true
        case (.likes, _), (.likers, _): false
        }
    }
}

/// A page to read, and who asked for it.
struct ListRead {
    var ticket: Ticket
    var query: ListQuery
}
