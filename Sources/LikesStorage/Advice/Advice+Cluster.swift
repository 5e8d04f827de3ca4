import LikesSettings

// What to do about the nodes of a Redis Cluster.
extension Advice {
    private var setting: String { configuration.places.text(of: .redisURL) }

    var isCluster: Bool { if case .cluster = configuration.redis.topology { true } else { false } }

    /// What a user needs in a cluster beside what it needs everywhere.
    static let clusterRights = "~likesd:generation* +cluster|nodes +cluster|myid +asking"

    /// A node does not answer. Its replicas notice it as well, unless only this host cannot reach it.
    func nodeMissing(_ address: RedisEndpoint.Address) -> String {
        "\(Self.client(address)) ping has to find it: start Redis there, or have one of its replicas take over: "
            + "cluster failover force on that replica" + (isNamed(address) ? "; or correct \(setting)" : "")
    }

    private func isNamed(_ address: RedisEndpoint.Address) -> Bool {
        if case .cluster(let named) = configuration.redis.topology { named.contains(address) } else { false }
    }

    /// Another node than the cluster said answers at its address.
    package var otherNode: String {
        "check that the nodes' addresses lead to them from this host too (cluster-announce-ip, cluster-announce-port)"
    }

    /// The node follows another one now.
    package var nodeIsReplica: String {
        "wait: a failover is under way; if it lasts, compare what the nodes answer to CLUSTER NODES"
    }

    /// A server that is none of a cluster's nodes, where one is expected.
    package var noNode: String {
        "name nodes of one Redis Cluster in \(setting), or a single server; a node needs 'cluster-enabled yes'"
    }

    /// A node of another cluster, or of none, beside those in use.
    package var strangeNode: String { "take it out of \(setting), or add it to the cluster" }

    /// A single server, where a cluster was.
    package var serverInsteadOfCluster: String {
        "sudo systemctl restart \(configuration.places.unit.shellWord) if this server has taken the cluster's place"
    }

    /// A cluster has one database.
    package var clusterDatabase: String { "name database 0 in \(setting): a Redis Cluster has no other" }

    /// Sentinels do not watch a cluster's nodes.
    package var clusterBehindSentinels: String {
        "name the nodes in \(setting) instead of Sentinels, as in redis://HOST:PORT,HOST:PORT/0"
    }

    /// No node said which of them has what.
    package var clusterUnseen: String {
        "redis-cli --cluster check HOST:PORT has to find the cluster: start its nodes, or correct \(setting)"
    }
}
