import LikesCore
import LikesStorage

/// A cluster of simulated Redis servers. There is no place that knows who owns a slot: each node believes the claims
/// that it has heard, of two claims the one with the higher configuration epoch.
package final class Cluster {
    let scheduler: Scheduler
    let plan: Plan
    let pieces: SlotPieces
    /// By the number of the server.
    var members: [ClusterMember] = []
    var moves: [SlotMove] = []
    /// By piece: the nodes that have had it.
    var former: [Int: Set<Int>] = [:]
    /// Until then a node has not been told that it lost a slot.
    var isSettledFrom: Micros = 0
    private var chance: Chance

    init(scheduler: Scheduler, plan: Plan, seed: UInt64) {
        self.scheduler = scheduler
        self.plan = plan
        pieces = SlotPieces(plan)
        chance = Chance(seed: seed ^ 0xC1_05_7E_12)
        let nodes = plan.nodesCount
        let owners = (0..<pieces.count).map { $0 * nodes / pieces.count }
        // Behind them come their copies.
        for node in 0..<(2 * nodes) {
            let epochs = (0..<(2 * nodes)).map { $0 < nodes ? Int64($0) + 1 : 0 }
            var member = ClusterMember(
                id: makeID(), host: Self.host(node), owners: owners, epochs: epochs,
                arePrimaries: epochs.map { $0 > 0 })
            if node >= nodes { member.primary = node - nodes }
            members.append(member)
        }
    }

    static let port = 7_000
    static func host(_ node: Int) -> String { "node\(node)" }

    private func makeID() -> String {
        let digits = (0..<3).map { _ in String(chance.next(), radix: 16) }.joined()
        return String((digits + String(repeating: "0", count: 40)).prefix(40))
    }

    /// A primary that knows all that `contact` knows, and that others have to hear of.
    func join(knownBy contact: Int) -> Int {
        let node = members.count
        for place in members.indices {
            members[place].epochs.append(-1)
            members[place].arePrimaries.append(false)
        }
        var member = ClusterMember(
            id: makeID(), host: Self.host(node), owners: members[contact].owners, epochs: members[contact].epochs,
            arePrimaries: members[contact].arePrimaries)
        member.epochs[node] = 0
        member.arePrimaries[node] = true
        member.primaryFrom = scheduler.now
        members.append(member)
        announce(node)
        return node
    }

    // MARK: What nodes hear

    /// All others are to hear what the node claims.
    func announce(_ node: Int) {
        for other in members.indices where other != node {
            let delay =
                scheduler.chance.hits(percent: 80)
                ? scheduler.chance.skewed(100, .ms(20)) : scheduler.chance.skewed(.ms(1), .seconds(2))
            scheduler.after(delay, .clusterHears, Int32(other), UInt32(node))
        }
    }

    /// `node` hears the claims of `other`, as they are now. Returns the pieces that it has lost.
    func hear(_ node: Int, from other: Int) -> [Int] {
        let claim = members[other]
        members[node].view = nil
        members[node].epochs[other] = max(members[node].epochs[other], claim.epochs[other])
        members[node].arePrimaries[other] = claim.arePrimaries[other]
        guard claim.arePrimaries[other] else { return [] }
        var lost: [Int] = []
        for piece in claim.owners.indices where claim.owners[piece] == other {
            let owner = members[node].owners[piece]
            guard owner != other,
                members[node].epochs[owner] < claim.epochs[other] || members[node].unclaimed.contains(piece)
            else { continue }
            take(piece, from: owner, at: node, &lost)
            members[node].owners[piece] = other
        }
        // What its owner claims no more, anybody may.
        for piece in claim.owners.indices where members[node].owners[piece] == other && claim.owners[piece] != other {
            members[node].unclaimed.insert(piece)
        }
        return lost
    }

    private func take(_ piece: Int, from owner: Int, at node: Int, _ lost: inout [Int]) {
        if owner == node { lost.append(piece) }
        members[node].migrating[piece] = nil
        members[node].unclaimed.remove(piece)
    }

    /// The operator tells the node who owns the piece. Returns whether it has lost it.
    func set(_ piece: Int, at node: Int, to owner: Int) -> [Int] {
        var lost: [Int] = []
        guard members[node].owners[piece] != owner else { return [] }
        members[node].view = nil
        take(piece, from: members[node].owners[piece], at: node, &lost)
        members[node].owners[piece] = owner
        return lost
    }

    /// The node claims the piece, at an epoch that is the highest of all.
    func claim(_ claimed: [Int], by node: Int) {
        let most = members.map { $0.epochs.max() ?? 0 }.max() ?? 0
        if members[node].epochs[node] < most { members[node].epochs[node] = most + 1 }
        for piece in claimed { members[node].owners[piece] = node }
        members[node].view = nil
        announce(node)
    }

    /// Whether the node takes itself for a primary.
    func isPrimary(_ node: Int) -> Bool { members[node].arePrimaries[node] }

    func owns(_ node: Int, _ piece: Int) -> Bool { members[node].owners[piece] == node && isPrimary(node) }

    func pieces(of node: Int) -> [Int] { pieces.pieces.indices.filter { owns(node, $0) } }

    /// The node that owns the piece by the highest claim of all that are there.
    func owner(of piece: Int) -> Int? {
        let claims = members.indices.filter { owns($0, piece) && !members[$0].isGone }
        return claims.max { members[$0].epochs[$0] < members[$1].epochs[$1] }
    }

    /// Those that serve their slots, or will when they are back.
    var primaries: [Int] {
        members.indices.filter { node in
            isPrimary(node) && !members[node].isGone && members[node].isolatedUntil <= scheduler.now
                && pieces.pieces.indices.contains { owner(of: $0) == node }
        }
    }

    func isIsolated(_ node: Int) -> Bool { members[node].isolatedUntil > scheduler.now }

    /// What the node answers to CLUSTER NODES.
    func view(of node: Int) -> ClusterView {
        if let view = members[node].view { return view }
        let member = members[node]
        var primaries: [ClusterView.Node] = []
        var ids: Set<String> = []
        for other in members.indices where member.epochs[other] >= 0 {
            ids.insert(members[other].id)
            guard member.arePrimaries[other] else { continue }
            var slots: [ClosedRange<Int>] = []
            for (piece, owner) in member.owners.enumerated() where owner == other {
                let range = pieces.pieces[piece]
                if let last = slots.last, last.upperBound + 1 == range.lowerBound {
                    slots[slots.count - 1] = last.lowerBound...range.upperBound
                } else {
                    slots.append(range)
                }
            }
            if slots.isEmpty, members[other].isGone { continue }
            primaries.append(
                ClusterView.Node(
                    id: members[other].id, host: members[other].host, port: Self.port, epoch: member.epochs[other],
                    slots: slots))
        }
        let view = ClusterView(primaries: primaries, ids: ids)
        members[node].view = view
        return view
    }

    /// The server that answers at the address.
    func number(host: String) -> Int? { members.lastIndex { $0.host == host } }
}

/// A piece of slots on its way from one node to another.
struct SlotMove {
    enum Phase { case opens, marks, moves, closes, returns, mends, over }
    let piece: Int
    var from: Int
    var to: Int
    var phase = Phase.opens
    /// The life of the node that it leaves.
    var life = ""
    /// How often it goes back and forth afterwards.
    var timesMore = 0
    /// It stops for so long once it is halfway; 0: it does not.
    var pause: Micros = 0
    /// It is taken back then.
    var isTakenBack = false
    var pace: Micros
}
