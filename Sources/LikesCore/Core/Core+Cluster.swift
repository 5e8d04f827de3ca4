import LikesProtocol
import LikesStorage

// A Redis Cluster: its nodes, and the slots that move between them.
extension Core {
    /// Where the connection to the node leads; nil: to the server that REDIS_URL names, which is not known to be one of
    /// a cluster.
    package func clusterNode(_ node: NodePlace) -> ClusterView.Node? { redis.clusterNode(node) }

    /// The nodes that may say which node has what.
    package var clusterNodes: [ClusterView.Node] { redis.inUse.compactMap(redis.clusterNode) }

    /// A node said which nodes have what: asked by `.askCluster`, or while a connection was made.
    package mutating func clusterSeen(_ view: ClusterView, _ turn: inout Turn) {
        let isNews = !redis.isCluster
        let before = redis
        let change = redis.take(view, now: turn.now)
        while repairs.places.count < redis.places.count {
            coherence.addNode(configuration, key: random.key, limits, now: turn.now)
            repairs.addNode(seed: random.next(), now: turn.now)
        }
        settings.nodesChanged(redis)
        if isNews { leaveNamedServer(&turn) }
        for node in redis.places { placeMarker(of: node, &turn) }
        for node in redis.places where coherence[node].trust.unfit == nil { identifyData(node, &turn) }
        for node in change.losers { known.expireAll(of: node) }
        if !change.isEmpty {
            repairs.slotsMoved(nodeOf: redis.node)
            rereadMoved(from: before)
        }
        for node in change.regainers where safeguards.regainedSlots { disownData(node, &turn) }
        leaveUnused(&turn)
        if isNews || !change.isEmpty {
            let nodes = Counted.text(redis.inUse.count, "primary", plural: "primaries")
            let slots = redis.isWhole ? "all slots" : "\(redis.slotsCount) of \(RedisSlot.count) slots"
            let moved = Counted.text(change.slotsCount, "slot")
            let what = isNews ? "is a cluster" : "moved \(moved)"
            say(.cluster, .notice, "Redis \(what): \(nodes) with \(slots)", &turn)
        }
        askAgain(nil, isNews: !change.isEmpty, &turn)
    }

    /// What this host wrote to a node that has lost the slot may not be what the new one has, and if messages of the
    /// former one are missed, nobody will look for it there.
    private mutating func rereadMoved(from before: RedisAccess) {
        let redis = redis
        let moved = known.takeWritten { before.node(of: $0) != redis.node(of: $0) }
        guard safeguards.counterMemory else { return }
        for (node, items) in redis.byNode(moved, { $0 }) { if let node { repairs[node].reread(items) } }
    }

    /// Nobody answered `.askCluster`.
    package mutating func clusterUnseen(_ failure: BackendFailure, _ turn: inout Turn) {
        askAgain(failure, isNews: false, &turn)
    }

    /// A node turned out not to have what it was asked for.
    package mutating func slotsMoved(_ turn: inout Turn) { redis.asks.askSoon(now: turn.now) }

    private mutating func askAgain(_ failure: BackendFailure?, isNews: Bool, _ turn: inout Turn) {
        let isSettled =
            failure == nil && redis.isWhole
            && redis.inUse.allSatisfy { coherence[$0].trust.generation != nil }
        let ms = isSettled ? Limits.clusterAskMs : Limits.clusterTroubleAskMs
        let afterMs = ms + Int64(random.next() % UInt64(ms / 4))
        redis.asks.answered(failure, isNews: isNews, afterMs: afterMs, now: turn.now)
    }

    mutating func askCluster(_ turn: inout Turn) {
        guard let dueAt = redis.asks.dueAt, dueAt <= turn.now else { return }
        redis.asks.begin(now: turn.now)
        turn.append(.askCluster)
    }

    /// For INFO: the cluster, and a line for each node that has slots.
    var clusterFields: [(String, String)] {
        let nodes = redis.inUse
        let all = [
            ("redis_server", ""), ("redis_nodes", String(nodes.count)), ("redis_slots", String(redis.slotsCount)),
        ]
        return all
            + nodes.enumerated().map { number, node in
                let facts = [
                    "address=\(redis.clusterNode(node)?.name ?? "")", "id=\(redis.clusterNode(node)?.id ?? "")",
                    "slots=\(redis.slotsCount(node))", "state=\(state(of: node))",
                    "counters=\(readableGeneration(node) == nil ? "unread" : "read")",
                    "repairs=\(repairs[node].count)",
                ]
                return ("node\(number + 1)", facts.joined(separator: ","))
            }
    }

    /// In one word.
    private func state(of node: NodePlace) -> String {
        guard redis[node].link.isUp else { return "down" }
        let trust = coherence[node].trust
        if trust.dispute != nil { return "disputed" }
        if trust.generation == nil { return "identifying" }
        if !redis[node].subscriber.isUp { return "deaf" }
        return redis[node].refusals.isEmpty ? "ok" : "refusing"
    }

    // MARK: Nodes

    /// The server that REDIS_URL names turned out to be one of a cluster. Place 0 may be another node's.
    private mutating func leaveNamedServer(_ turn: inout Turn) {
        for backend in [Backend.redis(0), .subscriber(0)] where !self[backend].isDown {
            giveUp(backend, .unreachable("it is a node of a cluster"), isQuiet: true, &turn)
        }
        for backend in [Backend.redis(0), .subscriber(0)] { self[backend].restart(now: turn.now) }
    }

    /// Ends the connections to nodes that have nothing any more.
    private mutating func leaveUnused(_ turn: inout Turn) {
        for node in redis.places {
            for backend in [Backend.redis(node), .subscriber(node)]
            where !redis.needs(backend) && !self[backend].isDown {
                giveUp(backend, .unreachable("it has no slots any more"), isQuiet: true, &turn)
            }
        }
    }

    /// Tells where the node's marker is. If its place has changed, the marker is put there as well: hosts that have
    /// heard of the change look there, others where it was.
    mutating func placeMarker(of node: NodePlace, _ turn: inout Turn) {
        guard let key = redis.takeMarkerKey(of: node) else { return }
        turn.append(.markerKey(node, key))
        // Where the marker was, it could not be made.
        if coherence[node].trust.unfit != nil { coherence[node].trust.lose(now: turn.now) }
        guard redis[node].link.isUp, let generation = coherence[node].trust.generation else { return }
        putMarker(generation, of: node, instead: "", &turn)
    }

    /// `instead`: what stands in the marker's place; empty: nothing.
    mutating func putMarker(
        _ generation: Generation, of node: NodePlace, instead: String, _ turn: inout Turn
    ) {
        let secret = coherence.sealer.secret
        let request = IdentifyRequest(new: IdentifyRequest.New(copy: generation, instead: instead, secret: secret))
        redis.call(.identify(request), .identify(request), on: node, &turn)
    }
}
