import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

/// Repairs of a Redis Cluster, each of which belongs to one node.
@Suite struct ClusterRepairTests {
    @Test("Repairs noted while nobody had named an owner go to the owner")
    func repairsOfSlotsWithoutAnOwnerGoToTheFirstOwner() throws {
        let scenario = try ClusterScenario()
        let item = scenario.item(on: 2)
        // As it is before the first view: everything is at place 0.
        var configuration = Configuration()
        configuration.localCacheEntries = 1_000
        var core = Core(
            configuration: configuration,
            versions: VersionFacts(processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252"),
            seed: 7, now: scenario.now)
        core.noteMissing([item], now: scenario.now)
        var turn = Turn(now: scenario.now)
        core.clusterSeen(scenario.views[0], &turn)
        #expect(core.repairs.contains(item, on: 2))
        #expect(!core.repairs.contains(item, on: 0))
    }

    @Test("A repair noted at a node that the item has left goes to the item's node")
    func aRepairNotedAtAFormerNodeGoesOn() throws {
        var scenario = try ClusterScenario()
        let item = scenario.item(on: 0)
        scenario.see(scenario.moved(slot: scenario.slot(of: item), to: 1, epoch: 9))
        // As `countersRead`, `heard` and `judge` do with an answer or a message of the former node.
        scenario.nodes[0].elsewhere = [item]
        scenario.core.repairs[0].reread([item])
        scenario.pass(ms: 60_000)
        #expect(scenario.core.repairs.count == 0, "it is tried at the former node for ever")
    }

    @Test("A pass that waits for room is not gone on with because a node without slots has room")
    func aPassWaitsForRoomOfNodesInUse() throws {
        var scenario = try ClusterScenario()
        // Node 3 has taken over from node 0, as after a failover.
        scenario.setUp(0, false)
        var view = scenario.views[0]
        view.primaries[0] = ClusterScenario.node(7, epoch: 12, view.primaries[0].slots)
        view.ids.insert(view.primaries[0].id)
        scenario.see(view)
        scenario.pass(ms: 3_000)
        #expect(!scenario.core.redis.isInUse(0))
        var turn = Turn(now: scenario.now)
        _ = scenario.core.repairs.passes.begin(settledBefore: 0, now: scenario.now)
        // All nodes in use are full.
        for node in 1...3 {
            var items: [Item] = []
            var id: Int64 = 1
            while items.count < scenario.core.limits.repairsMax {
                items.append(Item(type: 1, id: id))
                id += 1
            }
            scenario.core.repairs[node].reread(items)
        }
        scenario.core.repairs.passes.pause(after: RepairCursor(begin: 5), now: scenario.now)
        scenario.core.sendRepairPass(&turn)
        #expect(turn.actions.isEmpty, "the table is read on into full nodes")
    }
}
