/// Something that can be liked: `post:456` on the wire.
public struct Item: Hashable, Sendable {
    /// The decimal id, 0 … 2^63−1.
    public var id: Int64
    /// The place of the item's type in `ItemTypes`, not its number in the database.
    public var type: UInt8

    /// Makes an item of the type at `type` in the configured `ItemTypes`.
    public init(type: UInt8, id: Int64) {
        self.type = type
        self.id = id
    }
}

/// One user's relation to one item: what a like is.
public struct Pair: Hashable, Sendable {
    /// The user's decimal id, 0 … 2^63−1.
    public var user: Int64
    /// The item that the user likes or not.
    public var item: Item

    /// Joins a user and an item.
    public init(user: Int64, item: Item) {
        self.user = user
        self.item = item
    }
}
