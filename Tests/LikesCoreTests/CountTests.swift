import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct CountTests {
    @Test("A miss asks Redis, then PostgreSQL, fills Redis, and the next COUNT is a hit")
    func aMissAsksRedisThenPostgreSQLFillsRedisAndTheNextCountIsAHit() throws {
        var scenario = Scenario(byHand: [.fill])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
        scenario.redisHas([nil])
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.databaseHas([counter(post, 5, 9)])
        #expect(
            scenario.take() == [.reply(client, .integer(5)), .fill(counters: [counter(post, 5, 9)])])
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.reply(client, .integer(5))])
    }

    @Test("While a fill is on its way to Redis, further misses are answered without another fill")
    func behindAFillTheNextMissesAreNotFilledIn() throws {
        var scenario = Scenario(byHand: [.fill])
        let client = try scenario.open()
        func miss(_ item: Item) -> [Action] {
            scenario.send(.count(item), on: client)
            scenario.redisHas([nil])
            scenario.databaseHas([counter(item, 5, 9)])
            return scenario.take().filter { if case .redis(_, _, .fill) = $0 { true } else { false } }
        }
        #expect(miss(post) == [.fill(counters: [counter(post, 5, 9)])])
        #expect(miss(other) == [])
        scenario.filled()
        let third = Item(type: 0, id: 99)
        #expect(miss(third) == [.fill(counters: [counter(third, 5, 9)])])
        #expect(scenario.replies(client).isEmpty)
    }

    @Test("Requests join a fetch that is not sent yet; once it is sent, they wait for the next one")
    func requestsJoinAFetchNotYetSentAndWaitBehindOneThatIs() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), .count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
        scenario.send(.count(post), .count(post), on: client)
        #expect(scenario.take() == [])
        scenario.redisHas([counter(post, 1, 1)])
        #expect(
            scenario.take() == [
                .reply(client, .integer(1)), .reply(client, .integer(1)), .readCounters([post]),
            ])
        scenario.redisHas([counter(post, 2, 2)])
        #expect(scenario.replies(client) == [.integer(2), .integer(2)])
    }

    @Test("MCOUNT makes one reply from hits and misses, in the order asked")
    func mcountIsOneReplyFromHitsAndMissesInTheOrderAsked() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 3, 3)])
        _ = scenario.take()
        scenario.send(.mcount([other, post, other]), on: client)
        #expect(scenario.take() == [.readCounters([other])])
        scenario.redisHas([counter(other, 8, 1)])
        #expect(scenario.replies(client) == [.integers([8, 3, 8])])
    }

    @Test("MCOUNT WITHCACHED says of each count whether PostgreSQL was asked for it")
    func mcountWithCachedSaysOfEachCountWhetherPostgreSQLWasAsked() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 3, 3)])
        _ = scenario.take()
        let third = Item(type: 0, id: 99)
        scenario.send(.mcount([other, post, third], withCached: true), on: client)
        #expect(scenario.take() == [.readCounters([other, third])])
        scenario.redisHas([counter(other, 8, 1), nil])
        #expect(scenario.take() == [.selectCounters([third])])
        scenario.databaseHas([counter(third, 5, 9)])
        #expect(scenario.replies(client) == [.integers([8, 1, 3, 1, 5, 0])])
        scenario.send(.mcount([third, post], withCached: true), on: client)
        #expect(scenario.replies(client) == [.integers([5, 1, 3, 1])])
    }

    @Test("At the deadline MCOUNT WITHCACHED answers with expired counts, which are cached ones")
    func atTheDeadlineMcountWithCachedAnswersWithExpiredCounts() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 3, 3)])
        scenario.now = scenario.now.adding(ms: 60_000)
        _ = scenario.take()
        scenario.send(.mcount([post], withCached: true), on: client)
        scenario.pass(ms: 5_000)
        #expect(scenario.replies(client) == [.integers([3, 1])])
    }

    @Test("An answer older than this host's own commit never replaces it")
    func anAnswerOlderThanThisHostsOwnCommitNeverReplacesIt() throws {
        var scenario = Scenario { $0.localCacheEntries = 0 }
        let client = try scenario.open()
        let liker = try scenario.open()
        scenario.send(.like(ann), on: liker)
        scenario.admit([.admitted(recent: false)])
        scenario.send(.count(post), on: client)
        _ = scenario.take()
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        _ = scenario.take()
        scenario.redisHas([counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.integer(6)])
    }

    @Test("With PostgreSQL away an expired count is served at once")
    func withPostgreSQLAwayAnExpiredCountIsServedAtOnce() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 3, 3)])
        scenario.lose(.reader)
        scenario.lose(.redis)
        scenario.now = scenario.now.adding(ms: 60_000)
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(3)])
    }

    @Test("A COUNT nobody can answer is UNAVAILABLE at its deadline")
    func aCountNobodyCanAnswerIsUnavailableAtItsDeadline() throws {
        var scenario = Scenario(up: [])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [])
        scenario.pass(ms: 5_000)
        let replies = scenario.replies(client)
        guard case .error(let error)? = replies.first else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .unavailable)
    }

    @Test("A COUNT behind a change does not take the change's count if that was asked for before the COUNT came")
    func aCountBehindAChangeDoesNotTakeACountReadBeforeItCame() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let (first, second) = (try scenario.open(), try scenario.open())
        scenario.send(.like(ann), on: first)
        scenario.commit(changed: [false], [])
        #expect(scenario.take().last == .selectCounters([post]))
        // Another change is acknowledged meanwhile.
        scenario.send(.like(bob), on: second)
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        #expect(scenario.replies(second) == [.change(changed: true, count: 6)])
        scenario.send(.count(post), on: first)
        scenario.databaseHas([counter(post, 5, 5)])
        #expect(scenario.replies(first) == [.change(changed: false, count: 5), .integer(6)])
    }
}
