import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What other hosts did with a Redis Cluster while this one saw it otherwise.
@Suite struct ClusterPastTests {
    private func tokens(_ scenario: ClusterScenario) -> [String] {
        (0..<3).map { scenario.core.coherence[$0].trust.token ?? "" }
    }

    private func isDisputed(_ scenario: ClusterScenario) -> [Bool] {
        (0..<3).map { scenario.core.coherence[$0].trust.dispute != nil }
    }

    private func named(_ token: String, _ node: Int) -> String { "\(token):\(String(repeating: "\(node)", count: 8))" }

    @Test("Hosts that reach different nodes do not dispute, and name their data by node")
    func hostsThatReachDifferentNodesDoNotDispute() throws {
        var scenario = try ClusterScenario()
        let own = tokens(scenario)
        // The other host does not reach node 2, and node 1 got new data while this host did not reach it.
        scenario.setUp(1, false)
        scenario.others = [OtherHosts(tokens: [named(own[0], 0), named("otherdata", 1)], signs: [.now])]
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(isDisputed(scenario) == [false, false, false])
        #expect(scenario.core.readableGeneration(2) != nil)
        // The same data under a node that this host does not know is another cluster's.
        scenario.others = [OtherHosts(tokens: [named(own[0], 0), named("otherdata", 9)], signs: [.now])]
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(isDisputed(scenario) == [false, false, true])
    }

    @Test("Other data for the same node is a dispute about that node alone, after which the node begins anew, once")
    func otherDataForTheSameNodeIsADisputeAboutIt() throws {
        var scenario = try ClusterScenario()
        let own = tokens(scenario)
        scenario.others = [
            OtherHosts(tokens: [named(own[0], 0), named("otherdata", 1), named(own[2], 2)], signs: [.now])
        ]
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(isDisputed(scenario) == [false, true, false])
        scenario.others = []
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(isDisputed(scenario) == [false, false, false])
        let new = tokens(scenario)
        #expect([new[0], new[2]] == [own[0], own[2]] && new[1] != own[1])
        #expect(scenario.core.coherence.past.era == 0 && scenario.core.readableGeneration(1) != nil)
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(tokens(scenario) == new)
    }

    @Test("What a host wrote to a primary that was deposed costs the data of the node in its place, and nothing else")
    func whatWasWrittenToADeposedPrimaryCostsTheDataInItsPlace() throws {
        var scenario = try ClusterScenario()
        let own = tokens(scenario)
        let servers = (0..<3).map { scenario.core.coherence[$0].trust.server ?? "" }
        // To the nodes of which this host lost sight, too: that its batches noted.
        scenario.strayed = [(60, [servers[0], servers[1]])]
        scenario.pass(ms: 2 * Limits.surveyMs)
        #expect(tokens(scenario) == own)
        scenario.strayed = [(61, [servers[0], servers[1], "deposed"])]
        scenario.pass(ms: 2 * Limits.surveyMs)
        let new = tokens(scenario)
        #expect(Array(new[..<2]) == Array(own[..<2]) && new[2] != own[2])
        #expect(scenario.core.readableGeneration(2) != nil && scenario.core.coherence.past.era == 0)
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(tokens(scenario) == new, "it is done once")
    }

    @Test("A batch for a node that this host uses no more counts as written elsewhere")
    func aBatchForANodeThatIsNotUsedAnyMoreIsWrittenElsewhere() throws {
        var scenario = try ClusterScenario(nodes: 4)
        let servers = (0..<4).map { scenario.core.coherence[$0].trust.server ?? "" }
        var view = try #require(scenario.views.last)
        // Node 4 takes the place of node 3.
        let slots = view.primaries[3].slots
        view.primaries[3].slots = []
        view.primaries.append(ClusterScenario.node(4, epoch: 9, slots))
        view.ids.insert(view.primaries[4].id)
        scenario.see(view)
        scenario.pass(ms: 2 * Limits.surveyMs)
        let first = try #require(scenario.core.coherence[4].trust.token)
        scenario.strayed = [(60, Set(servers))]
        scenario.pass(ms: 2 * Limits.surveyMs)
        let last = try #require(scenario.core.coherence[4].trust.token)
        #expect(last != first && scenario.core.readableGeneration(4) != nil)
    }

    @Test("A node that loses all its slots begins no era, though its data was the oldest")
    func aNodeThatLosesAllItsSlotsBeginsNoEra() throws {
        var scenario = try ClusterScenario()
        scenario.transaction = 80
        for node in 1...2 {
            scenario.setUp(node, false)
            scenario.nodes[node].markers = [:]
            scenario.setUp(node, true)
        }
        let own = tokens(scenario)
        // Another host knows already that the oldest node is not used any more.
        scenario.transaction = 90
        scenario.latest = 80
        scenario.pass(ms: Limits.surveyMs + Limits.disputeAskMs)
        var view = try #require(scenario.views.last)
        view.primaries.append(ClusterScenario.node(3, epoch: 9, view.primaries[0].slots))
        view.primaries[0].slots = []
        scenario.see(view)
        scenario.pass(ms: 3 * Limits.surveyMs)
        #expect(scenario.core.coherence.past.era == 0)
        #expect(Array(tokens(scenario)[1...]) == Array(own[1...]))
    }

    @Test("Hosts that were at another cluster in between begin an era, once the cluster was asked again")
    func hostsThatWereAtAnotherClusterBeginAnEra() throws {
        var scenario = try ClusterScenario()
        scenario.transaction = 90
        scenario.latest = 80
        scenario.pass(ms: Limits.surveyMs + Limits.disputeAskMs)
        #expect(scenario.core.coherence.past.era == 0)
        scenario.pass(ms: Limits.disputeConfirmMs + Limits.surveyMs)
        #expect(scenario.core.coherence.past.era == 1)
    }

    @Test("Data that was disowned once is not believed after a second reason to disown it")
    func disowningTwiceKeepsTheFirst() throws {
        var scenario = try ClusterScenario()
        let slots = [scenario.slot(of: scenario.item(on: 0)), scenario.slot(of: scenario.item(on: 0, from: 1_000))]
        let first = tokens(scenario)[0]
        for (epoch, slot) in zip(Int64(10)..., slots) { scenario.see(scenario.moved(slot: slot, to: 1, epoch: epoch)) }
        // The node cannot be reached while both slots come back, one after the other.
        scenario.nodes[0].isUp = false
        for backend in [Backend.redis(0), .subscriber(0)] {
            scenario.step { core, turn in core.lost(backend, .unreachable("gone"), &turn) }
        }
        scenario.see(scenario.moved(slot: slots[0], to: 0, epoch: 20))
        scenario.see(scenario.moved(slot: slots[1], to: 0, epoch: 21))
        scenario.setUp(0, true)
        scenario.pass(ms: Limits.surveyMs)
        #expect(tokens(scenario)[0] != "")
        #expect(tokens(scenario)[0] != first, "the disowned data is believed again")
    }

    @Test("A former marker at the marker's next place does not bring its data back")
    func aFormerMarkerDoesNotBringItsDataBack() throws {
        var scenario = try ClusterScenario()
        let (key, first) = (scenario.nodes[0].markerKey, tokens(scenario)[0])
        let slot = RedisSlot.of(key: key.utf8)
        let away = scenario.moved(slot: slot, to: 1, epoch: 9)
        scenario.see(away)
        let next = scenario.nodes[0].markerKey
        #expect(next != key && tokens(scenario)[0] == first)
        // The slot comes back, and another host is first to begin anew: this one hears of the new data only.
        scenario.transaction = 70
        let made = Generation(
            server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 60),
            token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        scenario.nodes[0].markers[key] = made.marker
        scenario.nodes[0].markers[next] = made.marker
        scenario.step { core, turn in core.checkMarker(of: 0, &turn) }
        #expect(tokens(scenario)[0] == "bbbbbbbbbbbb")
        scenario.see(scenario.moved(slot: slot, to: 0, epoch: 20))
        #expect(tokens(scenario)[0] == "bbbbbbbbbbbb")
        // What that host left at the former place is the former marker.
        let old = Generation(
            server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 50), token: first
        ).sealed(by: Scenario.secret)
        scenario.nodes[0].markers[next] = old.marker
        scenario.see(scenario.moved(slot: slot, to: 1, epoch: 30))
        #expect(tokens(scenario)[0] != first, "the data of the former marker is believed again")
    }

    @Test("While the marker's slot is between two nodes, the next one has the marker, and the node is used")
    func whileTheMarkersSlotIsOpenTheNextOneHasTheMarker() throws {
        var scenario = try ClusterScenario { $0.localCacheTTLMs = 0 }
        let (key, own) = (scenario.nodes[0].markerKey, tokens(scenario))
        let item = scenario.item(on: 0)
        scenario.nodes[0].markersElsewhere = [key]
        _ = scenario.send(.count(item))
        scenario.pass(ms: 2 * Limits.clusterTroubleAskMs)
        let next = scenario.nodes[0].markerKey
        #expect(next != key && scenario.nodes[0].markers[next] == scenario.nodes[0].markers[key])
        #expect(tokens(scenario) == own && scenario.core.readableGeneration(0) != nil)
        scenario.asked = []
        _ = scenario.send(.count(item))
        #expect(scenario.takeAsked().contains { $0.node == 0 })
        // The slot is whole again.
        scenario.nodes[0].markersElsewhere = []
        scenario.pass(ms: Limits.markerRetryMs + 2 * Limits.clusterAskMs)
        #expect(scenario.nodes[0].markerKey == key && tokens(scenario) == own)
    }

    @Test("A marker that has stood in another place is not made anew there before its own place was looked at")
    func aMarkerIsNotMadeAnewBeforeItsOwnPlaceWasLookedAt() throws {
        var scenario = try ClusterScenario()
        let key = placeElsewhere(&scenario)
        let next = scenario.nodes[0].markerKey
        #expect(next != key)
        // The slot is back, and hosts that never missed it made a marker there. What they replaced is still here.
        let made = Generation(
            server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 60),
            token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        scenario.transaction = 70
        scenario.nodes[0].markersElsewhere = []
        scenario.nodes[0].markers = [key: made.marker, next: "anything else"]
        scenario.step { core, turn in core.identifyAgain(0, &turn) }
        #expect(scenario.nodes[0].markerKey == key && tokens(scenario)[0] == "bbbbbbbbbbbb")
        #expect(scenario.nodes[0].markers[key] == made.marker)
    }

    /// The marker of node 0 stands in another place. Returns its own.
    private func placeElsewhere(_ scenario: inout ClusterScenario) -> String {
        let key = scenario.nodes[0].markerKey
        scenario.nodes[0].markersElsewhere = [key]
        _ = scenario.send(.count(scenario.item(on: 0)))
        scenario.pass(ms: 2 * Limits.clusterTroubleAskMs + Limits.markerRetryMsMin)
        return key
    }

    @Test(
        "Data that was dropped while the marker stood elsewhere does not come back from the marker's own place",
        arguments: [false, true], [false, true])
    func droppedDataDoesNotComeBackFromTheMarkersOwnPlace(byAnotherHost: Bool, isEvicted: Bool) throws {
        var scenario = try ClusterScenario()
        let first = tokens(scenario)[0]
        _ = placeElsewhere(&scenario)
        let next = scenario.nodes[0].markerKey
        scenario.transaction = 70
        if byAnotherHost {
            scenario.nodes[0].markers[next] =
                Generation(
                    server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 60),
                    token: "bbbbbbbbbbbb"
                ).sealed(by: Scenario.secret).marker
            scenario.step { core, turn in core.checkMarker(of: 0, &turn) }
        } else {
            scenario.step { core, turn in core.disownData(0, &turn) }
            scenario.pass(ms: Limits.markerRetryMsMin)
        }
        #expect(tokens(scenario)[0] != first && scenario.nodes[0].markerKey == next)
        // The slot is whole again, with what it had.
        scenario.nodes[0].markersElsewhere = []
        scenario.pass(ms: 2 * Limits.markerRetryMsMin)
        scenario.transaction = 90
        if isEvicted { scenario.nodes[0].markers[next] = "" }
        scenario.step { core, turn in
            if isEvicted { core.checkMarker(of: 0, &turn) } else { core.disownData(0, &turn) }
        }
        scenario.pass(ms: 3_000)
        #expect(tokens(scenario)[0] != first && scenario.core.readableGeneration(0) != nil)
    }

    @Test("Data that is dropped while its marker stands elsewhere is dropped there, where others use it")
    func dataIsDroppedWhereOthersUseIt() throws {
        var scenario = try ClusterScenario()
        let first = tokens(scenario)[0]
        _ = placeElsewhere(&scenario)
        let next = scenario.nodes[0].markerKey
        let before = scenario.nodes[0].markers[next]
        scenario.nodes[0].markersElsewhere = []
        scenario.transaction = 70
        scenario.step { core, turn in core.disownData(0, &turn) }
        scenario.pass(ms: 3_000)
        #expect(tokens(scenario)[0] != first && scenario.nodes[0].markers[next] != before)
    }

    @Test("While the marker's slot stays between two nodes, a marker that does not fit is replaced in its other place")
    func whileTheSlotStaysOpenTheMarkerIsReplacedInItsOtherPlace() throws {
        var scenario = try ClusterScenario()
        let first = tokens(scenario)[0]
        let key = placeElsewhere(&scenario)
        let before = scenario.nodes[0].markers[key]
        scenario.nodes[0].markers[scenario.nodes[0].markerKey] = "anything else"
        scenario.step { core, turn in core.identifyAgain(0, &turn) }
        scenario.pass(ms: Limits.markerRetryMsMin)
        #expect(scenario.nodes[0].markerKey != key && scenario.core.readableGeneration(0) != nil)
        #expect(tokens(scenario)[0] != first && scenario.nodes[0].markers[key] == before)
    }

    @Test("The marker of a node that serves nothing for a while stays where it is")
    func theMarkerOfANodeThatServesNothingStays() throws {
        var scenario = try ClusterScenario()
        let (key, own) = (scenario.nodes[0].markerKey, tokens(scenario))
        scenario.setUp(0, false)
        scenario.nodes[0].isClusterDown = true
        scenario.setUp(0, true)
        scenario.pass(ms: 10 * Limits.clusterTroubleAskMs)
        #expect(scenario.core.coherence[0].trust.generation == nil)
        scenario.nodes[0].isClusterDown = false
        scenario.pass(ms: 2 * Limits.clusterTroubleAskMs)
        #expect(scenario.nodes[0].markerKey == key && tokens(scenario) == own)
        #expect(scenario.nodes[0].markers.count == 1)
    }

    @Test(
        "What is left in the marker's next place, of another life or of nobody, costs nothing",
        arguments: ["", "run9:repl "])
    func whatIsLeftInTheMarkersNextPlaceCostsNothing(server: String) throws {
        var scenario = try ClusterScenario()
        let (key, own) = (scenario.nodes[0].markerKey, tokens(scenario))
        let left = Generation(
            server: String(server.dropLast()), database: Scenario.identity, snapshot: DatabaseSnapshot(least: 40),
            token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        // The next place is found out by a try.
        var probe = scenario
        probe.nodes[0].markersElsewhere = [key]
        _ = probe.send(.count(probe.item(on: 0)))
        probe.pass(ms: 2 * Limits.clusterTroubleAskMs)
        let next = probe.nodes[0].markerKey
        scenario.nodes[0].markers[next] = server.isEmpty ? "garbage" : left.marker
        scenario.nodes[0].markersElsewhere = [key]
        _ = scenario.send(.count(scenario.item(on: 0)))
        scenario.pass(ms: 2 * Limits.clusterTroubleAskMs)
        #expect(scenario.nodes[0].markerKey == next && tokens(scenario) == own)
        #expect(scenario.nodes[0].markers[next] == scenario.nodes[0].markers[key])
    }

    @Test("A host that others contradict looks where the marker belongs")
    func aHostThatOthersContradictLooksWhereTheMarkerBelongs() throws {
        var scenario = try ClusterScenario()
        let (key, own) = (scenario.nodes[0].markerKey, tokens(scenario))
        scenario.nodes[0].markersElsewhere = [key]
        _ = scenario.send(.count(scenario.item(on: 0)))
        scenario.pass(ms: 2 * Limits.clusterTroubleAskMs)
        #expect(scenario.nodes[0].markerKey != key)
        // A new host found no marker there, and made one.
        scenario.nodes[0].markersElsewhere = []
        scenario.transaction = 70
        let made = Generation(
            server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 60),
            token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        scenario.nodes[0].markers[key] = made.marker
        scenario.others = [
            OtherHosts(tokens: [named(made.token, 0), named(own[1], 1), named(own[2], 2)], signs: [.now])
        ]
        scenario.pass(ms: Limits.surveyMs + 2 * Limits.disputeAskMs)
        #expect(scenario.nodes[0].markerKey == key && tokens(scenario)[0] == made.token)
        #expect(isDisputed(scenario) == [false, false, false])
    }

    @Test("Hosts that still use the deposed primary are in dispute with its successor's")
    func aDeposedPrimarysHostsAreInDispute() throws {
        var scenario = try ClusterScenario()
        let own = tokens(scenario)
        scenario.setUp(0, false)
        var view = scenario.views[0]
        view.primaries[0] = ClusterScenario.node(7, epoch: 12, view.primaries[0].slots)
        view.ids.insert(view.primaries[0].id)
        scenario.see(view)
        scenario.pass(ms: 3_000)
        let wasAgreed = scenario.core.isRedisAgreed(3)
        #expect(wasAgreed)
        scenario.others = [OtherHosts(tokens: Set((0..<3).map { named(own[$0], $0) }), signs: [.now])]
        scenario.pass(ms: Limits.surveyMs)
        let isAgreed = scenario.core.isRedisAgreed(3)
        #expect(!isAgreed, "rows are struck off that the other host's primary needs")
    }

    /// The count that this host gives after a slot went from node 0 to 1 and back, and node 1 lost what it was given.
    private func countAfterReturn(regainedSlots: Bool) throws -> Reply? {
        var safeguards = Safeguards()
        safeguards.regainedSlots = regainedSlots
        var scenario = try ClusterScenario(safeguards: safeguards) { $0.localCacheEntries = 0 }
        let item = scenario.item(on: 0)
        let slot = scenario.slot(of: item)
        _ = scenario.send(.like(Pair(user: 1, item: item)))
        // The slot moves with its key, which has node 0's token.
        let old = scenario.nodes[0].counters.removeValue(forKey: item)
        scenario.see(scenario.moved(slot: slot, to: 1, epoch: 9))
        _ = scenario.send(.like(Pair(user: 2, item: item)))
        #expect(scenario.nodes[1].counters[item]?.counter.count == 2)
        // Node 1 comes back from a snapshot of the moment before: with the old key, and with another marker.
        scenario.setUp(1, false)
        scenario.nodes[1].markers = [:]
        scenario.setUp(1, true)
        scenario.nodes[1].counters[item] = nil
        scenario.see(scenario.moved(slot: slot, to: 0, epoch: 20))
        scenario.nodes[0].counters[item] = old
        scenario.pass(ms: 5_000)
        return scenario.send(.count(item))
    }

    @Test("A node that gets a slot back begins anew: without that, it believes a counter from before")
    func aNodeThatGetsASlotBack() throws {
        #expect(try countAfterReturn(regainedSlots: true) == .integer(2))
        #expect(try countAfterReturn(regainedSlots: false) == .integer(1), "the scenario needs the safeguard")
    }
}
