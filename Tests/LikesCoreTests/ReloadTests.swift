import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

@Suite struct ReloadTests {
    private func administrator(_ scenario: inout Scenario) throws -> ConnectionID {
        let opened = scenario.core.opened(by: PeerRights(mayReload: true, getsInWhenFull: true), now: scenario.now)
        return try #require(opened)
    }

    /// What RELOAD does when the file holds the settings in force, changed by `change`.
    private func reload(
        _ scenario: inout Scenario, on client: ConnectionID, _ change: (inout Configuration) -> Void
    ) throws -> [Action] {
        scenario.send(.reload, on: client)
        guard case .reload(let ticket)? = scenario.take().last else {
            throw ConfigurationError([])
        }
        var wanted = scenario.core.configuration
        change(&wanted)
        scenario.step { core, turn in core.reloaded(.success(wanted), for: ticket, &turn) }
        return scenario.take()
    }

    private func reply(applied: [String], restart: [String]) -> Reply {
        .map([
            .text("applied"), .array(applied.map { .text($0) }), .text("restart"), .array(restart.map { .text($0) }),
        ])
    }

    @Test("Only root and the daemon's own user may reload")
    func onlyRootAndTheDaemonsOwnUserMay() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.reload, on: client)
        let refusal = "RELOAD is for root and the user likesd runs as; next: sudo likesctl reload"
        #expect(scenario.take() == [.reply(client, .error(ErrorReply(.noPermission, refusal)))])
        var elsewhere = Scenario { $0.socketPath = "/srv/my likes/s" }
        let other = try elsewhere.open()
        elsewhere.send(.reload, on: other)
        let named = refusal + " --socket '/srv/my likes/s'"
        #expect(elsewhere.take() == [.reply(other, .error(ErrorReply(.noPermission, named)))])
    }

    @Test("What can change while it runs is applied together; what can't is named and stays")
    func whatCanChangeIsAppliedTogetherAndTheRestIsNamed() throws {
        var scenario = Scenario { $0.rateLimitRequests = 5 }
        let client = try administrator(&scenario)
        var expected = scenario.core.configuration
        expected.rateLimitRequests = 1
        expected.connectionsMax = 9
        let actions = try reload(&scenario, on: client) {
            $0.rateLimitRequests = 1
            $0.connectionsMax = 9
            $0.databaseURL = "postgresql:///elsewhere"
            $0.requestTimeoutMs = 77
        }
        #expect(
            actions == [
                .configure(expected),
                .reply(
                    client,
                    reply(
                        applied: ["RATE_LIMIT_REQUESTS", "MAX_CONNECTIONS"],
                        restart: ["DATABASE_URL", "REQUEST_TIMEOUT_MS"])),
                .resume(client),
            ])
        #expect(scenario.core.configuration == expected)
        #expect(
            scenario.core.infoText(section: "server", now: scenario.now).contains("restart_needed:DATABASE_URL,REQUEST")
        )
    }

    @Test("A file that says what is in force changes nothing")
    func aFileThatSaysWhatIsInForceChangesNothing() throws {
        var scenario = Scenario()
        let client = try administrator(&scenario)
        let actions = try reload(&scenario, on: client) { _ in }
        #expect(actions == [.reply(client, reply(applied: [], restart: [])), .resume(client)])
    }

    @Test("A wrong file changes nothing, and each problem is logged on its own")
    func aWrongFileChangesNothingAndEachProblemIsLogged() throws {
        var scenario = Scenario()
        let client = try administrator(&scenario)
        let before = scenario.core.configuration
        scenario.send(.reload, on: client)
        guard case .reload(let ticket)? = scenario.take().last else {
            Issue.record("the file is not read")
            return
        }
        let problems = (1...20).map { ConfigurationProblem(.line(file: "f", number: $0), "bad") }
        scenario.step { core, turn in
            core.reloaded(.failure(ConfigurationError(problems)), for: ticket, &turn)
        }
        let lines = scenario.actions.compactMap { if case .log(.error, let text) = $0 { text } else { nil } }
        #expect(lines.count == Limits.reloadProblemsMax + 1)
        #expect(lines.first == "reload refused, nothing changed: f:1: bad")
        #expect(lines.last == "reload refused, nothing changed: and 4 more")
        guard case .reply(client, .error(let error))? = scenario.take().first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .configuration)
        #expect(error.message.hasPrefix("reload refused, nothing changed: f:1: bad; f:2: bad; "))
        #expect(scenario.core.configuration == before)
    }

    @Test("The reply keeps its place behind what is under way")
    func theReplyKeepsItsPlaceBehindWhatIsUnderWay() throws {
        var scenario = Scenario()
        let client = try administrator(&scenario)
        scenario.send(.like(ann), on: client)
        let actions = try reload(&scenario, on: client) { _ in }
        #expect(!actions.contains { if case .reply = $0 { true } else { false } })
        scenario.admit([.limited(retrySeconds: 3)])
        let replies = scenario.replies(client)
        #expect(replies.count == 2)
        #expect(replies.last == reply(applied: [], restart: []))
    }

    @Test("A new rate limit and a new lifetime in the local cache hold at once")
    func newLimitsAndLifetimesHoldAtOnce() throws {
        var scenario = Scenario(
            {
                $0.rateLimitRequests = 2
                $0.localCacheTTLMs = 1_000
            }, up: [.lane, .reader])
        let client = try administrator(&scenario)
        _ = scenario.core.known.committed(
            [counter(post, 3, 1)], isYoung: true, isFresh: { _ in true }, node: { _ in 0 }, now: scenario.now)
        _ = try reload(&scenario, on: client) {
            $0.rateLimitRequests = 1
            $0.localCacheTTLMs = 10
        }
        scenario.send(.like(ann), on: client)
        scenario.send(.like(Pair(user: 1, item: other)), on: client)
        #expect(scenario.core.reports.statistics.errors[.rateLimited] == 1)
        scenario.pass(ms: 20)
        #expect(scenario.core.cachedCount(post, now: scenario.now) == nil)
    }

    @Test("Over the connection limit there is room for a few who may reload")
    func overTheLimitThereIsRoomForAFewWhoMayReload() throws {
        var scenario = Scenario { $0.connectionsMax = 1 }
        _ = try scenario.open()
        #expect(scenario.core.opened(now: scenario.now) == nil)
        let mayReload = PeerRights(mayReload: true, getsInWhenFull: false)
        #expect(scenario.core.opened(by: mayReload, now: scenario.now) == nil)
        for _ in 0..<Limits.administratorConnectionsMax { _ = try administrator(&scenario) }
        #expect(scenario.core.opened(by: PeerRights(mayReload: true, getsInWhenFull: true), now: scenario.now) == nil)
    }

    @Test("Whoever may reload gets in even if the limit was lowered below the number of connections")
    func whoeverMayReloadGetsInWhereTheLimitWasLowered() throws {
        var scenario = Scenario { $0.connectionsMax = 50 }
        let client = try administrator(&scenario)
        for _ in 0..<50 { _ = try scenario.open() }
        _ = try reload(&scenario, on: client) { $0.connectionsMax = 10 }
        #expect(scenario.core.opened(now: scenario.now) == nil)
        _ = try administrator(&scenario)
    }

    @Test("Administrators take no places of others: after a restart as many others come back, in whatever order")
    func administratorsTakeNoPlaceOfOthers() throws {
        var scenario = Scenario { $0.connectionsMax = 2 }
        for _ in 0..<Limits.administratorConnectionsMax { _ = try administrator(&scenario) }
        _ = try scenario.open()
        let last = try scenario.open()
        #expect(scenario.core.opened(now: scenario.now) == nil)
        scenario.step { core, turn in core.closed(last, &turn) }
        _ = try scenario.open()
    }

    @Test("What is pipelined behind a RELOAD is not taken before the new settings are in force")
    func whatIsPipelinedBehindAReloadWaitsForTheNewSettings() throws {
        var scenario = Scenario()
        let client = try administrator(&scenario)
        scenario.send(.reload, on: client)
        #expect(!scenario.core.accepts(client))
        guard case .reload(let ticket)? = scenario.take().last else {
            Issue.record("the file is not read")
            return
        }
        let wanted = scenario.core.configuration
        scenario.step { core, turn in core.reloaded(.success(wanted), for: ticket, &turn) }
        #expect(scenario.take().last == .resume(client))
        #expect(scenario.core.accepts(client))
    }

    @Test("A signal reloads; once likesd stops it does not")
    func aSignalReloadsUntilLikesdStops() {
        var scenario = Scenario()
        scenario.step { core, turn in core.reloadAsked(&turn) }
        #expect(scenario.take() == [.reload(nil)])
        scenario.step { core, turn in
            core.stop(&turn)
            core.reloadAsked(&turn)
        }
        #expect(!scenario.take().contains(.reload(nil)))
    }

    @Test("A client that leaves while the file is read is answered nothing")
    func aClientThatLeavesWhileTheFileIsReadIsAnsweredNothing() throws {
        var scenario = Scenario()
        let client = try administrator(&scenario)
        scenario.send(.reload, on: client)
        guard case .reload(let ticket)? = scenario.take().last else {
            Issue.record("the file is not read")
            return
        }
        let wanted = scenario.core.configuration
        scenario.step { core, turn in
            core.closed(client, &turn)
            core.reloaded(.success(wanted), for: ticket, &turn)
        }
        #expect(scenario.take() == [])
        #expect(scenario.core.clients.sessions.waitingCount == 0)
    }

    @Test("A client is handed over when nothing of it is under way, and is itself in the next process")
    func aClientIsHandedOverWhenNothingOfItIsUnderWay() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.handshake(.client, [Array("SETNAME".utf8), Array("web".utf8)]), on: client)
        let facts = try #require(scenario.core.idleClient(client))
        scenario.send(.like(ann), on: client)
        #expect(scenario.core.idleClient(client) == nil)

        var next = Scenario()
        let id = next.core.tookOver(by: .none, now: next.now) { $0.name = facts.name }
        let adopted = try #require(id)
        next.send(.handshake(.client, [Array("GETNAME".utf8)]), on: adopted)
        #expect(next.replies(adopted) == [.text("web")])
    }
}
