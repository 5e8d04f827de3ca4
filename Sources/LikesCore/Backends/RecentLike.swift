import LikesProtocol

/// A change of a user's recent likes.
package struct RecentLike: Hashable, Sendable {
    package var pair: Pair
    /// Add the item to the user's recent likes, or take it out.
    package var add: Bool
    package init(pair: Pair, add: Bool) {
        self.pair = pair
        self.add = add
    }
}
