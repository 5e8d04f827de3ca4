import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

@Suite struct ReloadTests {
    private func administrator(_ script: inout Script) throws -> ConnectionID {
        let opened = script.core.opened(by: PeerRights(mayReload: true, getsInWhenFull: true), now: script.now)
        return try #require(opened)
    }

    /// The reply to RELOAD when the file says what `change` makes of the settings in force.
    private func reload(
        _ script: inout Script, on client: ConnectionID, _ change: (inout Configuration) -> Void
    ) throws -> [Action] {
        script.send(.reload, on: client)
        guard case .reload(let ticket)? = script.take().last else {
            throw ConfigurationError([])
        }
        var wanted = script.core.configuration
        change(&wanted)
        script.step { core, turn in core.reloaded(.success(wanted), for: ticket, &turn) }
        return script.take()
    }

    private func reply(applied: [String], restart: [String]) -> Reply {
        .map([
            .text("applied"), .array(applied.map { .text($0) }), .text("restart"), .array(restart.map { .text($0) }),
        ])
    }

    @Test("Only root and the daemon's own user may")
    func onlyRootAndTheDaemonsOwnUserMay() throws {
        var script = Script()
        let client = try script.open()
        script.send(.reload, on: client)
        #expect(script.take() == [.reply(client, .error(ErrorReply(.noPermission, Core.administratorsOnly)))])
    }

    @Test("What can change while it runs is applied together; what can't is named and stays")
    func whatCanChangeIsAppliedTogetherAndTheRestIsNamed() throws {
        var script = Script { $0.rateLimitRequests = 5 }
        let client = try administrator(&script)
        var expected = script.core.configuration
        expected.rateLimitRequests = 1
        expected.connectionsMax = 9
        let actions = try reload(&script, on: client) {
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
        #expect(script.core.configuration == expected)
        #expect(
            script.core.infoText(section: "server", now: script.now).contains("restart_needed:DATABASE_URL,REQUEST"))
    }

    @Test("A file that says what is in force changes nothing")
    func aFileThatSaysWhatIsInForceChangesNothing() throws {
        var script = Script()
        let client = try administrator(&script)
        let actions = try reload(&script, on: client) { _ in }
        #expect(actions == [.reply(client, reply(applied: [], restart: [])), .resume(client)])
    }

    @Test("A wrong file changes nothing, and each problem is logged on its own")
    func aWrongFileChangesNothingAndEachProblemIsLogged() throws {
        var script = Script()
        let client = try administrator(&script)
        let before = script.core.configuration
        script.send(.reload, on: client)
        guard case .reload(let ticket)? = script.take().last else {
            Issue.record("the file is not read")
            return
        }
        let problems = (1...20).map { ConfigurationProblem(.line(file: "f", number: $0), "bad") }
        script.step { core, turn in
            core.reloaded(.failure(ConfigurationError(problems)), for: ticket, &turn)
        }
        let lines = script.actions.compactMap { if case .log(.error, let text) = $0 { text } else { nil } }
        #expect(lines.count == Limits.reloadProblemsMax + 1)
        #expect(lines.first == "reload refused, nothing changed: f:1: bad")
        #expect(lines.last == "reload refused, nothing changed: and 4 more")
        guard case .reply(client, .error(let error))? = script.take().first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .configuration)
        #expect(error.message.hasPrefix("reload refused, nothing changed: f:1: bad; f:2: bad; "))
        #expect(script.core.configuration == before)
    }

    @Test("The reply keeps its place behind what is under way")
    func theReplyKeepsItsPlaceBehindWhatIsUnderWay() throws {
        var script = Script()
        let client = try administrator(&script)
        script.send(.like(ann), on: client)
        let actions = try reload(&script, on: client) { _ in }
        #expect(!actions.contains { if case .reply = $0 { true } else { false } })
        script.admit(1, [.limited(retrySeconds: 3)])
        let replies = script.replies(client)
        #expect(replies.count == 2)
        #expect(replies.last == reply(applied: [], restart: []))
    }

    @Test("A new limit of the rate and a new lifetime in the local cache hold at once")
    func newLimitsAndLifetimesHoldAtOnce() throws {
        var script = Script(
            {
                $0.rateLimitRequests = 2
                $0.localCacheTTLMs = 1_000
            }, up: [.lane, .reader])
        let client = try administrator(&script)
        _ = script.core.known.committed([counter(post, 3, 1)], isYoung: true, isFresh: true, now: script.now)
        _ = try reload(&script, on: client) {
            $0.rateLimitRequests = 1
            $0.localCacheTTLMs = 10
        }
        script.send(.like(ann), on: client)
        script.send(.like(Pair(user: 1, item: other)), on: client)
        #expect(script.core.reports.statistics.rateLimited == 1)
        script.pass(ms: 20)
        #expect(script.core.cachedCount(post, now: script.now) == nil)
    }

    @Test("Over the limit of connections there is room for who may reload, and for few of them")
    func overTheLimitThereIsRoomForAFewWhoMayReload() throws {
        var script = Script { $0.connectionsMax = 1 }
        _ = try script.open()
        #expect(script.core.opened(now: script.now) == nil)
        let mayReload = PeerRights(mayReload: true, getsInWhenFull: false)
        #expect(script.core.opened(by: mayReload, now: script.now) == nil)
        for _ in 0..<Limits.administratorConnectionsMax { _ = try administrator(&script) }
        #expect(script.core.opened(by: PeerRights(mayReload: true, getsInWhenFull: true), now: script.now) == nil)
    }

    @Test("Whoever may reload gets in also where the limit was lowered below the connections that are there")
    func whoeverMayReloadGetsInWhereTheLimitWasLowered() throws {
        var script = Script { $0.connectionsMax = 50 }
        let client = try administrator(&script)
        for _ in 0..<50 { _ = try script.open() }
        _ = try reload(&script, on: client) { $0.connectionsMax = 10 }
        #expect(script.core.opened(now: script.now) == nil)
        _ = try administrator(&script)
    }

    @Test("Administrators take no place of others: as many come back after a restart, in whatever order")
    func administratorsTakeNoPlaceOfOthers() throws {
        var script = Script { $0.connectionsMax = 2 }
        for _ in 0..<Limits.administratorConnectionsMax { _ = try administrator(&script) }
        _ = try script.open()
        let last = try script.open()
        #expect(script.core.opened(now: script.now) == nil)
        script.step { core, turn in core.closed(last, &turn) }
        _ = try script.open()
    }

    @Test("What is pipelined behind a RELOAD is not taken before the new settings are in force")
    func whatIsPipelinedBehindAReloadWaitsForTheNewSettings() throws {
        var script = Script()
        let client = try administrator(&script)
        script.send(.reload, on: client)
        #expect(!script.core.accepts(client))
        guard case .reload(let ticket)? = script.take().last else {
            Issue.record("the file is not read")
            return
        }
        let wanted = script.core.configuration
        script.step { core, turn in core.reloaded(.success(wanted), for: ticket, &turn) }
        #expect(script.take().last == .resume(client))
        #expect(script.core.accepts(client))
    }

    @Test("A signal reloads; once likesd stops it does not")
    func aSignalReloadsUntilLikesdStops() {
        var script = Script()
        script.step { core, turn in core.reloadAsked(&turn) }
        #expect(script.take() == [.reload(nil)])
        script.step { core, turn in
            core.stop(&turn)
            core.reloadAsked(&turn)
        }
        #expect(!script.take().contains(.reload(nil)))
    }

    @Test("A client that leaves while the file is read is answered nothing")
    func aClientThatLeavesWhileTheFileIsReadIsAnsweredNothing() throws {
        var script = Script()
        let client = try administrator(&script)
        script.send(.reload, on: client)
        guard case .reload(let ticket)? = script.take().last else {
            Issue.record("the file is not read")
            return
        }
        let wanted = script.core.configuration
        script.step { core, turn in
            core.closed(client, &turn)
            core.reloaded(.success(wanted), for: ticket, &turn)
        }
        #expect(script.take() == [])
        #expect(script.core.clients.sessions.waitingCount == 0)
    }

    @Test("A client is handed over when nothing of it is under way, and is itself in the next process")
    func aClientIsHandedOverWhenNothingOfItIsUnderWay() throws {
        var script = Script()
        let client = try script.open()
        script.send(.handshake(.client, [Array("SETNAME".utf8), Array("web".utf8)]), on: client)
        let facts = try #require(script.core.idleClient(client))
        script.send(.like(ann), on: client)
        #expect(script.core.idleClient(client) == nil)

        var next = Script()
        let id = next.core.tookOver(by: .none, now: next.now) { $0.name = facts.name }
        let adopted = try #require(id)
        next.send(.handshake(.client, [Array("GETNAME".utf8)]), on: adopted)
        #expect(next.replies(adopted) == [.text("web")])
    }
}
