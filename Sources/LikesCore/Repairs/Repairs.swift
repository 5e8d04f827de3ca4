import LikesProtocol
import LikesStorage

/// All counters that may be old in Redis, by the node that has them.
///
/// A node that is down, or that has to be filled again, delays no repair of another node.
struct Repairs {
    /// Counted by each node.
    typealias PageNumber = UInt64

    private var nodes: [NodeRepairs]
    /// The passes over `cache_repairs`.
    var passes: RepairPasses
    /// Told to all hosts since the start.
    private(set) var toldTotal: Int64 = 0
    private let limits: Limits

    init(_ limits: Limits = .standard, seed: UInt64 = 0, now: Instant = Instant(microseconds: 0)) {
        self.limits = limits
        nodes = [NodeRepairs(limits, seed: seed)]
        passes = RepairPasses(now: now)
    }

    mutating func addNode(seed: UInt64, now: Instant) {
        nodes.append(NodeRepairs(limits, node: nodes.count, seed: seed))
        passes.addNode(now: now)
    }

    // Not `_read`: its coroutine would allocate.
    subscript(_ node: NodePlace) -> NodeRepairs {
        get { nodes[node] }
        _modify { yield &nodes[node] }
    }

    var places: Range<NodePlace> { nodes.indices }

    var count: Int { nodes.reduce(0) { $0 + $1.count } }
    var untoldCount: Int { nodes.reduce(0) { $0 + $1.untoldCount } }
    /// Set in Redis, or found to be set there by another host or made needless, since the start.
    var totals: NodeRepairs.Totals {
        nodes.reduce(into: NodeRepairs.Totals()) {
            $0.done += $1.totals.done
            $0.spared += $1.totals.spared
        }
    }
    /// When to try again what failed; nil: nothing is delayed.
    var wakeAt: Instant? { nodes.compactMap(\.wakeAt).min() }
    /// What only this process knows.
    var untold: [Item] { nodes.count == 1 ? nodes[0].untold.inOrder : nodes.flatMap(\.untold.inOrder) }

    /// This host knows all that hosts could not write to the node, so every other item may be read there.
    func isAllKnown(_ node: NodePlace) -> Bool { passes.isComplete(node) && !nodes[node].isFull }

    /// PostgreSQL has answered for a page that is still to be set in the node.
    func isPageRead(_ node: NodePlace) -> Bool { nodes[node].pages.firstRead != nil }

    func contains(_ item: Item, on node: NodePlace?) -> Bool { nodes[node ?? 0].contains(item) }

    /// The items that are to be repaired on the node, and the others. A filter outside would copy all of the node's
    /// repairs for each item.
    func among(_ items: [Item], on node: NodePlace) -> [Item] { items.filter(nodes[node].contains) }
    func without(_ items: [Item], on node: NodePlace) -> [Item] {
        nodes[node].count == 0 ? items : items.filter { !nodes[node].contains($0) }
    }

    // MARK: What concerns all nodes

    /// The database is at another past: what was read before means nothing.
    mutating func rereadAll() { for node in places { nodes[node].rereadAll() } }

    /// Rows of `cache_repairs` belong to a past that is over.
    mutating func forgetRows() { for node in places { nodes[node].forgetRows() } }

    /// No answer from before the deletion of rows is under way any more.
    mutating func forgetStruckOff() { for node in places { nodes[node].forgetStruckOff() } }

    /// `wakeAt` may have come.
    mutating func tick(now: Instant) { for node in places { nodes[node].tick(now: now) } }

    mutating func takeToTell(max: Int) -> [Item] {
        var taken: [Item] = []
        for node in places where taken.count < max { taken += nodes[node].takeToTell(max: max - taken.count) }
        return taken
    }

    /// `cache_repairs` has the items. What this process has no room for is found there again.
    mutating func told(_ items: [Item], nodeOf: (Item) -> NodePlace?, now: Instant) {
        toldTotal += Int64(items.count)
        for node in places {
            let isKept = !nodes[node].isFull
            // Slots may have moved since they were taken.
            nodes[node].told(items, isKept: isKept)
            if !isKept, items.contains(where: { (nodeOf($0) ?? 0) == node }) { passes.startOver(node, now: now) }
        }
    }

    mutating func tellingFailed(_ items: [Item]) { for node in places { nodes[node].tellingFailed(items) } }

    /// Rows of `cache_repairs` that can be deleted, of the nodes for which `mayStrikeOff` holds.
    mutating func takeMended(max: Int, where mayStrikeOff: (NodePlace) -> Bool) -> [MendedRow] {
        var taken: [MendedRow] = []
        for node in places where taken.count < max && mayStrikeOff(node) {
            taken += nodes[node].takeMended(max: max - taken.count)
        }
        return taken
    }

    mutating func mendingFailed(_ rows: [MendedRow]) { for node in places { nodes[node].mendingFailed(rows) } }

    /// The rows are deleted. `mayBeSeen`: an answer that may still contain them is under way.
    mutating func struck(_ rows: [MendedRow], mayBeSeen: Bool) {
        for node in places { nodes[node].struck(rows, mayBeSeen: mayBeSeen) }
    }

    /// Slots have moved: each repair goes to the node that has its item now.
    mutating func slotsMoved(nodeOf: (Item) -> NodePlace?) {
        for node in places { slotsMoved(from: node, nodeOf: nodeOf) }
    }

    mutating func slotsMoved(from node: NodePlace, nodeOf: (Item) -> NodePlace?) {
        for repair in nodes[node].takeMoved(where: { (nodeOf($0) ?? 0) != node }) {
            nodes[nodeOf(repair.item) ?? 0].take(repair)
        }
    }

    func checkInvariants() {
        passes.checkInvariants()
        for node in nodes { node.checkInvariants() }
    }
}
