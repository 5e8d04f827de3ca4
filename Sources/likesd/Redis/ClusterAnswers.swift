import LikesSettings
import LikesStorage

/// What nodes say in one look at a Redis Cluster, and which of it is believed. REDIS_URL may still name a node that has
/// left for another cluster, and what is cached is not to follow it there.
struct ClusterAnswers {
    /// What to make of a node's view.
    enum Verdict {
        /// It is of the cluster in use, or of the one that was in use before.
        case taken
        /// No cluster is in use yet: whose it is depends on what others say.
        case counted
        /// It is of another cluster.
        case refused
    }

    /// The nodes in use; empty: no cluster is known yet.
    let known: [ClusterView.Node]
    /// The ids of the nodes that were in use before this host gave their cluster up.
    let former: Set<String>
    /// Who answered and belongs to another cluster, or to none.
    private(set) var strangers: [RedisEndpoint.Address] = []
    private var other: (view: ClusterView, isInPlace: Bool)?
    /// While no cluster is known: one view of each, and how many nodes gave one.
    private var counted: [(view: ClusterView, nodesCount: Int)] = []

    init(known: [ClusterView.Node], former: Set<String> = []) {
        self.known = known
        self.former = former
    }

    mutating func take(_ view: ClusterView, from address: RedisEndpoint.Address) -> Verdict {
        if known.isEmpty {
            count(view)
            return .counted
        }
        if known.contains(where: { view.ids.contains($0.id) }) || !former.isDisjoint(with: view.ids) { return .taken }
        strangers.append(address)
        let isInPlace = known.contains { .tcp(host: $0.host, port: $0.port) == address }
        if other == nil || isInPlace { other = (view, isInPlace) }
        return .refused
    }

    private mutating func count(_ view: ClusterView) {
        if let place = counted.firstIndex(where: { !$0.view.ids.isDisjoint(with: view.ids) }) {
            counted[place].nodesCount += 1
        } else {
            counted.append((view, 1))
        }
    }

    /// The cluster to which more than half of these belong; nil: not so many have answered yet.
    func first(ofMostAmong addressesCount: Int) -> ClusterView? {
        counted.first { 2 * $0.nodesCount > addressesCount }?.view
    }

    /// The cluster to which most of those belong that have answered. Of several, the one that REDIS_URL names first.
    var first: ClusterView? {
        counted.reduce(nil) { (most: (view: ClusterView, nodesCount: Int)?, next) in
            if let most, most.nodesCount >= next.nodesCount { most } else { next }
        }?.view
    }

    /// The view to take although none was of the cluster in use: its nodes were set up anew at their places, or have
    /// not answered for a long time. nil: it is too early to give them up.
    func otherCluster(silentMs: Int64) -> ClusterView? {
        guard let other else { return nil }
        let waitMs = other.isInPlace ? EdgeLimits.clusterReplacedMs : EdgeLimits.clusterGivenUpMs
        return silentMs >= waitMs ? other.view : nil
    }
}
