import LikesStorage

/// What has to hold from before PostgreSQL is asked until its answer is put into Redis.
struct WritePermit: Equatable {
    /// By node.
    var nodes: [NodePermit]
    /// `DatabasePast.era`.
    var era: Int64
    var askedAt: Instant

    /// The generation of the node's data; nil: it must not be written.
    func generation(on node: NodePlace) -> Generation? { node < nodes.count ? nodes[node].generation : nil }

    /// Whether the permit still holds for the node. `now` is a permit for the present moment.
    func holds(_ now: WritePermit, on node: NodePlace) -> Bool {
        let generation = generation(on: node)
        return generation != nil && generation == now.generation(on: node) && isFresh(now, on: node)
    }

    /// Whether an answer to what was asked under the permit may be taken as current.
    func isFresh(_ now: WritePermit, on node: NodePlace) -> Bool {
        node < now.nodes.count && isFresh(now.nodes[node], era: now.era, on: node, now: now.askedAt)
    }

    /// The same with what concerns that node at present.
    func isFresh(_ present: NodePermit, era: Int64, on node: NodePlace, now: Instant) -> Bool {
        node < nodes.count && nodes[node].isSameTime(as: present) && self.era == era && isYoung(at: now)
    }

    func isYoung(at now: Instant) -> Bool { now.ms(since: askedAt) <= Limits.answerAgeMsMax }
}

/// The part of a permit that concerns one node.
struct NodePermit: Equatable {
    var generation: Generation?
    /// Which subscription would hear of newer counts in the meantime, or that there is none.
    var subscription: Int64
    /// When the node's data was last identified. What was changed before may not have been told.
    var identifiedAt: Instant
    /// `RedisNode.slotsWon`.
    var slotsWon: Int64

    /// Whether nothing was missed between the two.
    func isSameTime(as other: NodePermit) -> Bool {
        subscription == other.subscription && identifiedAt == other.identifiedAt
            && slotsWon == other.slotsWon
    }
}
