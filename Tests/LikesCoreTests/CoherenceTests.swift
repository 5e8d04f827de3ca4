import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What a host believes of Redis, and what it hears from other hosts.
@Suite struct CoherenceTests {
    private static let promoted = DatabaseIdentity(system: "7", timeline: 2)

    @Test("Redis is read only after it was identified and everything that others could not write was looked up")
    func redisIsReadOnlyAfterItWasIdentified() throws {
        var scenario = Scenario(up: [.reader], byHand: [.identify, .repairs])
        let client = try scenario.open()
        scenario.connect(.redis)
        #expect(scenario.take().last == .identify(IdentifyRequest(new: nil)))
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.identify()
        #expect(scenario.take() == [.selectRepairs(allRepairs)])
        scenario.send(.count(other), on: client)
        #expect(scenario.take() == [.selectCounters([other])])
        scenario.repairs([])
        scenario.send(.count(Item(type: 1, id: 1)), on: client)
        #expect(scenario.take() == [.readCounters([Item(type: 1, id: 1)])])
    }

    @Test("Without PostgreSQL an identified Redis is read at once")
    func withoutPostgreSQLAnIdentifiedRedisIsReadAtOnce() throws {
        var scenario = Scenario(up: [.redis])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
    }

    @Test("A Redis whose data was replaced is given up and identified anew")
    func aRedisWhoseDataWasReplacedIsGivenUpAndIdentifiedAnew() throws {
        var scenario = Scenario(byHand: [.identify])
        scenario.identify()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.take().last == .readCounters([post]))
        scenario.redisFails(.otherGeneration)
        #expect(scenario.take() == [.disconnect(.redis), .selectCounters([post])])
        scenario.connect(.redis)
        #expect(scenario.take().contains { if case .redis(_, _, .identify) = $0 { true } else { false } })
    }

    @Test("A host at rest learns that Redis' data was replaced")
    func aHostAtRestLearnsThatRedisWasReplaced() {
        var scenario = Scenario()
        scenario.byHand.formUnion([.marker, .identify])
        scenario.pass(ms: Limits.beatMs)
        // Of no item: whether Redis' data is still the same.
        #expect(scenario.take().last == .readCounters([]))
        scenario.redisFails(.otherGeneration)
        #expect(scenario.take() == [.disconnect(.redis)])
    }

    @Test("Another host's change is seen in the local cache, if it is newer and of this generation")
    func anotherHostsNewerChangeIsSeenInTheLocalCache() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.hear(counter(post, 9, 4), counter(other, 3, 3))
        scenario.hear(counter(post, 9, 9), token: "bbbbbbbbbbbb")
        scenario.send(.count(post), on: client)
        scenario.hear(counter(post, 6, 6))
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(5), .integer(5), .integer(6)])
        // An item that is not in the cache does not enter it.
        #expect(scenario.core.known.cache.count == 1)
    }

    @Test("What was heard during a fetch wins over what it fetched")
    func aFetchGivesWayToWhatWasHeard() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.hear(counter(post, 6, 6))
        scenario.redisHas([counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.integer(6)])
    }

    @Test("A lost subscription empties the local cache")
    func aLostSubscriptionEmptiesTheLocalCache() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        _ = scenario.take()
        scenario.lose(.subscriber)
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
    }

    @Test("A subscription that goes silent is given up")
    func aSubscriptionThatGoesSilentIsGivenUp() {
        var scenario = Scenario(byHand: [.beat])
        scenario.pass(ms: Limits.beatMs)
        // A host that stood still may just not have read the number yet.
        #expect(scenario.take() == [.beat(0, scenario.core.coherence.heartbeat.number)])
        scenario.pass(ms: Limits.beatGraceMs)
        #expect(scenario.take() == [.disconnect(.subscriber)])
        scenario = Scenario()
        for _ in 0..<3 {
            scenario.pass(ms: Limits.beatMs)
            #expect(!scenario.take().contains(.disconnect(.subscriber)))
        }
    }

    @Test("A silence is noticed while the writes before it are still remembered, and those are read again")
    func aSilenceIsFoundWhileWhatWasWrittenIsRememberedAndThatIsReadAgain() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.pass(ms: Limits.beatMs / 2)
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        scenario.byHand.insert(.beat)
        _ = scenario.take()
        for _ in 0..<2 { scenario.pass(ms: scenario.core.coherence.heartbeat.writingBeatMs) }
        scenario.pass(ms: Limits.beatGraceMs)
        #expect(!scenario.core.redis.subscriber.isUp)
        #expect(scenario.take().contains(.selectCounters([post])))
    }

    @Test("What was written is not forgotten before a later message was heard")
    func whatWasWrittenIsNotForgottenBeforeALaterMessageWasHeard() throws {
        var scenario = Scenario(byHand: [.beat])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        scenario.lose(.redis)
        _ = scenario.take()
        // Without Redis nothing can be said or heard, so silence proves nothing.
        for _ in 0..<10 { scenario.pass(ms: 1_000) }
        scenario.connect(.redis)
        for _ in 0..<2 { scenario.pass(ms: Limits.beatMs) }
        scenario.pass(ms: Limits.beatGraceMs)
        #expect(scenario.take().contains { if case .reader(_, .selectCounters([post])) = $0 { true } else { false } })
    }

    @Test("A count from Redis is compared with what this host changed, cached or not")
    func aCountThatRedisHasIsComparedWithWhatThisHostChanged() throws {
        var scenario = Scenario({ $0.localCacheEntries = 0 })
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        scenario.wroteThrough()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.change(changed: true, count: 6), .integer(6)])
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("A newer count that is heard of after a fill is set in Redis again")
    func aNewerCountHeardOfAfterAFillIsSetInRedisAgain() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        _ = scenario.take()
        scenario.hear(counter(post, 6, 6))
        // A host said it; PostgreSQL is asked whether it still holds.
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.databaseHas([counter(post, 6, 6)])
        #expect(scenario.take() == [.writeThrough(counters: [counter(post, 6, 6)], recent: [])])
    }

    @Test("When Redis took an older count after a newer one, that is repaired; newer counts in order need no repair")
    func anOlderCountThatRedisTookAfterANewerOneIsRepaired() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 5, 5)])
        scenario.hear(counter(post, 5, 5))
        for version in 6...9 as ClosedRange<Int64> { scenario.hear(counter(post, version, version)) }
        #expect(scenario.core.repairs.count == 0)
        scenario.hear(counter(post, 8, 8))
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("A batch's counters do not overwrite newer ones that were heard of after it was sent")
    func aBatchsCountersAreNotWrittenOverWhatWasHeardOfSinceItWasSent() throws {
        var scenario = Scenario { $0.localCacheEntries = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.hear(counter(post, 9, 9))
        scenario.commit(changed: [true], [counter(post, 8, 8)])
        let recent = [RecentLike(pair: ann, add: true)]
        #expect(scenario.take().last == .writeThrough(counters: [counter(post, 9, 9)], recent: recent))
    }

    @Test("An answer from PostgreSQL that took too long is not put into Redis, but read again")
    func anAnswerThatTookTooLongIsNotPutIntoRedisButReadAgain() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        scenario.now = scenario.now.adding(ms: Limits.answerAgeMsMax + 1)
        scenario.commit(changed: [true], [counter(post, 8, 8)])
        #expect(scenario.take() == [.reply(client, .change(changed: true, count: 8)), .selectCounters([post])])
        #expect(scenario.core.known.cache.count == 0)
    }

    @Test("A count that comes with a pair enters the cache only in place of an older one")
    func aCountThatComesWithAPairReplacesOnlyAnOlderCachedOne() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.liked(ann), on: client)
        scenario.pairs([PairState(liked: true, counter: counter(post, 5, 5))])
        #expect(scenario.core.known.cache.count == 0)
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 6, 6)])
        scenario.send(.liked(ann), on: client)
        scenario.pairs([PairState(liked: true, counter: counter(post, 7, 7))])
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client).last == .integer(7))
    }

    @Test("PostgreSQL's answer is not put into Redis if Redis or the subscription was lost meanwhile")
    func anAnswerIsNotPutIntoARedisThatBecameAnotherMeanwhile() throws {
        for lost in [Backend.redis, .subscriber] {
            var scenario = Scenario(byHand: [.fill])
            let client = try scenario.open()
            scenario.send(.count(post), on: client)
            scenario.redisHas([nil])
            scenario.lose(lost)
            scenario.connect(lost)
            if lost == .redis {
                scenario.step { core, turn in
                    core.coherence.trust.identified(
                        Generation(server: "other:repl", database: Scenario.identity, token: "cccccccccccc"),
                        now: turn.now)
                }
            }
            _ = scenario.take()
            scenario.databaseHas([counter(post, 5, 5)])
            #expect(scenario.take() == [.reply(client, .integer(5))])
        }
    }

    @Test("When the database's identity changes, counts from before are dropped, here and in Redis")
    func countsOfAPastThatIsOverAreDroppedHereAndInRedis() throws {
        var scenario = Scenario(byHand: [.identify])
        scenario.identify()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 7, 7)])
        scenario.lose(.lane)
        _ = scenario.take()
        scenario.connect(.lane, Self.promoted)
        #expect(scenario.take().contains(.disconnect(.reader)))
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.readableGeneration == nil)
        scenario.connect(.reader, Self.promoted)
        scenario.send(.count(post), on: client)
        #expect(scenario.take().last == .selectCounters([post]))
        scenario.databaseHas([counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.integer(5)])
    }

    @Test("A server that another was promoted over is not used")
    func aServerThatAnotherWasPromotedOverIsNotUsed() {
        var scenario = Scenario(up: [.redis, .reader])
        scenario.connect(.lane, Self.promoted)
        scenario.connect(.reader)
        #expect(scenario.take().last == .disconnect(.reader))
    }

    @Test("A standby is asked for COUNT, not for LIKED")
    func likedIsNotAskedOfAStandbyButCountIs() throws {
        var scenario = Scenario(up: [])
        scenario.connect(.reader, nil)
        let client = try scenario.open()
        scenario.send(.liked(ann), .count(post), on: client)
        #expect(scenario.take() == [.selectCounters([post])])
    }

    @Test("A standby's counts answer a COUNT, but are not put into Redis and do not answer a change")
    func aStandbysCountsAreAnswersButNeitherEnterRedisNorAnswerForAChange() throws {
        var scenario = Scenario(
            { $0.rateLimitRequests = 0 }, up: [.redis, .subscriber, .lane], byHand: [.fill, .repairs])
        scenario.connect(.reader, nil)
        let client = try scenario.open()
        scenario.send(.count(other), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(other, 3, 3)])
        #expect(scenario.replies(client) == [.integer(3)])
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [false], [])
        #expect(!scenario.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        // The lane has found the primary, so the reader looks for it.
        scenario.pass(ms: Limits.standbyMsMax)
        #expect(scenario.take().contains(.disconnect(.reader)))
    }

    @Test("A pass that began before Redis was identified does not count, and the next one follows at once")
    func aPassThatBeganBeforeRedisWasIdentifiedIsFollowedByOneThatCounts() {
        var scenario = Scenario(byHand: [.repairs])
        _ = scenario.take()
        scenario.lose(.redis)
        scenario.connect(.redis)
        _ = scenario.take()
        scenario.repairs([])
        #expect(scenario.core.readableGeneration == nil)
        _ = scenario.take()
        scenario.repairs([])
        #expect(scenario.core.readableGeneration != nil)
    }

    @Test("An attempt to subscribe that fails leaves the cache alone")
    func anAttemptToSubscribeThatFailsLeavesTheCacheAlone() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.lose(.subscriber)
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 3, 3)])
        scenario.lose(.subscriber)
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(3), .integer(3)])
    }

    @Test("A contested item is not repaired for ever")
    func aContestedItemIsNotRepairedForEver() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 5, 5)])
        scenario.wroteThrough()
        for version in 5...100 as ClosedRange<Int64> {
            scenario.hear(counter(post, version, version))
            scenario.pass(ms: 10)
        }
        #expect(!scenario.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
    }
}
