import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What a host believes of Redis, and hears from the others.
@Suite struct CoherenceTests {
    private static let promoted = DatabaseHistory(system: "7", timeline: 2)

    @Test("Redis is read only after it was identified and all that others could not write was looked up")
    func redisIsReadOnlyAfterItWasIdentified() throws {
        var script = Script(up: [.reader], byHand: [.identify, .repairs])
        let client = try script.open()
        script.connect(.redis)
        #expect(script.take().last == .identify(1, IdentifyRequest(new: nil)))
        script.send(.count(post), on: client)
        #expect(script.take() == [.selectCounters(2, [post])])
        script.identify(1)
        #expect(script.take() == [.selectRepairs(3, allRepairs)])
        script.send(.count(other), on: client)
        #expect(script.take() == [.selectCounters(4, [other])])
        script.repairs(3, [])
        script.send(.count(Item(type: 1, id: 1)), on: client)
        #expect(script.take() == [.readCounters(5, [Item(type: 1, id: 1)])])
    }

    @Test("Without PostgreSQL an identified Redis is read at once")
    func withoutPostgreSQLAnIdentifiedRedisIsReadAtOnce() throws {
        var script = Script(up: [.redis])
        let client = try script.open()
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(1, [post])])
    }

    @Test("A Redis whose data was replaced is given up and identified anew")
    func aRedisWhoseDataWasReplacedIsGivenUpAndIdentifiedAnew() throws {
        var script = Script(byHand: [.identify])
        script.identify(1)
        let client = try script.open()
        script.send(.count(post), on: client)
        guard case .redis(let call, .readCounters(_, _))? = script.take().last else {
            Issue.record("Redis was not read")
            return
        }
        script.redisFails(call, .otherGeneration)
        #expect(script.take() == [.disconnect(.redis), .selectCounters(3, [post])])
        script.connect(.redis)
        #expect(script.take().contains { if case .redis(_, .identify) = $0 { true } else { false } })
    }

    @Test("A host at rest learns that Redis' data was replaced")
    func aHostAtRestLearnsThatRedisWasReplaced() throws {
        var script = Script()
        script.byHand.formUnion([.look, .identify])
        script.pass(ms: Limits.beatMs)
        guard case .redis(let call, .readCounters(_, []))? = script.take().last else {
            Issue.record("the marker was not looked at")
            return
        }
        script.redisFails(call, .otherGeneration)
        #expect(script.take() == [.disconnect(.redis)])
    }

    @Test("Another host's change is seen in the local cache, if it is newer and of this generation")
    func anotherHostsNewerChangeIsSeenInTheLocalCache() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.hear(counter(post, 9, 4), counter(other, 3, 3))
        script.hear(counter(post, 9, 9), token: "bbbbbbbbbbbb")
        script.send(.count(post), on: client)
        script.hear(counter(post, 6, 6))
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(5), .integer(5), .integer(6)])
        // What is not held is not taken in.
        #expect(script.core.known.cache.count == 1)
    }

    @Test("A fetch gives way to what was heard while it was on its way")
    func aFetchGivesWayToWhatWasHeard() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.hear(counter(post, 6, 6))
        script.redisHas(1, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.integer(6)])
    }

    @Test("A lost subscription empties the local cache")
    func aLostSubscriptionEmptiesTheLocalCache() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        _ = script.take()
        script.lose(.subscriber)
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(2, [post])])
    }

    @Test("A subscription that goes silent is given up")
    func aSubscriptionThatGoesSilentIsGivenUp() {
        var script = Script(byHand: [.beat])
        script.pass(ms: Limits.beatMs)
        // On a host that stood still the number may only not have been read yet.
        #expect(script.take() == [.beat(script.core.coherence.heartbeat.number)])
        script.pass(ms: Limits.beatGraceMs)
        #expect(script.take() == [.disconnect(.subscriber)])
        script = Script()
        for _ in 0..<3 {
            script.pass(ms: Limits.beatMs)
            #expect(!script.take().contains(.disconnect(.subscriber)))
        }
    }

    @Test("A silence is found while what was written is remembered, and what was written is read again")
    func aSilenceIsFoundWhileWhatWasWrittenIsRememberedAndThatIsReadAgain() throws {
        var script = Script()
        let client = try script.open()
        script.pass(ms: Limits.beatMs / 2)
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        script.byHand.insert(.beat)
        _ = script.take()
        for _ in 0..<2 { script.pass(ms: script.core.coherence.heartbeat.writingBeatMs) }
        script.pass(ms: Limits.beatGraceMs)
        #expect(!script.core.redis.subscriber.isUp)
        #expect(script.take().contains(.selectCounters(3, [post])))
    }

    @Test("What was written is not forgotten before a later message was heard")
    func whatWasWrittenIsNotForgottenBeforeALaterMessageWasHeard() throws {
        var script = Script(byHand: [.beat])
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        script.lose(.redis)
        _ = script.take()
        // Without Redis nothing is said, and nothing heard: time proves nothing.
        for _ in 0..<10 { script.pass(ms: 1_000) }
        script.connect(.redis)
        for _ in 0..<2 { script.pass(ms: Limits.beatMs) }
        script.pass(ms: Limits.beatGraceMs)
        #expect(script.take().contains { if case .reader(_, .selectCounters([post])) = $0 { true } else { false } })
    }

    @Test("A count that Redis has is held against what this host changed, cached or not")
    func aCountThatRedisHasIsHeldAgainstWhatThisHostChanged() throws {
        var script = Script({ $0.localCacheEntries = 0 })
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 6, 6)])
        script.wroteThrough(3)
        script.send(.count(post), on: client)
        script.redisHas(4, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.change(changed: true, count: 6), .integer(6)])
        #expect(script.core.repairs.contains(post))
    }

    @Test("A newer count heard of after a fill is set in Redis again")
    func aNewerCountHeardOfAfterAFillIsSetInRedisAgain() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        _ = script.take()
        script.hear(counter(post, 6, 6))
        // It was a host's word once; that it is PostgreSQL's still is looked up.
        #expect(script.take() == [.selectCounters(3, [post])])
        script.databaseHas(3, [counter(post, 6, 6)])
        #expect(script.take() == [.writeThrough(4, counters: [counter(post, 6, 6)], recent: [])])
    }

    @Test("An older count that Redis took after a newer one is repaired; newer ones in their order are not")
    func anOlderCountThatRedisTookAfterANewerOneIsRepaired() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 5, 5)])
        script.hear(counter(post, 5, 5))
        for version in 6...9 as ClosedRange<Int64> { script.hear(counter(post, version, version)) }
        #expect(script.core.repairs.count == 0)
        script.hear(counter(post, 8, 8))
        #expect(script.core.repairs.contains(post))
    }

    @Test("A batch's counters are not written over what was heard of since it was sent")
    func aBatchsCountersAreNotWrittenOverWhatWasHeardOfSinceItWasSent() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.hear(counter(post, 9, 9))
        script.commit(2, changed: [true], [counter(post, 8, 8)])
        let recent = [RecentLike(pair: ann, add: true)]
        #expect(script.take().last == .writeThrough(3, counters: [counter(post, 9, 9)], recent: recent))
    }

    @Test("An answer of PostgreSQL's that took too long is not put into Redis, but read again")
    func anAnswerThatTookTooLongIsNotPutIntoRedisButReadAgain() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        _ = script.take()
        script.now = script.now.adding(ms: Limits.answerAgeMsMax + 1)
        script.commit(2, changed: [true], [counter(post, 8, 8)])
        #expect(script.take() == [.reply(client, .change(changed: true, count: 8)), .selectCounters(3, [post])])
        #expect(script.core.known.cache.count == 0)
    }

    @Test("A count that comes with a pair enters the cache only where an older one is held")
    func aCountThatComesWithAPairReplacesOnlyAnOlderCachedOne() throws {
        var script = Script()
        let client = try script.open()
        script.send(.liked(ann), on: client)
        script.pairs(1, [PairState(liked: true, counter: counter(post, 5, 5))])
        #expect(script.core.known.cache.count == 0)
        script.send(.count(post), on: client)
        script.redisHas(2, [counter(post, 6, 6)])
        script.send(.liked(ann), on: client)
        script.pairs(3, [PairState(liked: true, counter: counter(post, 7, 7))])
        script.send(.count(post), on: client)
        #expect(script.replies(client).last == .integer(7))
    }

    @Test("PostgreSQL's answer is not put into a Redis that became another meanwhile, nor past a lost subscription")
    func anAnswerIsNotPutIntoARedisThatBecameAnotherMeanwhile() throws {
        for lost in [Backend.redis, .subscriber] {
            var script = Script(byHand: [.fill])
            let client = try script.open()
            script.send(.count(post), on: client)
            script.redisHas(1, [nil])
            script.lose(lost)
            script.connect(lost)
            if lost == .redis {
                script.step { core, turn in
                    core.coherence.trust.identified(
                        Generation(server: "other:repl", database: Script.history, token: "cccccccccccc"),
                        now: turn.now)
                }
            }
            _ = script.take()
            script.databaseHas(2, [counter(post, 5, 5)])
            #expect(script.take() == [.reply(client, .integer(5))])
        }
    }

    @Test("Counts of a database's past that is over are dropped, here and in Redis")
    func countsOfAPastThatIsOverAreDroppedHereAndInRedis() throws {
        var script = Script(byHand: [.identify])
        script.identify(1)
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(2, [counter(post, 7, 7)])
        script.lose(.lane)
        _ = script.take()
        script.connect(.lane, Self.promoted)
        #expect(script.take().contains(.disconnect(.reader)))
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.readableGeneration == nil)
        script.connect(.reader, Self.promoted)
        script.send(.count(post), on: client)
        guard case .reader(let call, .selectCounters([post]))? = script.take().last else {
            Issue.record("PostgreSQL was not asked")
            return
        }
        script.databaseHas(call, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.integer(5)])
    }

    @Test("A server that another was promoted over is not used")
    func aServerThatAnotherWasPromotedOverIsNotUsed() {
        var script = Script(up: [.redis, .reader])
        script.connect(.lane, Self.promoted)
        script.connect(.reader)
        #expect(script.take().last == .disconnect(.reader))
    }

    @Test("LIKED is not asked of a standby, COUNT is")
    func likedIsNotAskedOfAStandbyButCountIs() throws {
        var script = Script(up: [])
        script.connect(.reader, nil)
        let client = try script.open()
        script.send(.liked(ann), .count(post), on: client)
        #expect(script.take() == [.selectCounters(1, [post])])
    }

    @Test("A standby's counts are answers, but neither enter Redis nor answer for a change")
    func aStandbysCountsAreAnswersButNeitherEnterRedisNorAnswerForAChange() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.redis, .subscriber, .lane], byHand: [.fill, .repairs])
        script.connect(.reader, nil)
        let client = try script.open()
        script.send(.count(other), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(other, 3, 3)])
        #expect(script.replies(client) == [.integer(3)])
        script.send(.like(ann), on: client)
        script.admit(3, [.admitted(recent: false)])
        script.commit(4, changed: [false], [])
        #expect(!script.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        // It looks for the primary, which the lane has found.
        script.pass(ms: Limits.standbyMsMax)
        #expect(script.take().contains(.disconnect(.reader)))
    }

    @Test("A pass that began before Redis was identified is followed at once by one that counts")
    func aPassThatBeganBeforeRedisWasIdentifiedIsFollowedByOneThatCounts() {
        var script = Script(byHand: [.repairs])
        guard case .reader(let early, .selectRepairs(_))? = script.take().last else {
            Issue.record("no pass")
            return
        }
        script.lose(.redis)
        script.connect(.redis)
        _ = script.take()
        script.repairs(early, [])
        #expect(script.core.readableGeneration == nil)
        guard case .reader(let pass, .selectRepairs(_))? = script.take().last else {
            Issue.record("no second pass")
            return
        }
        script.repairs(pass, [])
        #expect(script.core.readableGeneration != nil)
    }

    @Test("An attempt to subscribe that fails leaves the cache alone")
    func anAttemptToSubscribeThatFailsLeavesTheCacheAlone() throws {
        var script = Script()
        let client = try script.open()
        script.lose(.subscriber)
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 3, 3)])
        script.lose(.subscriber)
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(3), .integer(3)])
    }

    @Test("A contested item is not repaired for ever")
    func aContestedItemIsNotRepairedForEver() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 5, 5)])
        script.wroteThrough(3)
        for version in 5...100 as ClosedRange<Int64> {
            script.hear(counter(post, version, version))
            script.pass(ms: 10)
        }
        #expect(!script.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
    }
}
