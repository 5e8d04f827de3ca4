import LikesStorage

/// One node of a cluster: what it has heard of the others, and which slots are on their way from it and to it.
struct ClusterMember {
    let id: String
    let host: String
    /// By piece: the node that owns it, as far as this one has heard.
    var owners: [Int]
    /// Pieces that their owner does not claim any more.
    var unclaimed: Set<Int> = []
    /// By node: the last configuration epoch heard of it; −1: this node does not know it.
    var epochs: [Int64]
    /// By node: whether it is a primary, as far as this one has heard.
    var arePrimaries: [Bool]
    /// By piece: to which node it is on its way, from which one.
    var migrating: [Int: Int] = [:]
    var importing: [Int: Int] = [:]
    /// Until then no other node hears it, nor does it hear others.
    var isolatedUntil: Micros = 0
    /// From then on, while it is isolated, it answers nothing.
    var failsFrom: Micros = .never
    /// The node that it copies; nil: it is a primary.
    var primary: Int?
    /// Since when it has been one.
    var primaryFrom: Micros = -.seconds(60)
    /// It ended for good.
    var isGone = false
    /// What it tells of all; nil: something has changed since.
    var view: ClusterView?
}
