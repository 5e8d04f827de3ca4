import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

private let well = "PostgreSQL and Redis healthy"

extension Scenario {
    fileprivate mutating func statusLine() -> StatusLine { core.statusLine(now: now) }

    /// The message of HEALTH.
    fileprivate func message() -> String? {
        guard case .map(let fields) = core.healthReply(now: .ms(0)),
            let place = fields.firstIndex(of: .text("message")), case .bulk(let text) = fields[place + 1]
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    /// The actions that follow, log lines included.
    fileprivate mutating func passOver(_ servers: [ServerAdvice]) -> [Action] {
        var turn = Turn(now: now)
        core.serversPassedOver(servers, &turn)
        return turn.actions
    }
}

@Suite struct StatusLineTests {
    @Test("The rates are those since the last status line, and go back to 0 at rest")
    func theRatesAreThoseSinceTheLineBefore() throws {
        var scenario = Scenario()
        _ = try scenario.open()
        #expect(
            scenario.statusLine() == StatusLine(text: "ok: 1 client, 0 likes/s, 0 counts/s; \(well)", isAtRest: true))
        scenario.core.reports.statistics.requests[.like].received += 4
        scenario.core.reports.statistics.requests[.unlike].received += 2
        scenario.core.reports.statistics.requests[.count].received += 7_000
        scenario.core.reports.statistics.requests[.mcount].received += 1_000
        scenario.pass(ms: 2_000)
        #expect(
            scenario.statusLine()
                == StatusLine(text: "ok: 1 client, 3 likes/s, 4,000 counts/s; \(well)", isAtRest: false)
        )
        scenario.pass(ms: 2_000)
        #expect(scenario.statusLine().isAtRest)
    }

    @Test("One request in a long time shows as 0 a second, and so does no time at all")
    func oneRequestInALongTimeIsNoRate() {
        var rates = StatusRates(now: .ms(0))
        #expect(rates.take(likes: 5, counts: 5, now: .ms(0)) == (0, 0))
        #expect(rates.take(likes: 5, counts: 15, now: .ms(10_000)) == (1, 2))
        #expect(rates.take(likes: 6, counts: 19, now: .ms(20_000)) == (0, 0))
        #expect(rates.take(likes: 6, counts: 1_019, now: .ms(20_001)) == (0, 1_000_000))
    }

    @Test("Numbers are grouped")
    func numbersAreGrouped() {
        #expect([0, 999, 1_000, 40_112, 1_234_567].map(Core.grouped) == ["0", "999", "1,000", "40,112", "1,234,567"])
    }

    @Test("What to do comes first, PostgreSQL before Redis; HEALTH says the same")
    func whatIsToBeDoneComesFirstPostgreSQLBeforeRedis() {
        var scenario = Scenario()
        scenario.lose(.lane, .schema("no tables", next: "sudo -u likesd likesctl migrate"))
        let first = "next: sudo -u likesd likesctl migrate (PostgreSQL: no tables)"
        #expect(scenario.statusLine().text == "down: \(first); 0 clients, 0 likes/s, 0 counts/s")
        scenario.lose(.redis, .unreachable("refused", next: "sudo apt install redis-server"))
        #expect(scenario.message() == "\(first); then: sudo apt install redis-server (Redis: refused)")
        scenario.connect(.lane)
        #expect(scenario.message() == "next: sudo apt install redis-server (Redis: refused)")
        #expect(
            scenario.statusLine().text.hasPrefix("degraded: next: sudo apt install redis-server (Redis: refused); "))
    }

    @Test("Status and HEALTH's message stay one line, whatever names contain: to systemd each line is a message")
    func statusAndHealthsMessageAreOneLineWhateverNamesHold() {
        var scenario = Scenario()
        scenario.lose(.lane, .unreachable("no\r\ndatabase \"a\nMAINPID=1\"", next: "createdb 'a\nMAINPID=1'"))
        let text = scenario.statusLine().text
        #expect(text.hasPrefix("down: next: createdb 'a MAINPID=1' (PostgreSQL: no  database \"a MAINPID=1\")"))
        #expect(!text.unicodeScalars.contains { $0 == "\n" || $0 == "\r" })
        #expect(scenario.message().map { text.hasPrefix("down: \($0); ") } == true)
    }

    @Test("A server that is passed over is named while it is there, even if all is well, and logged once")
    func aServerThatIsPassedOverIsSaidWhileItIsThere() {
        var scenario = Scenario()
        let old = ServerAdvice(reason: "a is an old primary", next: "end a")
        #expect(scenario.passOver([old]) == [.log(.warning, "PostgreSQL: a is an old primary; next: end a")])
        #expect(
            scenario.passOver([old, ServerAdvice(reason: "b as well", next: "end b")])
                == [.log(.warning, "PostgreSQL: b as well; next: end b")])
        let first = "next: end a (PostgreSQL: a is an old primary)"
        #expect(scenario.message() == "\(first); then: end b (PostgreSQL: b as well)")
        #expect(scenario.statusLine().text.hasPrefix("ok: \(first); "))
        #expect(scenario.passOver([]).isEmpty)
        #expect(scenario.message() == nil)
    }

    @Test("If nothing can be advised, only the reason is given")
    func whereNothingIsKnownToDoTheReasonAloneIsSaid() {
        var scenario = Scenario(up: [])
        #expect(scenario.message() == "PostgreSQL: connecting; Redis: connecting")
        scenario.lose(.lane, .unreachable("starting up"))
        #expect(scenario.message() == "PostgreSQL: starting up; Redis: connecting")
    }

    @Test("If nobody answers the attempt to connect, the message names the setting to check")
    func anAttemptThatNobodyAnswersLeadsToTheSetting() {
        var scenario = Scenario(up: [])
        scenario.pass(ms: Limits.postgresConnectMsMax)
        #expect(
            scenario.message()?.hasPrefix(
                "next: check host and port of DATABASE_URL, and IPAddressAllow= of likesd.service")
                == true)
    }

    @Test("A role without rights on the lane's table gives up the lane, and HEALTH says what to run")
    func aRoleWithoutRightsOnTheLanesTableGivesItUp() {
        var scenario = Scenario(up: [.redis, .subscriber, .reader], byHand: [.fence])
        scenario.connect(.lane)
        #expect(scenario.take().count { if case .lane(_, .fence) = $0 { true } else { false } } == 1)
        scenario.fail(.permission("denied", next: "psql -c 'GRANT …'"))
        #expect(scenario.message() == "next: psql -c 'GRANT …' (PostgreSQL: cannot open the lane: denied)")
    }

    @Test("A refusal by Redis is shown for a minute after the last one, because a host at rest asks Redis for nothing")
    func whatRedisRefusedIsSaidForAMinuteAfterItLastDid() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        func isSaid() -> Bool {
            scenario.core.healthMessage(now: scenario.now).contains("admission is refused: NOPERM")
        }
        func like() {
            scenario.send(.like(ann), on: client)
            #expect(scenario.take().last == .admit([AdmissionEntry(pair: ann, kind: .like)]))
            scenario.redisFails(.refused("NOPERM no right"))
        }
        like()
        scenario.pass(ms: Limits.refusalShownMs - 1)
        #expect(isSaid())
        like()
        scenario.pass(ms: Limits.refusalShownMs - 1)
        #expect(isSaid())
        scenario.pass(ms: 1)
        #expect(!isSaid())
        #expect(scenario.core.isRedisHealthy)
    }

    @Test("A change that the role has no right to make is refused with what to run")
    func aChangeThatTheRoleMayNotMakeIsRefusedWithWhatToRun() throws {
        var scenario = Scenario(up: [.lane, .reader])
        let connection = try scenario.open()
        scenario.send(.like(ann), on: connection)
        scenario.fail(.permission("denied", next: "GRANT"))
        #expect(
            scenario.replies(connection)
                == [.error(ErrorReply(.unavailable, "PostgreSQL refused: denied; next: GRANT"))])
    }

    @Test("A request that was not served says why where that is known, and what to do")
    func aRequestThatWasNotServedSaysWhy() throws {
        func refusals(_ lane: BackendFailure?, _ reader: BackendFailure?) throws -> [String] {
            var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
            let client = try scenario.open()
            if let lane { scenario.lose(.lane, lane) }
            if let reader { scenario.lose(.reader, reader) }
            scenario.send(.like(ann), .count(other), on: client)
            scenario.pass(ms: Configuration().requestTimeoutMs)
            return scenario.replies(client).map { reply in
                if case .error(let error) = reply, error.code == .unavailable { error.message } else { "\(reply)" }
            }
        }
        let slow = "PostgreSQL did not answer in time: it is slow or overloaded"
        let readOnly = BackendFailure.readOnly("the server is read-only", next: "point it at the primary")
        let takesNone = "PostgreSQL takes no changes: the server is read-only; next: point it at the primary"
        #expect(try refusals(readOnly, nil) == [takesNone, slow])
        let away = BackendFailure.unreachable("nobody listens", next: "start it")
        let unusable = "PostgreSQL cannot be used: nobody listens; next: start it"
        #expect(try refusals(away, away) == [unusable, unusable])
        #expect(try refusals(.awaitsStandby, nil)[0].hasPrefix("PostgreSQL keeps changes waiting: it waits for a sync"))
    }

    @Test("While the reader has found nothing yet, a read is told what the lane found, unless that stops only changes")
    func aReadIsToldWhatTheLaneFoundUnlessThatStopsOnlyChanges() throws {
        func refusal(_ lane: BackendFailure) throws -> String {
            var scenario = Scenario({ $0.requestTimeoutMs = 100 }, up: [.lane])
            let client = try scenario.open()
            scenario.lose(.lane, lane)
            scenario.send(.count(other), on: client)
            scenario.pass(ms: 100)
            guard case .error(let error)? = scenario.replies(client).first else { return "no error" }
            return error.message
        }
        let slow = "PostgreSQL did not answer in time: it is slow or overloaded"
        #expect(try refusal(.readOnly("the server is read-only")) == slow)
        #expect(try refusal(.awaitsStandby) == slow)
        #expect(try refusal(.schema("no tables")) == "PostgreSQL cannot be used: no tables")
        #expect(try refusal(.unreachable("gone")) == "PostgreSQL cannot be used: gone")
        #expect(try refusal(.unexpected("nonsense")) == "PostgreSQL cannot be used: nonsense")
    }

    @Test("A change that waits for a lane that is up is not told what is wrong with the reader")
    func aChangeThatWaitsForTheLaneIsNotToldOfTheReader() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let first = try scenario.open()
        scenario.send(.like(ann), on: first)
        // The lane waits for a lock, and what comes now waits for the lane.
        let second = try scenario.open()
        scenario.send(.like(Pair(user: 2, item: other)), on: second)
        scenario.lose(.reader, .unreachable("nobody listens", next: "start it"))
        scenario.pass(ms: Configuration().requestTimeoutMs)
        let slow = ErrorReply(.unavailable, "PostgreSQL did not answer in time: it is slow or overloaded")
        #expect(scenario.replies(second) == [.error(slow)])
    }
}
