import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

/// Requests wait, PostgreSQL is connected, and does nothing.
@Suite struct StallTests {
    private func logged(_ scenario: Scenario) -> [String] {
        scenario.actions.compactMap { if case .log(_, let text) = $0 { text } else { nil } }
    }

    @Test(
        "HEALTH says within 2 s that changes wait in vain, and at once that they are stored again; the log, once each")
    func changesThatWaitInVainAreTold() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), .like(Pair(user: 2, item: other)), on: client)
        scenario.admit([.admitted(recent: false), .admitted(recent: false)])
        scenario.pass(ms: Limits.stallMs - 100)
        #expect(scenario.core.status(now: scenario.now) == "ok")
        _ = scenario.take()
        scenario.pass(ms: 600)
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        let message = scenario.core.healthMessage(now: scenario.now)
        #expect(message.contains("no change was stored for 1.5 s: 2 requests wait, the oldest for 1.5 s"))
        #expect(message.contains("next: run SELECT pid"))
        #expect(logged(scenario).count == 1 && logged(scenario)[0].contains("no change was stored for"))
        scenario.pass(ms: 1_000)
        #expect(logged(scenario).count == 1)
        _ = scenario.take()
        scenario.commit(changed: [true, true], [counter(post, 1, 1), counter(other, 1, 1)])
        scenario.pass(ms: Limits.stallMs)
        #expect(scenario.core.status(now: scenario.now) == "ok")
        #expect(logged(scenario) == ["PostgreSQL stores changes again after 2.5 s; 0 requests got no answer in time"])
    }

    @Test("Requests that expire are counted by their code, timed, and told as part of the stall")
    func requestsThatExpireAreCountedAndTimed() throws {
        var scenario = Scenario { $0.requestTimeoutMs = 3_000 }
        let client = try scenario.open()
        scenario.send(.like(ann), .liked(bob), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.pass(ms: 3_000)
        #expect(scenario.replies(client).count == 2)
        let statistics = scenario.core.reports.statistics
        #expect(statistics.errors[.uncertain] == 1 && statistics.errors[.unavailable] == 1)
        #expect(statistics.requests[.like].failed == 1 && statistics.requests[.liked].failed == 1)
        #expect(statistics.requests[.like].took.quantile(1) ?? 0 >= 3_000_000)
        #expect(statistics.requests[.liked].took.quantile(1) ?? 0 >= 3_000_000)
        #expect(statistics.deadlinesMissed == 2)
        let message = scenario.core.healthMessage(now: scenario.now)
        #expect(message.contains("no change was stored for 3.0 s, and 1 got no answer in time"))
        #expect(message.contains("no read was answered for 3.0 s, and 1 got no answer in time"))
        let metrics = scenario.core.metricsText(now: scenario.now)
        #expect(metrics.contains("likesd_errors_total{code=\"UNCERTAIN\"} 1\n"))
        #expect(metrics.contains("likesd_stalled{work=\"storing\"} 1\n"))
        #expect(metrics.contains("likesd_request_duration_seconds_bucket{command=\"like\",le=\"2.000000\"} 0\n"))
        #expect(metrics.contains("likesd_request_duration_seconds_count{command=\"like\"} 1\n"))
    }

    @Test("With deadlines shorter than a stall, those that expire one after the other make one")
    func shortDeadlinesMakeAStall() throws {
        var scenario = Scenario { $0.requestTimeoutMs = 300 }
        let client = try scenario.open()
        for user in 1...4 as ClosedRange<Int64> {
            scenario.send(.liked(Pair(user: user, item: post)), on: client)
            scenario.pass(ms: 300)
        }
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        #expect(scenario.core.healthMessage(now: scenario.now).contains("4 got no answer in time"))
    }

    @Test("While some are answered, nothing is stalled, however long others wait")
    func whileSomeAreAnsweredNothingIsStalled() throws {
        var scenario = Scenario { $0.requestTimeoutMs = 30_000 }
        let client = try scenario.open()
        scenario.send(.liked(ann), on: client)
        let slow = try scenario.call(.selectPairs([ann]))
        for user in 2...9 as ClosedRange<Int64> {
            let pair = Pair(user: user, item: post)
            scenario.send(.liked(pair), on: client)
            scenario.pass(ms: Limits.stallMs / 2)
            let call = try scenario.call(.selectPairs([pair]))
            scenario.pairs(call: call, [PairState(liked: false, counter: counter(post, 0, 0))])
        }
        #expect(scenario.core.status(now: scenario.now) == "ok")
        scenario.pass(ms: Limits.stallMs)
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        scenario.pairs(call: slow, [PairState(liked: false, counter: counter(post, 0, 0))])
        scenario.pass(ms: Limits.stallMs)
        #expect(scenario.core.status(now: scenario.now) == "ok")
    }

    @Test("When nobody waits any more, a stall is over after 10 s, and the log says that nobody knows")
    func aStallThatNobodyWaitsForEnds() throws {
        var scenario = Scenario { $0.requestTimeoutMs = 2_000 }
        let client = try scenario.open()
        scenario.send(.liked(ann), on: client)
        scenario.pass(ms: 2_000)
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        _ = scenario.take()
        // Until the connection is given up, a call waits for its answer.
        scenario.pass(ms: Limits.postgresHungGraceMs)
        scenario.pass(ms: Limits.stallUnwantedMs - 100)
        #expect(scenario.core.reports.stalls[.reading] != nil)
        scenario.pass(ms: 100)
        #expect(scenario.core.reports.stalls[.reading] == nil)
        #expect(
            logged(scenario).contains {
                $0.hasPrefix("nobody waits any more; it is not known whether PostgreSQL reads")
            })
    }

    @Test(
        "While PostgreSQL is away nothing counts as stalled, no time is lost on it, and none is claimed once it is back"
    )
    func whilePostgreSQLIsAwayNothingIsStalled() throws {
        var scenario = Scenario(up: [.redis, .subscriber, .reader])
        let client = try scenario.open()
        for user in 1...20 as ClosedRange<Int64> {
            scenario.send(.like(Pair(user: user, item: post)), on: client)
            scenario.admit([.admitted(recent: false)])
            scenario.pass(ms: 1_500)
            #expect(scenario.core.nextTick.map { $0 > scenario.now } ?? true, "it wakes up in vain")
        }
        scenario.connect(.lane)
        #expect(scenario.core.reports.stalls[.storing] == nil)
        scenario.pass(ms: Limits.stallMs - 100)
        #expect(scenario.core.reports.stalls[.storing] == nil)
        #expect(!logged(scenario).contains { $0.contains("no change was stored") })
    }

    @Test("A disk that takes longer than a second for each batch is one stall, not one for each batch")
    func aSlowDiskIsOneStall() {
        var stalls = Stalls()
        var news: [Stalls.News] = []
        func look(at ms: Int64, oldestAt: Int64) {
            let found = stalls.look(.storing, oldestAt: .ms(oldestAt), isAsked: true, isUp: true, now: .ms(ms))
            if let found { news.append(found) }
        }
        for batch in 1...20 as ClosedRange<Int64> {
            let storedAt = batch * 1_200
            stalls.done(.storing, now: .ms(storedAt))
            // A like came while the batch before was on its way.
            look(at: storedAt, oldestAt: storedAt - 600)
            look(at: storedAt + Limits.stallMs, oldestAt: storedAt - 600)
        }
        #expect(news.count == 1 && stalls.isSlow(.storing))
        stalls.done(.storing, now: .ms(30_000))
        let over = stalls.look(.storing, oldestAt: nil, isAsked: false, isUp: true, now: .ms(30_000 + Limits.stallMs))
        #expect(over?.work == .storing && stalls[.storing] == nil)
    }

    @Test("Counts that wait for Redis alone are none of PostgreSQL's")
    func countsThatWaitForRedisAreNoneOfPostgreSQLs() throws {
        var scenario = Scenario {
            $0.requestTimeoutMs = 10_000
            $0.redisTimeoutMs = 4_000
        }
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.pass(ms: 2 * Limits.stallMs)
        #expect(scenario.core.reports.stalls[.reading] == nil)
    }

    @Test("A count that is not read in time is not older than what was committed meanwhile, even if nothing is cached")
    func aCountThatIsNotReadInTimeIsNotOlderThanWhatWasCommitted() throws {
        var scenario = Scenario { $0.localCacheEntries = 0 }
        let client = try scenario.open()
        let second = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.send(.like(ann), on: second)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        scenario.pass(ms: 5_000)
        #expect(scenario.replies(client) == [.integer(1)])
    }
}
