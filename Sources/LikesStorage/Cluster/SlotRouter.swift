import LikesProtocol

/// Which node of Redis has a key of likesd's. Without a cluster there is one node, which has all of them.
package struct SlotRouter: Sendable {
    private let slots: KeySlots
    /// nil: there is no cluster.
    package private(set) var map: SlotMap?

    package init(_ types: ItemTypes) { slots = KeySlots(types) }

    /// The server turned out to be a node of a cluster, or the cluster has changed.
    package mutating func take(_ view: ClusterView) -> SlotMap.Change {
        var map = map ?? SlotMap()
        defer { self.map = map }
        return map.take(view)
    }

    /// Whether every key has a node.
    package var isWhole: Bool { map?.isWhole ?? true }

    /// The data of this node is new.
    package mutating func forgetFormer(_ place: Int) { map?.forgetFormer(place) }

    package func node(of item: Item) -> Int? { map.map { $0.owner(of: slots.of(item)) } ?? 0 }
    package func nodeOfRate(user: Int64) -> Int? { map.map { $0.owner(of: slots.ofRate(user: user)) } ?? 0 }
    package func nodeOfRecentLikes(user: Int64) -> Int? {
        map.map { $0.owner(of: slots.ofRecentLikes(user: user)) } ?? 0
    }
}
