import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

@Suite struct ClientMemoryTests {
    private func memory(_ bytes: Int64, _ change: (inout Configuration) -> Void = { _ in }) -> Script {
        Script {
            $0.clientMemoryBytesMax = bytes
            change(&$0)
        }
    }

    /// Those that are closed for memory, each gone before the next is looked for.
    private func abandoned(_ script: inout Script) -> [ConnectionID] {
        var gone: [ConnectionID] = []
        while script.core.isOverClientMemory {
            script.step { core, turn in
                guard let id = core.clientToAbandon(&turn) else { return }
                gone.append(id)
                core.closed(id, &turn)
            }
        }
        return gone
    }

    @Test("Over the budget the largest goes first, then the next, until it is kept; small ones stay")
    func overTheBudgetTheLargestGoFirstUntilItIsKept() throws {
        var script = memory(2_000_000)
        let clients = try (0..<4).map { _ in try script.open() }
        for (client, bytes) in zip(clients, [100, 900_000, 1_000_000, 99_000]) {
            script.core.holds(bytes, for: client, now: script.now)
        }
        #expect(abandoned(&script) == [])
        script.core.holds(1_000_000, for: clients[3], now: script.now)
        #expect(abandoned(&script) == [clients[3]])
        script.core.holds(2_500_000, for: clients[0], now: script.now)
        #expect(abandoned(&script) == [clients[0]])
        #expect(script.core.reports.statistics.connectionsAbandoned == 2)
        #expect(script.core.clients.sessions.memory.heldBytes == 1_900_000)
    }

    @Test("What has not been read for a second counts four times")
    func whatHasNotBeenReadForASecondCountsFourTimes() throws {
        var script = memory(2_000_000)
        let clients = try (0..<4).map { _ in try script.open() }
        script.core.holds(300_000, for: clients[0], isUnread: true, now: script.now)
        script.core.holds(400_000, for: clients[1], isUnread: true, now: script.now)
        script.core.holds(200_000, for: clients[2], isUnread: true, now: script.now)
        script.core.holds(-1, for: clients[2], isUnread: false, now: script.now)
        script.pass(ms: Limits.unreadMs)
        script.core.holds(1_200_000, for: clients[3], now: script.now)
        #expect(abandoned(&script) == [clients[1]])
        // Who holds far more is to blame all the same.
        script.core.holds(600_000, for: clients[3], now: script.now)
        #expect(abandoned(&script) == [clients[3]])
    }

    @Test("Who takes some of its replies is no client that does not read, though never all are taken")
    func whoTakesSomeOfItsRepliesIsNoClientThatDoesNotRead() throws {
        var script = memory(1_000_000)
        let clients = try (0..<2).map { _ in try script.open() }
        script.core.holds(600_000, for: clients[0], isUnread: true, now: script.now)
        script.core.holds(300_000, for: clients[1], isUnread: true, now: script.now)
        script.pass(ms: Limits.unreadMs)
        script.core.tookReplies(clients[0], now: script.now)
        script.core.holds(300_000, for: clients[1], isUnread: true, now: script.now)
        #expect(abandoned(&script) == [clients[1]])
        // What it took before does not count for ever.
        let last = try script.open()
        script.pass(ms: Limits.unreadMs)
        script.core.holds(700_000, for: last, now: script.now)
        #expect(abandoned(&script) == [clients[0]])
    }

    @Test("It is logged once in a while, with what the client held")
    func itIsLoggedOnceInAWhileWithWhatTheClientHeld() throws {
        var script = memory(2_000_000)
        for _ in 0..<5 { script.core.holds(3_000_000, for: try script.open(), now: script.now) }
        #expect(abandoned(&script).count == 5)
        let lines = script.actions.filter {
            if case .log(_, let text) = $0 { text.contains("closed client") } else { false }
        }
        guard lines.count == 1, case .log(.warning, let text) = lines[0] else {
            Issue.record("\(lines)")
            return
        }
        #expect(text.contains("held 3000000 bytes") && text.contains("CLIENT_MEMORY_MAX_BYTES"))
    }

    @Test("Requests that wait and replies behind them count, and no more once they have left")
    func waitingRequestsAndRepliesBehindThemCountUntilTheyHaveLeft() throws {
        var script = memory(1 << 30)
        let client = try script.open()
        script.send(.count(post), on: client)
        let one = script.core.clients.sessions.memory.heldBytes
        #expect(one > 0)
        script.send(.echo([UInt8](repeating: 1, count: 50_000)), on: client)
        #expect(script.core.clients.sessions.memory.heldBytes >= one + 50_000)
        let items = (2..<1_002).map { Item(type: 1, id: $0) }
        script.send(.counts(items), on: client)
        #expect(script.core.clients.sessions.memory.heldBytes >= one + 150_000)
        script.pass(ms: 6_000)
        #expect(script.core.clients.sessions.isIdle(client))
        #expect(script.core.clients.sessions.memory.heldBytes == 0)
    }

    @Test("Who leaves holds nothing any more")
    func whoLeavesHoldsNothingAnyMore() throws {
        var script = memory(1 << 30)
        let client = try script.open()
        script.send(.count(post), .ping([UInt8](repeating: 1, count: 9_000)), on: client)
        script.core.holds(70_000, for: client, now: script.now)
        script.step { core, turn in core.closed(client, &turn) }
        #expect(script.core.clients.sessions.memory.heldBytes == 0)
    }

    @Test("The limit is what is set, else half of what the unit may take, else a fixed one; a reload changes it")
    func theLimitIsWhatIsSetElseHalfOfTheUnitsElseAFixedOne() throws {
        func limit(_ configuration: Configuration, unitMemoryBytes: Int64?) -> Int {
            CoreSettings(
                configuration: configuration, unitMemoryBytes: unitMemoryBytes, limits: .standard,
                safeguards: Safeguards()
            ).clientMemoryBytesMax
        }
        var configuration = Configuration()
        #expect(limit(configuration, unitMemoryBytes: nil) == Limits.clientMemoryBytes)
        #expect(limit(configuration, unitMemoryBytes: 1 << 30) == 1 << 29)
        configuration.clientMemoryBytesMax = 5_000_000
        #expect(limit(configuration, unitMemoryBytes: 1 << 30) == 5_000_000)
        var script = memory(5_000_000)
        script.core.holds(4_000_000, for: try script.open(), now: script.now)
        #expect(!script.core.isOverClientMemory)
        configuration = script.core.configuration
        configuration.clientMemoryBytesMax = 3_000_000
        script.step { core, turn in
            core.reloaded(.success(configuration), for: nil, &turn)
        }
        #expect(script.core.isOverClientMemory)
    }

    private func isTaken(_ memory: inout ClientMemory, _ now: Instant) -> Bool { memory.takesGiveBack(now: now) }

    @Test("Memory is given back once much was freed, and not at once again")
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
        var script = Script()
        let client = try script.open()
        for _ in 0..<500 { script.send(.count(post), on: client) }
        #expect(script.core.clients.sessions[client].slots.capacity >= 500)
        script.pass(ms: 6_000)
        #expect(script.core.clients.sessions[client].slots.capacity == 0)
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
    private func open(_ script: inout Script, _ sharer: Sharer?) -> ConnectionID? {
        script.core.opened(
            by: PeerRights(mayReload: false, getsInWhenFull: false, sharer: sharer), now: script.now)
    }

    @Test("One user, or one process, has three quarters of the connections, unless told; the rest is for others")
    func oneUserOrProcessHasThreeQuartersOfTheConnections() {
        for (one, other) in [(Sharer.user(7), Sharer.user(8)), (.process(7), .process(8)), (.user(7), .process(7))] {
            var script = Script { $0.connectionsMax = 8 }
            for _ in 0..<6 { #expect(open(&script, one) != nil) }
            #expect(open(&script, one) == nil)
            let peer = PeerRights(mayReload: false, getsInWhenFull: false, sharer: one)
            #expect(script.core.refusal(of: peer).message.contains("MAX_CONNECTIONS_PER_USER"))
            for _ in 0..<2 { #expect(open(&script, other) != nil) }
            #expect(open(&script, other) == nil)
            let second = PeerRights(mayReload: false, getsInWhenFull: false, sharer: other)
            #expect(script.core.refusal(of: second) == Core.refusal)
            #expect(script.core.reports.statistics.connectionsRefused == 2)
            #expect(script.core.reports.statistics.connectionsOverShare == 1)
        }
    }

    @Test("A place that is left is free again, and who is bound by no share takes any")
    func aPlaceThatIsLeftIsFreeAgain() throws {
        var script = Script {
            $0.connectionsMax = 8
            $0.connectionsPerUserMax = 2
        }
        let client = try #require(open(&script, .user(7)))
        #expect(open(&script, .user(7)) != nil)
        #expect(open(&script, .user(7)) == nil)
        script.step { core, turn in core.closed(client, &turn) }
        #expect(open(&script, .user(7)) != nil)
        #expect(open(&script, .user(7)) == nil)
        for _ in 0..<6 { #expect(open(&script, nil) != nil) }
        #expect(open(&script, nil) == nil)
    }
}

@Suite struct UnfinishedTests {
    @Test("A request that is not finished in time is a protocol error behind the replies that are due, and the end")
    func aRequestNotFinishedInTimeIsAProtocolErrorBehindTheRepliesDue() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.step { core, turn in core.unfinished(on: client, &turn) }
        #expect(!script.core.accepts(client))
        _ = script.take()
        script.pass(ms: 6_000)
        let replies = script.take().filter {
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
        #expect(script.core.reports.statistics.requestsUnfinished == 1)
    }

    @Test("The time is 30 s, or six times REQUEST_TIMEOUT_MS where that is less")
    func theTimeIsThirtySecondsOrSixTimesTheRequestTimeout() {
        #expect(Script().core.requestFinishMs == 30_000)
        #expect(Script { $0.requestTimeoutMs = 100 }.core.requestFinishMs == 600)
        #expect(Script { $0.requestTimeoutMs = 600_000 }.core.requestFinishMs == 30_000)
    }
}

@Suite struct ExpiryTests {
    @Test("Requests whose time is over are answered some in each turn, and all in the end")
    func someRequestsWhoseTimeIsOverAreAnsweredInEachTurnAndAllInTheEnd() throws {
        var script = Script(up: [])
        var clients: [ConnectionID] = []
        let items = (2..<1_002).map { Item(type: 1, id: $0) }
        for _ in 0..<20 {
            let client = try script.open()
            clients.append(client)
            script.send(.likedMany(user: 1, items: items), on: client)
        }
        _ = script.take()
        script.now = script.now.adding(ms: 6_000)
        var turns = 0
        while script.core.clients.sessions.waitingCount > 0, turns < 100 {
            #expect(script.core.nextTick.map { $0 <= script.now } == true)
            script.step { core, turn in core.tick(&turn) }
            let replies = script.take().filter { if case .reply = $0 { true } else { false } }
            #expect(replies.count <= Limits.expiryWeightMax / 1_000 + 1)
            turns += 1
        }
        #expect(turns >= 4)
        #expect(script.core.clients.sessions.waitingCount == 0)
    }
}
