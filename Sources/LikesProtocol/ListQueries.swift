/// What LIKES asks for: a page of the items that a user likes, ordered by id and then by the type's number in
/// PostgreSQL.
public struct LikesQuery: Hashable, Sendable {
    /// Whose likes.
    public var user: Int64
    /// The page begins behind this item, whether the user likes it or not; nil: with the first.
    public var after: Item?
    /// The page's size, 1 … `WireLimits.itemsPerRequestMax`.
    public var limit: Int

    /// Makes a query.
    public init(user: Int64, after: Item? = nil, limit: Int = WireLimits.pageItems) {
        self.user = user
        self.after = after
        self.limit = limit
    }
}

/// What LIKERS asks for: a page of the users who like an item, ordered by id.
public struct LikersQuery: Hashable, Sendable {
    /// The message of `ERR` where PostgreSQL lacks the index. likes-http knows by it what cannot be answered at all.
    package static let withoutIndex =
        "LIKERS needs an index of user_likes that this database lacks: 'likesctl migrate --likers-index' makes it"

    /// The item that they like.
    public var item: Item
    /// The page begins behind this user; nil: with the first.
    public var after: Int64?
    /// The page's size, 1 … `WireLimits.itemsPerRequestMax`.
    public var limit: Int

    /// Makes a query.
    public init(item: Item, after: Int64? = nil, limit: Int = WireLimits.pageItems) {
        self.item = item
        self.after = after
        self.limit = limit
    }
}
