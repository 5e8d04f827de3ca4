import LikesProtocol
import Testing

@testable import LikesCore

// How long what is cached is fresh where other hosts are not heard.
extension PastTests {
    @Test("What is cached is not fresh under other data of Redis', of which no message was heard so far")
    func whatIsCachedIsNotFreshUnderOtherDataOfRedis() throws {
        var (script, client) = try script(localCacheTTLMs: 600_000)
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.byHand.insert(.identify)
        script.lose(.redis)
        script.pass(ms: 1_000)
        script.connect(.redis)
        var other = Script.generation
        other.token = "bbbbbbbbbbbb"
        script.identify(try #require(lastIdentify(script.take())), other)
        script.send(.count(post), on: client)
        #expect(!script.take().contains { if case .reply = $0 { true } else { false } })
    }

    @Test(
        "Without messages an entry is fresh for 10 s at most, whatever the TTL",
        arguments: [Backend.subscriber, .redis])
    func withoutMessagesAnEntryIsFreshForTenSecondsAtMost(backend: Backend) throws {
        var (script, client) = try script(localCacheTTLMs: 600_000)
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        var asked: [Action] = []
        func isAnswered() -> Bool {
            script.send(.count(post), on: client)
            asked = script.take()
            return asked.contains { if case .reply = $0 { true } else { false } }
        }
        script.pass(ms: 60_000)
        #expect(isAnswered())
        script.lose(backend)
        #expect(!isAnswered())
        script.answer(asked, [counter(post, 6, 6)])
        script.pass(ms: Limits.unheardCacheMs - 1)
        #expect(isAnswered())
        script.pass(ms: 1)
        #expect(!isAnswered())
        script.answer(asked, [counter(post, 7, 7)])
        #expect(isAnswered())
        // What was changed meanwhile may not have been told.
        script.connect(backend)
        #expect(!isAnswered())
    }

    @Test("An answer that is no fresh one, and older than what this host knows, is not told")
    func anAnswerThatIsNotFreshAndOlderThanWhatIsKnownIsNotTold() throws {
        var (script, client) = try script(localCacheTTLMs: 600_000)
        script.lose(.redis)
        let user = Pair(user: 1, item: post)
        script.send(.like(user), on: client)
        let commit = try #require(
            call(script.take()) { if case .lane(let call, .commit(_)) = $0 { call } else { nil } })
        script.commit(commit, changed: [true], [counter(post, 6, 6)])
        script.lose(.reader)
        script.connect(.redis)
        _ = script.take()
        script.send(.count(post), on: client)
        let asked = script.take()
        #expect(asked.contains { if case .redis(_, .readCounters(_, [post])) = $0 { true } else { false } })
        script.lose(.subscriber)
        script.connect(.subscriber)
        script.answer(asked, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.integer(6)])
    }

    @Test("A commit that was under way while Redis' data was identified is stale at once")
    func aCommitUnderWayWhileRedisWasIdentifiedIsStaleAtOnce() throws {
        var (script, client) = try script(localCacheTTLMs: 600_000)
        script.send(.like(Pair(user: 1, item: post)), on: client)
        let admit = try #require(call(script.take()) { if case .redis(let call, .admit(_)) = $0 { call } else { nil } })
        script.admit(admit, [.admitted(recent: false)])
        let commit = try #require(
            call(script.take()) { if case .lane(let call, .commit(_)) = $0 { call } else { nil } })
        script.lose(.redis)
        script.pass(ms: 1)
        script.connect(.redis)
        script.commit(commit, changed: [true], [counter(post, 6, 6)])
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [])
        #expect(script.core.known.cache.stale(post) == counter(post, 6, 6))
    }
}
