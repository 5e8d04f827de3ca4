import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What happens between the moment a node is replaced, or loses a slot, and the moment this host has compared the data
/// that is in its place.
@Suite struct ClusterRaceTests {
    private func named(_ token: String, _ node: Int) -> String { "\(token):\(String(repeating: "\(node)", count: 8))" }

    private func generation(_ server: String, least: Int64) -> Generation {
        Generation(
            server: server, database: Scenario.identity, snapshot: DatabaseSnapshot(least: least), token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
    }

    @Test("A like that only a deposed primary took is seen, however busy its host is meanwhile", arguments: [0, 1, 5])
    func whatOnlyADeposedPrimaryTookIsSeen(furtherBatches: Int) throws {
        var scenario = try ClusterScenario(nodes: 4) { $0.localCacheEntries = 0 }
        let (lost, other) = (scenario.item(on: 3), scenario.item(on: 0))
        _ = scenario.send(.like(Pair(user: 1, item: lost)))
        scenario.pass(ms: 10_000)
        var view = try #require(scenario.views.last)
        let slots = view.primaries[3].slots
        view.primaries[3].slots = []
        view.primaries.append(ClusterScenario.node(4, epoch: 9, slots))
        view.ids.insert(view.primaries[4].id)
        while scenario.nodes.count <= 4 { scenario.nodes.append(.init()) }
        scenario.nodes[4].isUp = false
        scenario.see(view)
        for user in 0..<furtherBatches {
            _ = scenario.send(.like(Pair(user: 2 + Int64(user), item: other)))
            // Some surveys cannot compare the new node yet.
            scenario.pass(ms: Limits.surveyMs)
        }
        // As the row has it: a batch that names no servers leaves it as it is.
        let row = try #require(scenario.commits.last { !$0.server.isEmpty }).server
        // Another host was first at node 4, and put the count from before the like there.
        let made = generation("run4:repl", least: 50)
        scenario.transaction = 70
        scenario.nodes[4].markers[scenario.nodes[4].markerKey] = made.marker
        let old = CounterState(item: lost, count: 0, version: 0)
        scenario.nodes[4].counters[lost] = scenario.core.coherence.sealer.seal(
            old, token: made.token, askedAt: scenario.now)
        scenario.strayed = [(60, Set(row.split(separator: ",").map(String.init)))]
        scenario.setUp(4, true)
        scenario.pass(ms: Limits.surveyMs + 1_000)
        scenario.strayed = []
        #expect(scenario.core.coherence[4].trust.token != made.token)
        #expect(scenario.send(.count(lost)) == .integer(1))
        // Once all is compared, the row names what is in use.
        _ = scenario.send(.like(Pair(user: 9, item: other)))
        scenario.pass(ms: 2 * Limits.surveyMs)
        _ = scenario.send(.like(Pair(user: 10, item: other)))
        #expect(scenario.commits.last?.server == "run0:repl,run1:repl,run2:repl,run4:repl")
    }

    @Test("A like that a deposed primary took right after another node was lost is seen")
    func whatADeposedPrimaryTookAfterAnotherNodeWasLostIsSeen() throws {
        var scenario = try ClusterScenario(nodes: 4) { $0.localCacheEntries = 0 }
        let item = scenario.item(on: 0)
        _ = scenario.send(.like(Pair(user: 1, item: scenario.item(on: 3))))
        scenario.step { core, turn in core.lane.survey(at: turn.now) }
        scenario.setUp(3, false)
        _ = scenario.send(.like(Pair(user: 1, item: item)))
        #expect(scenario.commits.last?.server == "", "the row stays as it is, with an earlier transaction")
        // Longer than what was written is remembered, but not until the next survey.
        scenario.pass(ms: Limits.surveyMs - 500)
        // Another host has filled the node in its place before that like was committed.
        let made = generation("run4:repl", least: 55)
        while scenario.nodes.count <= 4 { scenario.nodes.append(.init()) }
        scenario.transaction = 70
        var view = try #require(scenario.views.last)
        view.primaries.append(ClusterScenario.node(4, epoch: 9, view.primaries[0].slots))
        view.primaries[0].slots = []
        view.ids.insert(view.primaries[4].id)
        scenario.nodes[4].isUp = false
        scenario.see(view)
        scenario.nodes[4].markers[scenario.nodes[4].markerKey] = made.marker
        scenario.nodes[4].counters[item] = scenario.core.coherence.sealer.seal(
            CounterState(item: item, count: 0, version: 0), token: made.token, askedAt: scenario.now)
        scenario.setUp(4, true)
        scenario.pass(ms: Limits.surveyMs)
        let present = try #require(scenario.core.coherence[4].trust.token)
        #expect(present != made.token)
        #expect(scenario.send(.count(item)) == .integer(1))
        scenario.pass(ms: 4 * Limits.surveyMs)
        #expect(scenario.core.coherence[4].trust.token == present, "it is done once")
    }

    @Test("A row that was left as it is names what was lost, once a second server is lost")
    func aRowNamesWhatWasLostOnceASecondServerIs() {
        var servers = NamedServers()
        #expect(servers.next(["a": 0, "b": 1, "c": 2]) == ["a", "b", "c"])
        #expect(servers.next(["a": 0, "c": 2]) == [] && servers.next(["a": 0, "c": 2]) == [])
        #expect(servers.next(["c": 2]) == ["a", "b", "c"])
    }

    @Test("A batch that does not commit leaves no record of what a lost server took", arguments: [false, true])
    func aBatchThatDoesNotCommitLeavesNoRecord(commits: Bool) {
        var servers = NamedServers()
        _ = servers.next(["a": 0, "b": 1, "c": 2])
        servers.recorded()
        #expect(servers.next(["a": 0, "c": 2]) == [], "what a takes now stands nowhere")
        #expect(servers.next(["c": 2]) == ["a", "b", "c"])
        if commits { servers.recorded() }
        let missing = servers.compared(["c", "new"], isWhole: true, covered: [0, 1], next: 20)
        #expect(missing?.transaction == (commits ? nil : 19))
        #expect(servers.compared(["c", "new"], isWhole: true, covered: [], next: 30) == nil, "it is told once")
    }

    @Test("What batches went to, and the row does not name yet, is named once it is lost", arguments: [false, true])
    func whatTheRowDoesNotNameYetIsNamedOnceItIsLost(isFirstBack: Bool) {
        var servers = NamedServers()
        _ = servers.next(["a": 0, "b": 1, "c": 2])
        servers.recorded()
        // b is replaced, and no batch follows. Then a is lost.
        #expect(servers.compared(["a", "b2", "c"], isWhole: true, covered: [1], next: 10) == nil)
        #expect(servers.next(["b2": 1, "c": 2]) == [])
        if isFirstBack {
            let missing = servers.compared(["a", "c"], isWhole: false, covered: [], next: 15)
            #expect(missing?.unknown == ["b2"])
            #expect(servers.next(["a": 0, "c": 2]) == ["a", "b2", "c"])
        } else {
            #expect(servers.next(["c": 2]) == ["a", "b2", "c"])
        }
    }

    @Test("While one node is away, another one that was replaced begins anew once, however busy its hosts are")
    func aReplacedNodeBeginsAnewOnceWhileAnotherOneIsAway() throws {
        var scenario = try ClusterScenario(nodes: 4)
        _ = scenario.send(.like(Pair(user: 1, item: scenario.item(on: 0))))
        scenario.setUp(3, false)
        scenario.pass(ms: 2 * Limits.surveyMs)
        var view = try #require(scenario.views.last)
        view.primaries.append(ClusterScenario.node(4, epoch: 9, view.primaries[0].slots))
        view.primaries[0].slots = []
        view.ids.insert(view.primaries[4].id)
        // Each batch is followed by another one at once.
        scenario.traffic = scenario.item(on: 1)
        scenario.see(view)
        scenario.pass(ms: 4 * Limits.surveyMs)
        // Once because it is new, and once because of what the replaced one may have taken.
        #expect(scenario.markersMade[4] == 2)
        #expect(scenario.core.readableGeneration(4) != nil)
    }

    @Test("A host that stays with a deposed primary disputes the node in its place, and no other")
    func aHostWithADeposedPrimaryDisputesOneNode() throws {
        var scenario = try ClusterScenario()
        let first = scenario.core.coherence[0].trust.token ?? ""
        scenario.setUp(0, false)
        var view = scenario.views[0]
        view.primaries[0] = ClusterScenario.node(7, epoch: 12, view.primaries[0].slots)
        view.ids.insert(view.primaries[0].id)
        scenario.see(view)
        scenario.pass(ms: 3_000)
        scenario.others = [OtherHosts(tokens: [named(first, 0)], signs: [.now])]
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect((0..<4).map { scenario.core.coherence[$0].trust.dispute != nil } == [false, false, false, true])
    }

    @Test(
        "What was settled is found again where the data used next was made before it was found",
        arguments: [false, true])
    func whatWasSettledIsFoundAgainInOlderData(isKnownBefore: Bool) throws {
        var scenario = try ClusterScenario()
        scenario.transaction = 70
        scenario.nodes[2].markers[scenario.nodes[2].markerKey] = generation("run2:repl", least: 55).marker
        if isKnownBefore { scenario.step { core, turn in core.checkMarker(of: 2, &turn) } }
        scenario.strayed = [(60, ["run0:repl", "run1:repl", "deposed"])]
        scenario.step { core, turn in core.lane.survey(at: turn.now) }
        scenario.pass(ms: 4 * Limits.surveyMs)
        let present = try #require(scenario.core.coherence[2].trust.generation)
        #expect(present.token != "bbbbbbbbbbbb" && present.snapshot.hasEnded(60))
        scenario.pass(ms: 4 * Limits.surveyMs)
        #expect(scenario.core.coherence[2].trust.token == present.token, "it is done once")
    }

    @Test("What this host wrote of a slot that moved is looked at in its new place")
    func whatWasWrittenOfASlotThatMovedIsReadAgain() throws {
        var scenario = try ClusterScenario { $0.localCacheEntries = 0 }
        let item = scenario.item(on: 0)
        _ = scenario.send(.count(item))
        #expect(scenario.nodes[0].counters[item] != nil)
        scenario.see(scenario.moved(slot: scenario.slot(of: item), to: 1, epoch: 9))
        scenario.pass(ms: 1_000)
        #expect(scenario.nodes[1].counters[item] != nil)
    }

    @Test("What was asked before a node got slots is not put there, nor taken as fresh")
    func aPermitEndsWhenTheNodeGetsSlots() throws {
        var scenario = try ClusterScenario()
        let before = scenario.core.writePermit(now: scenario.now)
        scenario.see(scenario.moved(slot: scenario.slot(of: scenario.item(on: 0)), to: 1, epoch: 9))
        let after = scenario.core.writePermit(now: scenario.now)
        #expect((0..<3).map { before.holds(after, on: $0) } == [true, false, true])
    }

    @Test("A call that looked for the marker where it was does not make it move on")
    func aLateAnswerDoesNotMoveTheMarker() throws {
        var scenario = try ClusterScenario()
        let sent = scenario.core.redis[0].calls.lastID
        scenario.see(scenario.moved(slot: RedisSlot.of(key: scenario.nodes[0].markerKey.utf8), to: 1, epoch: 9))
        let second = scenario.nodes[0].markerKey
        scenario.step { core, turn in
            core.redis[0].marker.wasElsewhere(sent)
            core.slotsMoved(&turn)
        }
        scenario.pass(ms: 2 * Limits.clusterAskMs)
        #expect(scenario.nodes[0].markerKey == second)
    }
}
