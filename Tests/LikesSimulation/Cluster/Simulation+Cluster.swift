import LikesCore
import LikesStorage

// The nodes of a cluster: how they come, go, and hear of each other.
extension Simulation {
    /// Some primary, by what the fault says.
    func node(for fault: Fault) -> Int {
        guard let cluster else { return 0 }
        let primaries = cluster.primaries
        return primaries.isEmpty ? 0 : primaries[fault.host % primaries.count]
    }

    func otherNode(than node: Int) -> Int? {
        guard let others = cluster?.primaries.filter({ $0 != node && redises[$0].isWorking }), !others.isEmpty else {
            return nil
        }
        return others[scheduler.chance.below(others.count)]
    }

    /// The items whose counters the node has, or is to have.
    func items(of node: Int) -> UInt32 {
        guard let cluster else { return .max }
        var pieces = Set(cluster.pieces.pieces.indices.filter { cluster.owner(of: $0) == node })
        pieces.formUnion(cluster.members[node].importing.keys)
        pieces.formUnion(cluster.moves.lazy.filter { $0.phase != .over && $0.to == node }.map(\.piece))
        return cluster.pieces.items(in: pieces)
    }

    func beginOfCluster(_ fault: Fault, until: Micros) {
        guard let cluster else { return }
        let node = node(for: fault)
        switch fault.kind {
        case .clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn:
            guard let other = otherNode(than: node) else { return }
            let most = fault.kind == .clusterSlotsMove ? 12 : 4
            moveSlots(cluster, from: node, to: other, most: most, until: until, fault.kind)
        case .clusterNodeJoins:
            let new = addServer(joining: cluster, knownBy: node)
            // Its first slots come at once, or once everybody knows it.
            let wait = scheduler.chance.hits(percent: 30) ? 0 : scheduler.chance.skewed(.ms(50), .seconds(12))
            scheduler.after(wait, .nodeGetsSlots, Int32(new), UInt32(node))
        case .clusterNodeDies: failOver(cluster, node, isolatedUntil: 0)
        case .clusterNodeDeposed: failOver(cluster, node, isolatedUntil: until)
        default: preconditionFailure("not a cluster's own")
        }
    }

    /// The first slots of a node that has joined.
    func giveSlots(to node: Int, from other: Int) {
        guard let cluster, now < plan.calmFrom, redises[other].isWorking, cluster.isPrimary(other) else { return }
        moveSlots(cluster, from: other, to: node, most: 12, until: now, .clusterSlotsMove)
    }

    private func addServer(joining cluster: Cluster, knownBy contact: Int) -> Int {
        let node = cluster.join(knownBy: contact)
        let redis = Redis(scheduler: scheduler, plan: plan, safeguards: safeguards, number: node)
        redis.cluster = cluster
        redises.append(redis)
        return node
    }

    /// A node dies, or is cut off from the others and serves hosts that reach it for a while. Its replica takes over
    /// with what it has.
    private func failOver(_ cluster: Cluster, _ node: Int, isolatedUntil: Micros) {
        let owned = cluster.pieces.pieces.indices.filter { cluster.owner(of: $0) == node }
        let copies = cluster.members.indices.filter {
            cluster.members[$0].primary == node && redises[$0].isWorking && !cluster.isIsolated($0)
        }
        guard let new = copies.last, isOneKnown(cluster, besides: node) else { return }
        scheduler.coverage.note(.nodesReplaced)
        let old = redises[node]
        // The node's last seconds, and the time until all use its successor.
        let end = max(isolatedUntil, now) + .seconds(6)
        troubles.append(Trouble(scope: .repairs, from: now, to: end, items: items(of: node)))
        redises[new].copy(old, isWhole: scheduler.chance.hits(percent: 30))
        if isolatedUntil > 0 {
            cluster.members[node].isolatedUntil = isolatedUntil
            cluster.members[node].failsFrom = now + scheduler.chance.between(0, isolatedUntil - now)
            // Those that stay with it may reach no other.
            let isApart = scheduler.chance.hits(percent: 40)
            for host in hosts.indices {
                let stays = scheduler.chance.hits(percent: 50)
                if !stays { cutOff(host, from: node, until: isolatedUntil) }
                guard stays, isApart else { continue }
                for other in redises.indices where other != node { cutOff(host, from: other, until: isolatedUntil) }
                troubles.append(Trouble(scope: .repairs, from: now, to: end))
            }
        } else {
            cluster.members[node].isGone = true
            old.restart(.empty, until: .never)
            // Some come back as a copy of their successor; those that REDIS_URL names do, or no new host would find
            // the rest.
            if scheduler.chance.hits(percent: 50) || plan.nodesNamed.contains(node) {
                scheduler.after(scheduler.chance.skewed(.ms(500), .seconds(10)), .nodeReturns, Int32(node), UInt32(new))
            }
        }
        scheduler.after(scheduler.chance.skewed(.ms(5), .seconds(3)), .nodePromoted, Int32(new), UInt32(node))
        promoted[new] = owned
    }

    /// Whether hosts, which ask rarely while all is well, know another node that can tell of the new one: others vote
    /// for it. New hosts know those that REDIS_URL names.
    private func isOneKnown(_ cluster: Cluster, besides node: Int) -> Bool {
        plan.nodesNamed.contains { $0 != node && redises[$0].isWorking }
            && cluster.primaries.contains { other in
                other != node && redises[other].isWorking && cluster.members[other].primaryFrom + .seconds(15) <= now
            }
    }

    func promote(_ new: Int, insteadOf old: Int) {
        guard let cluster, let owned = promoted[new] else { return }
        promoted[new] = nil
        cluster.members[new].primary = nil
        cluster.members[new].primaryFrom = now
        cluster.members[new].arePrimaries[new] = true
        cluster.members[new].arePrimaries[old] = false
        cluster.members[new].migrating = [:]
        cluster.members[new].importing = [:]
        redises[new].beginLife()
        // Others may have got some of them meanwhile.
        let left = owned.filter { piece in
            cluster.owner(of: piece).map { $0 == old } ?? true
        }
        cluster.claim(left, by: new)
        redises[new].keepOwn()
        mendMoves(cluster, of: old, by: new)
    }

    /// A node that was replaced is back.
    func comeBack(_ node: Int, copies new: Int) {
        guard let cluster else { return }
        guard promoted[new] == nil else {
            return scheduler.after(.ms(100), .nodeReturns, Int32(node), UInt32(new))
        }
        cluster.members[node].isGone = false
        redises[node].start()
        demote(node, to: new, cluster)
        cluster.announce(node)
        for other in cluster.members.indices where other != node {
            scheduler.after(scheduler.chance.skewed(100, .ms(50)), .clusterHears, Int32(node), UInt32(other))
        }
    }

    private func demote(_ node: Int, to new: Int, _ cluster: Cluster) {
        cluster.members[node].arePrimaries[node] = false
        cluster.members[node].primary = new
        cluster.members[node].migrating = [:]
        cluster.members[node].importing = [:]
        cluster.members[node].view = nil
        redises[node].flush()
    }

    /// A ping arrives, if it can.
    func hear(_ node: Int, from other: Int) {
        guard let cluster else { return }
        let isCut = cluster.isIsolated(node) || cluster.isIsolated(other)
        if cluster.members[node].isGone || cluster.members[other].isGone { return }
        guard !isCut, redises[node].isWorking, redises[other].isWorking else {
            return scheduler.after(.ms(150), .clusterHears, Int32(node), UInt32(other))
        }
        let hadSlots = cluster.isPrimary(node) && !cluster.pieces(of: node).isEmpty
        let lost = cluster.hear(node, from: other)
        if hadSlots, cluster.isPrimary(node), cluster.pieces(of: node).isEmpty, !lost.isEmpty,
            lost.allSatisfy({ cluster.members[node].migrating[$0] == nil }), wasReplaced(node)
        {
            return comeBack(node, copies: other)
        }
        drop(lost, of: node)
    }

    /// The node has lost these pieces.
    func drop(_ lost: [Int], of node: Int) {
        guard let cluster else { return }
        for piece in lost {
            for key in redises[node].keys(in: piece) {
                redises[node].store.evict(key)
                // Those that no move has taken along.
                scheduler.coverage.note(.keysLeftBehind)
            }
            cluster.members[node].importing[piece] = nil
        }
    }

    private func wasReplaced(_ node: Int) -> Bool {
        guard let cluster else { return false }
        return cluster.members[node].failsFrom != .never
    }

    // MARK: Between hosts and nodes

    func isCutOff(_ host: Int, from server: Int) -> Bool { (hosts[host].redisCutUntil[server] ?? 0) > now }

    func cutOff(_ host: Int, from server: Int, until: Micros) {
        hosts[host].redisCutUntil[server] = max(hosts[host].redisCutUntil[server] ?? 0, until)
        cut(host, linksToRedis(host, server))
    }

    /// The host's connections to that server.
    func linksToRedis(_ host: Int, _ server: Int) -> [Backend] {
        guard cluster != nil else { return Backend.ofRedis }
        return Backend.all(redis: hosts[host].redisPlacesCount, standbys: 0).filter { backend in
            let link = hosts[host][backend]
            return backend.isRedis && link >= 0 && Int(wires[Int(link)].server) == server
        }
    }

    // MARK: Which node has what

    func learn(_ view: ClusterView?, _ host: Int) {
        tell(host) { core, turn in
            if let view {
                core.clusterSeen(view, &turn)
            } else {
                core.clusterUnseen(.unreachable("no node answers"), &turn)
            }
        }
    }

    /// A host asks one of the nodes that it reaches.
    func askCluster(_ host: Int) {
        scheduler.after(scheduler.chance.skewed(50, .ms(20)), .clusterAsked, Int32(host), UInt32(hosts[host].life))
    }

    func answerAboutCluster(_ host: Int, _ life: UInt32) {
        guard let cluster, let process = hosts[host].process, UInt32(hosts[host].life) == life else { return }
        let named = process.core.clusterNodes.map(\.host) + plan.nodesNamed.map(Cluster.host)
        let reachable = Set(named.compactMap(cluster.number)).sorted().filter {
            redises[$0].isWorking && !isCutOff(host, from: $0)
        }
        var view: ClusterView?
        if !reachable.isEmpty { view = cluster.view(of: reachable[scheduler.chance.below(reachable.count)]) }
        hosts[host].inbox.append(.cluster(view))
        wake(host)
    }
}
