import LikesProtocol
import Testing

@testable import LikesCore

private let well = "PostgreSQL and Redis healthy"

extension Script {
    fileprivate mutating func statusLine() -> StatusLine { core.statusLine(now: now) }

    /// The message of HEALTH.
    fileprivate func message() -> String? {
        guard case .map(let fields) = core.healthReply(now: .ms(0)),
            let place = fields.firstIndex(of: .text("message")), case .bulk(let text) = fields[place + 1]
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    fileprivate mutating func lose(_ backend: Backend, _ failure: BackendFailure) {
        step { core, turn in core.lost(backend, failure, &turn) }
    }

    /// What comes of it, its lines in the log included.
    fileprivate mutating func passOver(_ servers: [ServerAdvice]) -> [Action] {
        var turn = Turn(now: now)
        core.serversPassedOver(servers, &turn)
        return turn.actions
    }
}

@Suite struct StatusLineTests {
    @Test("The rates are those since the line before, and go back to 0 at rest.")
    func theRatesAreThoseSinceTheLineBefore() throws {
        var script = Script()
        _ = try script.open()
        #expect(script.statusLine() == StatusLine(text: "ok: 1 client, 0 likes/s, 0 counts/s; \(well)", isAtRest: true))
        script.core.reports.statistics.likes += 4
        script.core.reports.statistics.unlikes += 2
        script.core.reports.statistics.counts += 7_000
        script.core.reports.statistics.multiCounts += 1_000
        script.pass(ms: 2_000)
        #expect(
            script.statusLine() == StatusLine(text: "ok: 1 client, 3 likes/s, 4,000 counts/s; \(well)", isAtRest: false)
        )
        script.pass(ms: 2_000)
        #expect(script.statusLine().isAtRest)
    }

    @Test("One request in a long time is no rate, and no time at all shows none.")
    func oneRequestInALongTimeIsNoRate() throws {
        var rates = StatusRates(now: .ms(0))
        #expect(rates.take(likes: 5, counts: 5, now: .ms(0)) == (0, 0))
        #expect(rates.take(likes: 5, counts: 15, now: .ms(10_000)) == (1, 2))
        #expect(rates.take(likes: 6, counts: 19, now: .ms(20_000)) == (0, 0))
        #expect(rates.take(likes: 6, counts: 1_019, now: .ms(20_001)) == (0, 1_000_000))
    }

    @Test("Numbers are grouped.")
    func numbersAreGrouped() {
        #expect([0, 999, 1_000, 40_112, 1_234_567].map(Core.grouped) == ["0", "999", "1,000", "40,112", "1,234,567"])
    }

    @Test("What is to be done comes first, PostgreSQL before Redis; HEALTH says the same.")
    func whatIsToBeDoneComesFirstPostgreSQLBeforeRedis() {
        var script = Script()
        script.lose(.lane, .schema("no tables", next: "sudo -u likesd likesctl migrate"))
        let first = "next: sudo -u likesd likesctl migrate (PostgreSQL: no tables)"
        #expect(script.statusLine().text == "down: \(first); 0 clients, 0 likes/s, 0 counts/s")
        script.lose(.redis, .unreachable("refused", next: "sudo apt install redis-server"))
        #expect(script.message() == "\(first); then: sudo apt install redis-server (Redis: refused)")
        script.connect(.lane)
        #expect(script.message() == "next: sudo apt install redis-server (Redis: refused)")
        #expect(script.statusLine().text.hasPrefix("degraded: next: sudo apt install redis-server (Redis: refused); "))
    }

    @Test("Status and HEALTH's message are one line, whatever names hold: systemd takes each line for a message.")
    func statusAndHealthsMessageAreOneLineWhateverNamesHold() {
        var script = Script()
        script.lose(.lane, .unreachable("no\r\ndatabase \"a\nMAINPID=1\"", next: "createdb 'a\nMAINPID=1'"))
        let text = script.statusLine().text
        #expect(text.hasPrefix("down: next: createdb 'a MAINPID=1' (PostgreSQL: no  database \"a MAINPID=1\")"))
        #expect(!text.unicodeScalars.contains { $0 == "\n" || $0 == "\r" })
        #expect(script.message().map { text.hasPrefix("down: \($0); ") } == true)
    }

    @Test("A server that is passed over is said while it is there, though all is well, and logged once.")
    func aServerThatIsPassedOverIsSaidWhileItIsThere() {
        var script = Script()
        let old = ServerAdvice(reason: "a is an old primary", next: "end a")
        #expect(script.passOver([old]) == [.log(.warning, "PostgreSQL: a is an old primary; next: end a")])
        #expect(
            script.passOver([old, ServerAdvice(reason: "b as well", next: "end b")])
                == [.log(.warning, "PostgreSQL: b as well; next: end b")])
        let first = "next: end a (PostgreSQL: a is an old primary)"
        #expect(script.message() == "\(first); then: end b (PostgreSQL: b as well)")
        #expect(script.statusLine().text.hasPrefix("ok: \(first); "))
        #expect(script.passOver([]).isEmpty)
        #expect(script.message() == nil)
    }

    @Test("Where nothing is known to do, the reason alone is said.")
    func whereNothingIsKnownToDoTheReasonAloneIsSaid() {
        var script = Script(up: [])
        #expect(script.message() == "PostgreSQL: connecting; Redis: connecting")
        script.lose(.lane, .unreachable("starting up"))
        #expect(script.message() == "PostgreSQL: starting up; Redis: connecting")
    }

    @Test("An attempt that nobody answers leads to the setting.")
    func anAttemptThatNobodyAnswersLeadsToTheSetting() {
        var script = Script(up: [])
        script.pass(ms: Limits.postgresConnectMsMax)
        #expect(
            script.message()?.hasPrefix(
                "next: check host and port of DATABASE_URL, and IPAddressAllow= of likesd.service")
                == true)
    }

    @Test("A role without rights on the lane's table gives it up, and HEALTH says what to run.")
    func aRoleWithoutRightsOnTheLanesTableGivesItUp() {
        var script = Script(up: [.redis, .subscriber, .reader], byHand: [.fence])
        script.connect(.lane)
        let fence = script.take().compactMap { if case .lane(let call, .fence(_)) = $0 { call } else { nil } }
        #expect(fence.count == 1)
        if let call = fence.first { script.fail(call, .permission("denied", next: "psql -c 'GRANT …'")) }
        #expect(script.message() == "next: psql -c 'GRANT …' (PostgreSQL: cannot open the lane: denied)")
    }

    @Test("What Redis refused is said for a minute after it last did: a host at rest asks for nothing")
    func whatRedisRefusedIsSaidForAMinuteAfterItLastDid() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        func isSaid() -> Bool { script.core.healthMessage(now: script.now).contains("admission is refused: NOPERM") }
        func like() throws {
            script.send(.like(Pair(user: 1, item: Item(type: 0, id: 1))), on: client)
            let admissions = script.take().compactMap { if case .redis(let call, .admit(_)) = $0 { call } else { nil } }
            script.redisFails(try #require(admissions.last), .refused("NOPERM no right"))
        }
        try like()
        script.pass(ms: Limits.refusalShownMs - 1)
        #expect(isSaid())
        try like()
        script.pass(ms: Limits.refusalShownMs - 1)
        #expect(isSaid())
        script.pass(ms: 1)
        #expect(!isSaid())
        #expect(script.core.isRedisHealthy)
    }

    @Test("A change that the role has no right to make is refused with what to run.")
    func aChangeThatTheRoleMayNotMakeIsRefusedWithWhatToRun() throws {
        var script = Script(up: [.lane, .reader])
        let connection = try script.open()
        script.send(.like(ann), on: connection)
        script.fail(1, .permission("denied", next: "GRANT"))
        #expect(
            script.replies(connection)
                == [.error(ErrorReply(.unavailable, "PostgreSQL refused: denied; next: GRANT"))])
    }
}
