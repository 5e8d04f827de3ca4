import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

@Suite("Redis Cluster")
struct ClusterTests {
    @Test("A server that turns out to be a cluster's node is left, and each primary is connected to and identified")
    func aClustersPrimariesAreEachConnectedTo() throws {
        let scenario = try ClusterScenario()
        for node in 0..<3 {
            #expect(scenario.connected.contains(.redis(node)) && scenario.connected.contains(.subscriber(node)))
            #expect(scenario.core.writableGeneration(node) != nil)
            #expect(scenario.core.readableGeneration(node) != nil)
            #expect(scenario.nodes[node].markerKey.hasPrefix("likesd:generation:{"))
            let slot = RedisSlot.of(key: scenario.nodes[node].markerKey.utf8)
            #expect(scenario.views[0].primaries[node].slots.contains { $0.contains(slot) })
        }
        let tokens = Set((0..<3).compactMap { scenario.core.coherence[$0].trust.token })
        #expect(tokens.count == 3, "each node has data of its own")
        #expect(scenario.core.isRedisHealthy)
    }

    @Test("A like asks the node of the user's rate and that of the recent likes, and is written to the item's node")
    func aLikeAsksAndWritesWhereThingsAre() throws {
        var scenario = try ClusterScenario()
        let item = scenario.item(on: 2)
        let user = scenario.user(rateOn: 0, recentOn: 1)
        #expect(scenario.send(.like(Pair(user: user, item: item))) == .change(changed: true, count: 1))
        let asked = scenario.takeAsked()
        let pair = Pair(user: user, item: item)
        #expect(asked.contains { $0 == (0, .admit([AdmissionEntry(pair: pair, kind: .like, part: .rate)])) })
        #expect(asked.contains { $0 == (1, .admit([AdmissionEntry(pair: pair, kind: .like, part: .hint)])) })
        let written = asked.compactMap { node, request -> (NodePlace, [Item], Int)? in
            guard case .writeThrough(_, let counters, let recent) = request else { return nil }
            return (node, counters.map(\.counter.item), recent.count)
        }
        #expect(written.contains { $0 == (2, [item], 0) })
        #expect(written.contains { $0 == (1, [], 1) })
        #expect(scenario.send(.count(item)) == .integer(1))
        #expect(scenario.takeAsked().isEmpty, "the local cache has it")
    }

    @Test("A node that is down costs its own items alone")
    func aNodeThatIsDownCostsItsOwnItemsAlone() throws {
        var scenario = try ClusterScenario { $0.localCacheTTLMs = 0 }
        let items = (0..<3).map { scenario.item(on: $0) }
        for item in items {
            _ = scenario.send(.like(Pair(user: scenario.user(rateOn: 0, recentOn: 0), item: item)))
        }
        scenario.setUp(1, false)
        scenario.pass(ms: 2_000)
        (scenario.counted, scenario.asked, scenario.commits) = ([], [], [])
        for item in items { #expect(scenario.send(.count(item)) == .integer(1)) }
        #expect(scenario.counted == [items[1]])
        #expect(scenario.takeAsked().map(\.node) == [0, 2])
        // What changes on it is noted for all hosts by the batch itself, and nothing else is.
        for item in items {
            _ = scenario.send(.like(Pair(user: scenario.user(rateOn: 2, recentOn: 2), item: item)))
        }
        #expect(scenario.commits.map(\.cutOff) == [.none, .some([items[1]]), .none])
        #expect(scenario.rows.map(\.item) == [items[1]])
        // It is back with its old count, and repaired before it is read.
        scenario.setUp(1, true)
        #expect(scenario.nodes[1].counters[items[1]]?.counter.count == 2)
        #expect(scenario.rows.isEmpty)
        (scenario.counted, scenario.asked) = ([], [])
        for item in items { #expect(scenario.send(.count(item)) == .integer(2)) }
        #expect(scenario.counted.isEmpty)
    }

    @Test("A rate that is elsewhere is counted where the node says, and the limit holds")
    func aRateThatIsElsewhereIsCountedWhereTheNodeSays() throws {
        var scenario = try ClusterScenario { $0.rateLimitRequests = 2 }
        let user = scenario.user(rateOn: 0, recentOn: 0)
        for isAsk in [true, false] {
            scenario.nodes[1].rates = [:]
            scenario.nodes[0].redirects[user] = RedisRedirect(host: "10.0.0.2", port: 6379, isAsk: isAsk)
            let replies = (1...3).map { scenario.send(.like(Pair(user: user, item: Item(type: 0, id: $0)))) }
            #expect(replies[0] != nil && replies[1] != nil)
            guard case .error(let error)? = replies[2] else { throw Unexpected(reply: replies[2]) }
            #expect(error.code == .rateLimited)
            #expect(scenario.nodes[1].rates[user] == 3)
            let redirected = scenario.takeAsked().filter { $0.node == 1 }.compactMap {
                if case .admit(_, let isAsking) = $0.request { isAsking } else { nil }
            }
            #expect(redirected == [isAsk, isAsk, isAsk])
        }
    }

    @Test("Without a node that can be asked, and after some redirects, the process counts")
    func redirectsEnd() throws {
        var scenario = try ClusterScenario()
        let user = scenario.user(rateOn: 0, recentOn: 0)
        let like = Request.like(Pair(user: user, item: scenario.item(on: 2)))
        // In a circle.
        scenario.nodes[0].redirects[user] = RedisRedirect(host: "10.0.0.2", port: 6379, isAsk: false)
        scenario.nodes[1].redirects[user] = RedisRedirect(host: "10.0.0.1", port: 6379, isAsk: false)
        #expect(scenario.send(like) == .change(changed: true, count: 1))
        #expect(scenario.takeAsked().filter { if case .admit = $0.request { true } else { false } }.count == 4)
        scenario.nodes[0].redirects[user] = RedisRedirect(host: "10.9.9.9", port: 1, isAsk: true)
        #expect(scenario.send(like) == .change(changed: false, count: 1))
    }

    @Test("What is elsewhere is repaired, on the node that gets the slot")
    func whatIsElsewhereIsRepairedOnTheNodeThatGetsTheSlot() throws {
        var scenario = try ClusterScenario { $0.localCacheTTLMs = 0 }
        let item = scenario.item(on: 0)
        scenario.nodes[0].elsewhere = [item]
        let user = scenario.user(rateOn: 2, recentOn: 2)
        #expect(scenario.send(.like(Pair(user: user, item: item))) == .change(changed: true, count: 1))
        #expect(scenario.core.repairs.contains(item, on: 0))
        #expect(scenario.send(.count(item)) == .integer(1))
        scenario.pass(ms: 2 * Limits.repairRetryMs)
        #expect(scenario.core.repairs.contains(item, on: 0), "it is still elsewhere")
        scenario.see(scenario.moved(slot: scenario.slot(of: item), to: 1, epoch: 9))
        #expect(!scenario.core.repairs.contains(item, on: 0))
        scenario.pass(ms: 2 * Limits.repairRetryMs)
        #expect(scenario.nodes[1].counters[item]?.counter.count == 1)
        #expect(scenario.core.repairs.count == 0)
        scenario.counted = []
        #expect(scenario.send(.count(item)) == .integer(1))
        #expect(scenario.counted.isEmpty, "the new node has it")
    }

    @Test("When the marker's slot moves, the same marker is put into the next one, and the data stays")
    func whenTheMarkersSlotMovesTheDataStays() throws {
        var scenario = try ClusterScenario()
        let (key, token) = (scenario.nodes[0].markerKey, scenario.core.coherence[0].trust.token)
        scenario.nodes[0].markers = [:]
        scenario.see(scenario.moved(slot: RedisSlot.of(key: key.utf8), to: 1, epoch: 9))
        #expect(scenario.nodes[0].markerKey != key)
        #expect(scenario.core.coherence[0].trust.token == token)
        #expect(scenario.nodes[0].markers[scenario.nodes[0].markerKey]?.contains(token ?? "?") == true)
        #expect(scenario.core.writableGeneration(0) != nil)
    }

    @Test("If another host has put another marker there, that one holds")
    func anotherHostsMarkerHolds() throws {
        var scenario = try ClusterScenario()
        let key = scenario.nodes[0].markerKey
        let view = scenario.moved(slot: RedisSlot.of(key: key.utf8), to: 1, epoch: 9)
        var map = SlotMap()
        _ = map.take(view)
        let next = RedisKeys.marker(slot: try #require(map.markerSlot(of: 0)))
        let made = Generation(
            server: "run0:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 50),
            token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        scenario.nodes[0].markers[next] = made.marker
        scenario.see(view)
        #expect(scenario.core.coherence[0].trust.token == "bbbbbbbbbbbb")
    }

    @Test("A node that gets a slot back begins anew, once")
    func aNodeThatGetsASlotBackBeginsAnew() throws {
        var scenario = try ClusterScenario()
        let slots = [scenario.slot(of: scenario.item(on: 0)), scenario.slot(of: scenario.item(on: 0, from: 1_000))]
        func token() -> String? { scenario.core.coherence[0].trust.token }
        let first = token()
        for (epoch, slot) in zip(Int64(10)..., slots) { scenario.see(scenario.moved(slot: slot, to: 1, epoch: epoch)) }
        #expect(token() == first)
        scenario.see(scenario.moved(slot: slots[0], to: 0, epoch: 20))
        scenario.pass(ms: Limits.surveyMs)
        let second = token()
        #expect(second != first && second != nil)
        scenario.see(scenario.moved(slot: slots[1], to: 0, epoch: 21))
        scenario.pass(ms: Limits.surveyMs)
        #expect(token() == second, "its data is from after that slot had left")
        #expect(scenario.core.coherence[1].trust.generation != nil)
    }

    @Test("A replica that takes a node's slots over is a node of its own")
    func aReplicaThatTakesOverIsANodeOfItsOwn() throws {
        var scenario = try ClusterScenario { $0.localCacheTTLMs = 0 }
        let item = scenario.item(on: 0)
        _ = scenario.send(.like(Pair(user: 1, item: item)))
        scenario.setUp(0, false)
        var view = scenario.views[0]
        view.primaries[0] = ClusterScenario.node(7, epoch: 12, view.primaries[0].slots)
        view.ids.insert(view.primaries[0].id)
        scenario.see(view)
        scenario.pass(ms: 3_000)
        #expect(scenario.core.redis.node(of: item) == 3)
        #expect(scenario.core.readableGeneration(3) != nil)
        #expect(scenario.send(.count(item)) == .integer(1))
        #expect(scenario.core.isRedisHealthy, "a node without slots is not missed")
        let attempts = scenario.connected.count
        scenario.pass(ms: 60_000)
        #expect(scenario.connected.count == attempts, "and not asked for")
    }

    @Test("Hosts that name other data for one node leave the others alone")
    func hostsThatNameOtherDataForOneNodeLeaveTheOthersAlone() throws {
        var scenario = try ClusterScenario()
        let tokens = (0..<3).compactMap { scenario.core.coherence[$0].trust.token }
        scenario.others = [OtherHosts(tokens: [tokens[0], tokens[1], "strange"], signs: [.now])]
        scenario.pass(ms: Limits.surveyMs + Limits.disputeConfirmMs + Limits.disputeAskMs)
        #expect((0..<3).map { scenario.core.coherence[$0].trust.dispute != nil } == [false, false, true])
        #expect(scenario.core.readableGeneration(0) != nil && scenario.core.readableGeneration(2) == nil)
        // A host that cannot reach a node names nothing for it.
        var calm = try ClusterScenario()
        let known = (0..<3).compactMap { calm.core.coherence[$0].trust.token }
        calm.others = [OtherHosts(tokens: [known[0], known[1]], signs: [.now])]
        calm.pass(ms: 4 * Limits.surveyMs)
        #expect((0..<3).allSatisfy { calm.core.coherence[$0].trust.dispute == nil && calm.core.isRedisAgreed($0) })
    }

    @Test("HEALTH names nodes with one trouble together, and what to check is the node, not REDIS_URL")
    func healthNamesNodesWithOneTroubleTogether() throws {
        var scenario = try ClusterScenario()
        for node in 0..<2 { scenario.setUp(node, false) }
        let message = scenario.core.healthMessage(now: scenario.now)
        #expect(message == "Redis 10.0.0.1:6379, 10.0.0.2:6379: gone")
        scenario.isSilent = true
        scenario.pass(ms: 2 * Limits.redisConnectMsMax)
        let silent = scenario.core.healthMessage(now: scenario.now)
        #expect(silent.hasPrefix("next: check that node, and IPAddressAllow= of likesd.service (Redis 10.0.0.1:6379, "))
    }

    @Test("The cluster is asked again when something suggests that slots have moved, but not too often")
    func theClusterIsAskedAgainButNotTooOften() throws {
        var asks = ClusterAsks()
        asks.askSoon(now: .ms(0))
        #expect(asks.dueAt == nil, "there is no cluster")
        asks.answered(nil, isNews: true, afterMs: 10_000, now: .ms(0))
        #expect(asks.dueAt == .ms(10_000))
        asks.askSoon(now: .ms(5))
        #expect(asks.dueAt == .ms(5))
        asks.begin(now: .ms(5))
        #expect(asks.dueAt == nil)
        asks.askSoon(now: .ms(6))
        asks.answered(nil, isNews: true, afterMs: 10_000, now: .ms(20))
        #expect(asks.dueAt == .ms(5 + Limits.clusterAskMsMin))
        // A slot that stays open sends somebody on all the time. Nothing new is to be had.
        var spacings: [Int64] = []
        for _ in 0..<4 {
            let now = asks.dueAt ?? .ms(0)
            asks.begin(now: now)
            asks.askSoon(now: now)
            asks.answered(nil, isNews: false, afterMs: 10_000, now: now)
            spacings.append(asks.dueAt?.ms(since: now) ?? 0)
        }
        #expect(spacings == [200, 400, 500, 500])
    }

    private struct Unexpected: Error { var reply: Reply? }
}

@Suite("Passes over the repairs of several nodes")
struct NodePassTests {
    private func passes() -> RepairPasses {
        var passes = RepairPasses(now: .ms(0))
        passes.addNode(now: .ms(0))
        return passes
    }

    private func run(_ passes: inout RepairPasses, at ms: Int64, leaveOut: NodePlace? = nil, down: NodePlace? = nil) {
        _ = passes.begin(settledBefore: 0, now: .ms(ms))
        passes.goOn(horizon: ms)
        if let leaveOut { passes.leaveOut(leaveOut, now: .ms(ms)) }
        passes.end(isWhole: true, isIdentified: { $0 != down }, now: .ms(ms), nextAt: .ms(ms + 1_000))
    }

    @Test("A node whose rows are left out is incomplete until a pass over the whole table; the others are complete")
    func aNodeWhoseRowsAreLeftOutIsIncomplete() {
        var passes = passes()
        run(&passes, at: 0, leaveOut: 1)
        #expect(passes.isComplete(0) && !passes.isComplete(1) && passes.hasGaps(1))
        run(&passes, at: 1_000)
        passes.startOver(1, now: .ms(2_000))
        #expect(passes.isComplete(0) && !passes.isComplete(1))
        run(&passes, at: 2_000)
        #expect(passes.isComplete(0) && passes.isComplete(1))
    }

    @Test("A node that is identified again during a pass needs another one, and the other node does not")
    func aNodeThatIsIdentifiedDuringAPassNeedsAnotherOne() {
        var passes = passes()
        run(&passes, at: 0)
        _ = passes.begin(settledBefore: 0, now: .ms(1_000))
        passes.lose(1)
        passes.identified(1, knowsMore: true, now: .ms(1_001))
        passes.end(isWhole: true, isIdentified: { _ in true }, now: .ms(1_002), nextAt: .ms(9_000))
        #expect(passes.isComplete(0) && !passes.isComplete(1) && passes.nextAt == .ms(1_002))
        run(&passes, at: 1_003)
        #expect(passes.isComplete(1))
    }

    @Test("A node that is not identified is incomplete after a pass")
    func aNodeThatIsNotIdentifiedIsIncomplete() {
        var passes = passes()
        run(&passes, at: 0, down: 1)
        #expect(passes.isComplete(0) && !passes.isComplete(1))
    }
}
