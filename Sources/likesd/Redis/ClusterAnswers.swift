import LikesSettings
import LikesStorage

/// What nodes say in one look at a Redis Cluster, and which of it is believed. REDIS_URL may still name a node that has
/// left for another cluster, and what is cached is not to follow it there.
struct ClusterAnswers {
    /// The nodes in use; empty: no cluster is known yet.
    let known: [ClusterView.Node]
    /// Who answered and belongs to another cluster, or to none.
    private(set) var strangers: [RedisEndpoint.Address] = []
    private var other: (view: ClusterView, isInPlace: Bool)?

    init(known: [ClusterView.Node]) { self.known = known }

    /// Whether the view is of the cluster that is in use.
    mutating func take(_ view: ClusterView, from address: RedisEndpoint.Address) -> Bool {
        if known.isEmpty || known.contains(where: { view.ids.contains($0.id) }) { return true }
        strangers.append(address)
        let isInPlace = known.contains { .tcp(host: $0.host, port: $0.port) == address }
        if other == nil || isInPlace { other = (view, isInPlace) }
        return false
    }

    /// The view to take although none was of the cluster in use: its nodes were set up anew at their places, or have
    /// not answered for a long time. nil: it is too early to give them up.
    func otherCluster(silentMs: Int64) -> ClusterView? {
        guard let other, other.isInPlace || silentMs >= EdgeLimits.clusterGivenUpMs else { return nil }
        return other.view
    }
}
