import LikesSettings
import LikesStorage

// Whether a server is of use.
extension RedisServerFacts {
    struct ReasonAgainst {
        var reason: String
        var next: String?
        /// Another node has its slots now.
        var isMoved = false
    }

    /// By all that INFO says. `isKnownNode`: a cluster has named it as one of its primaries.
    func reasonAgainst(_ configuration: Configuration, isKnownNode: Bool) -> ReasonAgainst? {
        if isPrimary == false, isKnownNode {
            let next = Advice(configuration, on: .measured()).nodeIsReplica
            return ReasonAgainst(reason: "it is a replica now", next: next, isMoved: true)
        }
        if isPrimary == false {
            return ReasonAgainst(reason: "it is a replica, which takes no writes: point REDIS_URL at the primary")
        }
        if isTooOld, let version {
            return ReasonAgainst(reason: "it is Redis \(version), too old: likesd needs 6.2 or later")
        }
        return name == nil ? ReasonAgainst(reason: "INFO names no run_id and master_replid") : nil
    }

    /// By what INFO says first: whether it is what REDIS_URL means.
    func reasonAgainstKind(_ configuration: Configuration, isKnownNode: Bool) -> ReasonAgainst? {
        let advice = Advice(configuration, on: .measured())
        let noNode = ReasonAgainst(reason: "it is not a node of a Redis Cluster", next: advice.noNode)
        if isSentinel {
            return ReasonAgainst(
                reason: "it is a Sentinel, which has no data",
                next: "write redis-sentinel://HOST:PORT/0#NAME, with the name under which it watches the primary, in "
                    + configuration.places.text(of: .redisURL))
        }
        switch (isClusterNode, configuration.redis.topology) {
        case (true, .sentinels):
            return ReasonAgainst(reason: "it is a node of a Redis Cluster", next: advice.clusterBehindSentinels)
        case (true, _) where configuration.redis.database != 0:
            return ReasonAgainst(
                reason: "it is a node of a Redis Cluster, which has no database \(configuration.redis.database)",
                next: advice.clusterDatabase)
        case (false, .cluster): return noNode
        case (false, _) where isKnownNode:
            return ReasonAgainst(reason: "it is not a node of a Redis Cluster", next: advice.serverInsteadOfCluster)
        case (false, _): return nil
        default: return nil
        }
    }
}
