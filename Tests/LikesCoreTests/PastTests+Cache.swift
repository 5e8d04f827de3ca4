import LikesProtocol
import Testing

@testable import LikesCore

// How long an entry of the local cache is fresh while other hosts are not heard.
extension PastTests {
    @Test("What is cached is not fresh under new data in Redis, of which no message was heard so far")
    func whatIsCachedIsNotFreshUnderOtherDataOfRedis() throws {
        var (scenario, client) = try scenario(localCacheTTLMs: 600_000)
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.byHand.insert(.identify)
        scenario.lose(.redis)
        scenario.pass(ms: 1_000)
        scenario.connect(.redis)
        var other = Scenario.generation
        other.token = "bbbbbbbbbbbb"
        _ = scenario.take()
        scenario.identify(other)
        scenario.send(.count(post), on: client)
        #expect(!scenario.take().contains { if case .reply = $0 { true } else { false } })
    }

    @Test(
        "Without messages an entry is fresh for 10 s at most, whatever the TTL",
        arguments: [Backend.subscriber, .redis])
    func withoutMessagesAnEntryIsFreshForTenSecondsAtMost(backend: Backend) throws {
        var (scenario, client) = try scenario(localCacheTTLMs: 600_000)
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        var asked: [Action] = []
        func isAnswered() -> Bool {
            scenario.send(.count(post), on: client)
            asked = scenario.takeWithCalls()
            return asked.contains { if case .reply = $0 { true } else { false } }
        }
        scenario.pass(ms: 60_000)
        #expect(isAnswered())
        scenario.lose(backend)
        #expect(!isAnswered())
        scenario.answer(asked, [counter(post, 6, 6)])
        scenario.pass(ms: Limits.unheardCacheMs - 1)
        #expect(isAnswered())
        scenario.pass(ms: 1)
        #expect(!isAnswered())
        scenario.answer(asked, [counter(post, 7, 7)])
        #expect(isAnswered())
        // Changes made meanwhile may have gone unheard.
        scenario.connect(backend)
        #expect(!isAnswered())
    }

    @Test("An answer that is neither fresh nor as new as what this host knows is not told")
    func anAnswerThatIsNotFreshAndOlderThanWhatIsKnownIsNotTold() throws {
        var (scenario, client) = try scenario(localCacheTTLMs: 600_000)
        scenario.lose(.redis)
        let user = Pair(user: 1, item: post)
        scenario.send(.like(user), on: client)
        _ = scenario.take()
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        scenario.lose(.reader)
        scenario.connect(.redis)
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        let asked = scenario.takeWithCalls()
        #expect(asked.contains { if case .redis(_, _, .readCounters(_, [post])) = $0 { true } else { false } })
        scenario.lose(.subscriber)
        scenario.connect(.subscriber)
        scenario.answer(asked, [counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.integer(6)])
    }

    @Test("A commit that was under way while Redis' data was identified is stale at once")
    func aCommitUnderWayWhileRedisWasIdentifiedIsStaleAtOnce() throws {
        var (scenario, client) = try scenario(localCacheTTLMs: 600_000)
        scenario.send(.like(Pair(user: 1, item: post)), on: client)
        _ = scenario.take()
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        scenario.lose(.redis)
        scenario.pass(ms: 1)
        scenario.connect(.redis)
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [])
        #expect(scenario.core.known.cache.stale(post) == counter(post, 6, 6))
    }
}
