import LikesCore

extension Simulation {
    /// The server that has the item's counter. While nobody has its slot: any.
    func server(of item: Int) -> Redis {
        cluster.flatMap { $0.owner(of: $0.pieces.ofItem[item]) }.map { redises[$0] } ?? redis
    }

    /// In the end each key is on the node that owns its slot, and all nodes agree on that.
    func checkSlots(_ cluster: Cluster) {
        let living = cluster.members.indices.filter { !cluster.members[$0].isGone && redises[$0].isWorking }
        for node in living {
            for key in redises[node].store.keys where redises[node].has(key) {
                let piece = cluster.pieces.piece(of: key)
                guard cluster.isPrimary(node), cluster.owner(of: piece) != node else { continue }
                fail(Violation(.slots, "\(key) is on node \(node), which does not own its slot", item: key.item))
            }
        }
        for piece in cluster.pieces.pieces.indices where cluster.owner(of: piece) == nil {
            fail(Violation(.slots, "no node has the slots \(cluster.pieces.pieces[piece])"))
        }
        for place in cluster.moves.indices where cluster.moves[place].phase != .over {
            fail(Violation(.slots, "the slots of move \(place) are still on their way"))
        }
        checkRates(cluster)
    }

    /// While nothing but slots moves, no host counts by itself, and no user has two windows at once.
    private func checkRates(_ cluster: Cluster) {
        let limit = plan.configuration.rateLimitRequests
        let isOnlyMoved = plan.faults.allSatisfy {
            [.clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn].contains($0.kind)
        }
        guard limit > 0, isOnlyMoved else { return }
        for user in 0..<plan.usersCount {
            let admitted = redises.reduce(0) { $0 + $1.admitted[user] }
            let answered = operations.count {
                $0.isChange && $0.outcome == .answered && $0.pair / plan.items.count == user
            }
            if answered > admitted {
                let text = "\(answered) changes of user \(user + 1) were answered, \(admitted) were counted"
                fail(Violation(.rates, text))
            }
        }
    }
}
