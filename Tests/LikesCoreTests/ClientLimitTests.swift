import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

@Suite struct ClientMemoryTests {
    private func memory(_ bytes: Int64, _ change: (inout Configuration) -> Void = { _ in }) -> Scenario {
        Scenario {
            $0.clientMemoryBytesMax = bytes
            change(&$0)
        }
    }

    /// The clients closed for memory; each is gone before the next is chosen.
    private func abandoned(_ scenario: inout Scenario) -> [ConnectionID] {
        var gone: [ConnectionID] = []
        while scenario.core.isOverClientMemory {
            scenario.step { core, turn in
                guard let id = core.clientToAbandon(&turn) else { return }
                gone.append(id)
                core.closed(id, &turn)
            }
        }
        return gone
    }

    @Test("Over the memory budget the largest clients are closed first, until the budget is kept; small ones stay")
    func overTheBudgetTheLargestGoFirstUntilItIsKept() throws {
        var scenario = memory(2_000_000)
        let clients = try (0..<4).map { _ in try scenario.open() }
        for (client, bytes) in zip(clients, [100, 900_000, 1_000_000, 99_000]) {
            scenario.core.holds(bytes, for: client, now: scenario.now)
        }
        #expect(abandoned(&scenario) == [])
        scenario.core.holds(1_000_000, for: clients[3], now: scenario.now)
        #expect(abandoned(&scenario) == [clients[3]])
        scenario.core.holds(2_500_000, for: clients[0], now: scenario.now)
        #expect(abandoned(&scenario) == [clients[0]])
        #expect(scenario.core.reports.statistics.connectionsAbandoned == 2)
        #expect(scenario.core.clients.sessions.memory.footprintBytes == 1_900_000)
    }

    @Test("Replies that a client has not read for a second count four times")
    func whatHasNotBeenReadForASecondCountsFourTimes() throws {
        var scenario = memory(2_000_000)
        let clients = try (0..<4).map { _ in try scenario.open() }
        scenario.core.holds(300_000, for: clients[0], isUnread: true, now: scenario.now)
        scenario.core.holds(400_000, for: clients[1], isUnread: true, now: scenario.now)
        scenario.core.holds(200_000, for: clients[2], isUnread: true, now: scenario.now)
        scenario.core.holds(-1, for: clients[2], isUnread: false, now: scenario.now)
        scenario.pass(ms: Limits.unreadMs)
        scenario.core.holds(1_200_000, for: clients[3], now: scenario.now)
        #expect(abandoned(&scenario) == [clients[1]])
        // One that holds far more is closed all the same.
        scenario.core.holds(600_000, for: clients[3], now: scenario.now)
        #expect(abandoned(&scenario) == [clients[3]])
    }

    @Test("A client that takes some of its replies counts as one that reads, even if it never takes all")
    func whoTakesSomeOfItsRepliesIsNoClientThatDoesNotRead() throws {
        var scenario = memory(1_000_000)
        let clients = try (0..<2).map { _ in try scenario.open() }
        scenario.core.holds(600_000, for: clients[0], isUnread: true, now: scenario.now)
        scenario.core.holds(300_000, for: clients[1], isUnread: true, now: scenario.now)
        scenario.pass(ms: Limits.unreadMs)
        scenario.core.tookReplies(clients[0], now: scenario.now)
        scenario.core.holds(300_000, for: clients[1], isUnread: true, now: scenario.now)
        #expect(abandoned(&scenario) == [clients[1]])
        // What it took before does not count for ever.
        let last = try scenario.open()
        scenario.pass(ms: Limits.unreadMs)
        scenario.core.holds(700_000, for: last, now: scenario.now)
        #expect(abandoned(&scenario) == [clients[0]])
    }

    @Test("Closing clients for memory is logged once in a while, with what the client held")
    func itIsLoggedOnceInAWhileWithWhatTheClientHeld() throws {
        var scenario = memory(2_000_000)
        for _ in 0..<5 { scenario.core.holds(3_000_000, for: try scenario.open(), now: scenario.now) }
        #expect(abandoned(&scenario).count == 5)
        let lines = scenario.actions.filter {
            if case .log(_, let text) = $0 { text.contains("closed client") } else { false }
        }
        guard lines.count == 1, case .log(.warning, let text) = lines[0] else {
            Issue.record("\(lines)")
            return
        }
        #expect(text.contains("held 3000000 bytes") && text.contains("CLIENT_MEMORY_MAX_BYTES"))
    }

    @Test("Waiting requests and the replies behind them count, until they have left")
    func waitingRequestsAndRepliesBehindThemCountUntilTheyHaveLeft() throws {
        var scenario = memory(1 << 30)
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        let one = scenario.core.clients.sessions.memory.footprintBytes
        #expect(one > 0)
        scenario.send(.echo([UInt8](repeating: 1, count: 50_000)), on: client)
        #expect(scenario.core.clients.sessions.memory.footprintBytes >= one + 50_000)
        let items = (2..<1_002).map { Item(type: 1, id: $0) }
        scenario.send(.mcount(items), on: client)
        #expect(scenario.core.clients.sessions.memory.footprintBytes >= one + 150_000)
        scenario.pass(ms: 6_000)
        #expect(scenario.core.clients.sessions.isIdle(client))
        #expect(scenario.core.clients.sessions.memory.footprintBytes == 0)
    }

    @Test("A client that left holds nothing any more")
    func whoLeavesHoldsNothingAnyMore() throws {
        var scenario = memory(1 << 30)
        let client = try scenario.open()
        scenario.send(.count(post), .ping([UInt8](repeating: 1, count: 9_000)), on: client)
        scenario.core.holds(70_000, for: client, now: scenario.now)
        scenario.step { core, turn in core.closed(client, &turn) }
        #expect(scenario.core.clients.sessions.memory.footprintBytes == 0)
    }

    @Test("The limit is the one set, else half of the unit's limit, else a fixed one; a reload changes it")
    func theLimitIsWhatIsSetElseHalfOfTheUnitsElseAFixedOne() throws {
        func limit(_ configuration: Configuration, unitMemoryBytes: Int64?) -> Int {
            CoreSettings(
                configuration: configuration, unitMemoryBytes: unitMemoryBytes, limits: .standard,
                safeguards: Safeguards()
            ).clientMemoryLimitBytes
        }
        var configuration = Configuration()
        #expect(limit(configuration, unitMemoryBytes: nil) == Limits.clientMemoryBytes)
        #expect(limit(configuration, unitMemoryBytes: 1 << 30) == 1 << 29)
        configuration.clientMemoryBytesMax = 5_000_000
        #expect(limit(configuration, unitMemoryBytes: 1 << 30) == 5_000_000)
        var scenario = memory(5_000_000)
        scenario.core.holds(4_000_000, for: try scenario.open(), now: scenario.now)
        #expect(!scenario.core.isOverClientMemory)
        configuration = scenario.core.configuration
        configuration.clientMemoryBytesMax = 3_000_000
        scenario.step { core, turn in
            core.reloaded(.success(configuration), for: nil, &turn)
        }
        #expect(scenario.core.isOverClientMemory)
    }

    private func isTaken(_ memory: inout ClientMemory, _ now: Instant) -> Bool { memory.takesGiveBack(now: now) }

    @Test("Memory is given back once much was freed, and then not again at once")
    func memoryIsGivenBackOnceMuchWasFreed() {
        let start = Instant.ms(0)
        var memory = ClientMemory(limitBytes: 1 << 30, now: start)
        memory.add(Limits.givenBackBytesMin, slot: 3)
        #expect(memory.giveBackAt == nil)
        memory.add(-Limits.givenBackBytesMin + 1, slot: 3)
        #expect(memory.giveBackAt == nil)
        memory.add(-1, slot: 3)
        #expect(isTaken(&memory, start) == true)
        #expect(isTaken(&memory, start) == false)
        memory.add(Limits.givenBackBytesMin, slot: 0)
        memory.forget(slot: 0)
        #expect(isTaken(&memory, start) == false)
        #expect(memory.giveBackAt == start.adding(ms: Limits.giveBackMs))
        #expect(isTaken(&memory, start.adding(ms: Limits.giveBackMs)) == true)
    }

    @Test("A queue of many places gives them back when it is empty")
    func aQueueOfManyPlacesGivesThemBackWhenItIsEmpty() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        for _ in 0..<500 { scenario.send(.count(post), on: client) }
        #expect(scenario.core.clients.sessions[client].slots.capacity >= 500)
        scenario.pass(ms: 6_000)
        #expect(scenario.core.clients.sessions[client].slots.capacity == 0)
    }
}

@Suite struct CgroupMemoryTests {
    @Test("The limit is found in the process' cgroup and those around it")
    func theLimitIsFoundInTheCgroupAndThoseAroundIt() {
        #expect(
            CgroupMemory.path(in: "4:memory:/a\n0::/system.slice/likesd.service\n") == "/system.slice/likesd.service")
        #expect(CgroupMemory.path(in: "4:memory:/a\n") == nil)
        #expect(CgroupMemory.folders(of: "/a/b") == ["/a/b", "/a", ""])
        #expect(CgroupMemory.folders(of: "/") == [""])
        #expect(CgroupMemory.limit(in: "1073741824\n") == 1 << 30)
        for none in ["max\n", "", "-\n"] { #expect(CgroupMemory.limit(in: none) == nil) }
    }
}

@Suite struct ShareTests {
    private func open(_ scenario: inout Scenario, _ sharer: Sharer?) -> ConnectionID? {
        scenario.core.opened(
            by: PeerRights(mayReload: false, getsInWhenFull: false, sharer: sharer), now: scenario.now)
    }

    @Test("By default one user or one process gets three quarters of the connections; the rest is for others")
    func oneUserOrProcessHasThreeQuartersOfTheConnections() {
        for (one, other) in [(Sharer.user(7), Sharer.user(8)), (.process(7), .process(8)), (.user(7), .process(7))] {
            var scenario = Scenario { $0.connectionsMax = 8 }
            for _ in 0..<6 { #expect(open(&scenario, one) != nil) }
            #expect(open(&scenario, one) == nil)
            let peer = PeerRights(mayReload: false, getsInWhenFull: false, sharer: one)
            #expect(scenario.core.refusal(of: peer).message.contains("MAX_CONNECTIONS_PER_USER"))
            for _ in 0..<2 { #expect(open(&scenario, other) != nil) }
            #expect(open(&scenario, other) == nil)
            let second = PeerRights(mayReload: false, getsInWhenFull: false, sharer: other)
            #expect(scenario.core.refusal(of: second) == Core.refusal)
            #expect(scenario.core.reports.statistics.connectionsRefused == 2)
            #expect(scenario.core.reports.statistics.connectionsOverShare == 1)
        }
    }

    @Test("A place that is left is free again, and a client without a share takes any place")
    func aPlaceThatIsLeftIsFreeAgain() throws {
        var scenario = Scenario {
            $0.connectionsMax = 8
            $0.connectionsPerUserMax = 2
        }
        let client = try #require(open(&scenario, .user(7)))
        #expect(open(&scenario, .user(7)) != nil)
        #expect(open(&scenario, .user(7)) == nil)
        scenario.step { core, turn in core.closed(client, &turn) }
        #expect(open(&scenario, .user(7)) != nil)
        #expect(open(&scenario, .user(7)) == nil)
        for _ in 0..<6 { #expect(open(&scenario, nil) != nil) }
        #expect(open(&scenario, nil) == nil)
    }
}

@Suite struct UnfinishedTests {
    @Test("A request not finished in time is a protocol error, sent after the replies that are due, and the end")
    func aRequestNotFinishedInTimeIsAProtocolErrorBehindTheRepliesDue() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.step { core, turn in core.unfinished(on: client, &turn) }
        #expect(!scenario.core.accepts(client))
        _ = scenario.take()
        scenario.pass(ms: 6_000)
        let replies = scenario.take().filter {
            switch $0 {
            case .reply, .close: true
            default: false
            }
        }
        #expect(replies.count == 3)
        guard case .reply(client, .error(let error)) = replies[1] else {
            Issue.record("\(replies)")
            return
        }
        #expect(error.code == .err && error.message.hasPrefix("Protocol error: "))
        #expect(replies[2] == .close(client))
        #expect(scenario.core.reports.statistics.requestsUnfinished == 1)
    }

    @Test("A request has 30 s to be finished, or six times REQUEST_TIMEOUT_MS where that is less")
    func theTimeIsThirtySecondsOrSixTimesTheRequestTimeout() {
        #expect(Scenario().core.requestFinishMs == 30_000)
        #expect(Scenario { $0.requestTimeoutMs = 100 }.core.requestFinishMs == 600)
        #expect(Scenario { $0.requestTimeoutMs = 600_000 }.core.requestFinishMs == 30_000)
    }
}

@Suite struct ExpiryTests {
    @Test("Each turn answers some of the requests whose time is over, and in the end all are answered")
    func someRequestsWhoseTimeIsOverAreAnsweredInEachTurnAndAllInTheEnd() throws {
        var scenario = Scenario(up: [])
        var clients: [ConnectionID] = []
        let items = (2..<1_002).map { Item(type: 1, id: $0) }
        for _ in 0..<20 {
            let client = try scenario.open()
            clients.append(client)
            scenario.send(.mliked(user: 1, items: items), on: client)
        }
        _ = scenario.take()
        scenario.now = scenario.now.adding(ms: 6_000)
        var turns = 0
        while scenario.core.clients.sessions.waitingCount > 0, turns < 100 {
            #expect(scenario.core.nextTick.map { $0 <= scenario.now } == true)
            scenario.step { core, turn in core.tick(&turn) }
            let replies = scenario.take().filter { if case .reply = $0 { true } else { false } }
            #expect(replies.count <= Limits.expiryWeightMax / 1_000 + 1)
            turns += 1
        }
        #expect(turns >= 4)
        #expect(scenario.core.clients.sessions.waitingCount == 0)
    }
}
