import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct CountTests {
    @Test("A miss asks Redis, then PostgreSQL, fills Redis, and the next COUNT is a hit")
    func aMissAsksRedisThenPostgreSQLFillsRedisAndTheNextCountIsAHit() throws {
        var script = Script(byHand: [.fill])
        let client = try script.open()
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(1, [post])])
        script.redisHas(1, [nil])
        #expect(script.take() == [.selectCounters(2, [post])])
        script.databaseHas(2, [counter(post, 5, 9)])
        #expect(
            script.take() == [.reply(client, .integer(5)), .fill(3, counters: [counter(post, 5, 9)])])
        script.send(.count(post), on: client)
        #expect(script.take() == [.reply(client, .integer(5))])
    }

    @Test("Behind a fill on its way to Redis the next misses are answered without one")
    func behindAFillTheNextMissesAreNotFilledIn() throws {
        var script = Script(byHand: [.fill])
        let client = try script.open()
        func miss(_ item: Item, _ read: CallID) -> [Action] {
            script.send(.count(item), on: client)
            script.redisHas(read, [nil])
            script.databaseHas(read + 1, [counter(item, 5, 9)])
            return script.take().filter { if case .redis(_, .fill) = $0 { true } else { false } }
        }
        #expect(miss(post, 1) == [.fill(3, counters: [counter(post, 5, 9)])])
        #expect(miss(other, 4) == [])
        script.filled(3)
        let third = Item(type: 0, id: 99)
        #expect(miss(third, 6) == [.fill(8, counters: [counter(third, 5, 9)])])
        #expect(script.replies(client).isEmpty)
    }

    @Test("Requests join a fetch that is not yet sent, and wait for the next behind one that is")
    func requestsJoinAFetchNotYetSentAndWaitBehindOneThatIs() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), .count(post), on: client)
        #expect(script.take() == [.readCounters(1, [post])])
        script.send(.count(post), .count(post), on: client)
        #expect(script.take() == [])
        script.redisHas(1, [counter(post, 1, 1)])
        #expect(
            script.take() == [
                .reply(client, .integer(1)), .reply(client, .integer(1)), .readCounters(2, [post]),
            ])
        script.redisHas(2, [counter(post, 2, 2)])
        #expect(script.replies(client) == [.integer(2), .integer(2)])
    }

    @Test("MCOUNT is one reply from hits and misses, in the order asked")
    func mcountIsOneReplyFromHitsAndMissesInTheOrderAsked() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 3, 3)])
        _ = script.take()
        script.send(.counts([other, post, other]), on: client)
        #expect(script.take() == [.readCounters(2, [other])])
        script.redisHas(2, [counter(other, 8, 1)])
        #expect(script.replies(client) == [.integers([8, 3, 8])])
    }

    @Test("An answer older than this host's own commit never replaces it")
    func anAnswerOlderThanThisHostsOwnCommitNeverReplacesIt() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let client = try script.open()
        let liker = try script.open()
        script.send(.like(ann), on: liker)
        script.admit(1, [.admitted(recent: false)])
        script.send(.count(post), on: client)
        _ = script.take()
        script.commit(2, changed: [true], [counter(post, 6, 6)])
        _ = script.take()
        script.redisHas(3, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.integer(6)])
    }

    @Test("With PostgreSQL away an expired count is served at once")
    func withPostgreSQLAwayAnExpiredCountIsServedAtOnce() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 3, 3)])
        script.lose(.reader)
        script.lose(.redis)
        script.now = script.now.adding(ms: 60_000)
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(3)])
    }

    @Test("A COUNT nobody can answer is UNAVAILABLE at its deadline")
    func aCountNobodyCanAnswerIsUnavailableAtItsDeadline() throws {
        var script = Script(up: [])
        let client = try script.open()
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [])
        script.pass(ms: 5_000)
        let replies = script.replies(client)
        guard case .error(let error)? = replies.first else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .unavailable)
    }

    @Test("A COUNT behind a change whose count was read before it came does not take that")
    func aCountBehindAChangeDoesNotTakeACountReadBeforeItCame() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let (first, second) = (try script.open(), try script.open())
        script.send(.like(ann), on: first)
        script.commit(1, changed: [false], [])
        #expect(script.take().last == .selectCounters(2, [post]))
        // Another change is acknowledged meanwhile.
        script.send(.like(bob), on: second)
        script.commit(3, changed: [true], [counter(post, 6, 6)])
        #expect(script.replies(second) == [.change(changed: true, count: 6)])
        script.send(.count(post), on: first)
        script.databaseHas(2, [counter(post, 5, 5)])
        #expect(script.replies(first) == [.change(changed: false, count: 5), .integer(6)])
    }
}
