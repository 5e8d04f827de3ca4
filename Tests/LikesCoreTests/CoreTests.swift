import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct CountTests {
    @Test("A miss asks Redis, then PostgreSQL, fills Redis, and the next COUNT is a hit")
    func aMissAsksRedisThenPostgresqlFills() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(1, [post])])
        script.redisHas(1, [nil])
        #expect(script.take() == [.selectCounters(2, [post])])
        script.databaseHas(2, [counter(post, 5, 9)])
        #expect(script.take() == [.reply(client, .integer(5)), .fillCounters([counter(post, 5, 9)])])
        script.send(.count(post), on: client)
        #expect(script.take() == [.reply(client, .integer(5))])
    }

    @Test("Requests join a fetch that is not yet sent, and wait for the next behind one that is")
    func requestsJoinAFetchThatIsNot() throws {
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
    func mcountIsOneReplyFromHitsAnd() throws {
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
    func anAnswerOlderThanThisHostsOwn() throws {
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
    func withPostgresqlAwayAnExpiredCountIs() throws {
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
    func aCountNobodyCanAnswerIsUnavailable() throws {
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
}

@Suite struct ChangeTests {
    @Test("A LIKE is admitted, committed, written through, then answered")
    func aLikeIsAdmittedCommittedWrittenThrough() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        #expect(script.take() == [.admit(1, [AdmissionEntry(pair: ann, kind: .like)])])
        script.admit(1, [.admitted(recent: false)])
        #expect(script.take() == [.commit(2, [BatchRow(pair: ann, wanted: true)])])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        #expect(
            script.take() == [
                .writeThrough(3, counters: [counter(post, 1, 1)], recent: [RecentLike(pair: ann, add: true)])
            ])
        script.wroteThrough(3)
        #expect(script.take() == [.reply(client, .change(changed: true, count: 1))])
    }

    @Test("A pipeline of COUNT, LIKE, COUNT sees each effect in its order")
    func aPipelineOfCountLikeCountSees() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), .like(ann), .count(post), on: client)
        #expect(script.take() == [.readCounters(1, [post])])
        script.redisHas(1, [counter(post, 0, 0)])
        #expect(
            script.take() == [.reply(client, .integer(0)), .admit(2, [AdmissionEntry(pair: ann, kind: .like)])])
        script.admit(2, [.admitted(recent: false)])
        script.commit(3, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(4)
        #expect(script.replies(client) == [.change(changed: true, count: 1), .integer(1)])
    }

    @Test("A LIKED behind a LIKE not yet sent takes its answer from it")
    func aLikedBehindALikeNotYet() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), .liked(ann), .unlike(ann), .liked(ann), on: client)
        script.admit(1, [.admitted(recent: false), .admitted(recent: false)])
        #expect(script.take().last == .commit(2, [BatchRow(pair: ann, wanted: true)]))
        script.commit(2, changed: [true], [counter(post, 5, 5)])
        #expect(script.take().contains(.commit(4, [BatchRow(pair: ann, wanted: false)])))
        script.wroteThrough(3)
        #expect(script.replies(client) == [.change(changed: true, count: 5), .integer(1)])
        script.commit(4, changed: [true], [counter(post, 4, 6)])
        script.wroteThrough(5)
        #expect(script.replies(client) == [.change(changed: true, count: 4), .integer(0)])
    }

    @Test("A like and an unlike of one pair never share a batch, and hold nobody else up")
    func aLikeAndAnUnlikeOfOnePair() throws {
        var script = Script()
        let client = try script.open()
        let second = try script.open()
        script.step { core, now, actions in
            for request in [Request.like(ann), .unlike(ann), .like(ann)] {
                core.received(request, on: client, now: now, into: &actions)
            }
            core.received(.like(bob), on: second, now: now, into: &actions)
        }
        script.admit(1, [AdmissionVerdict](repeating: .admitted(recent: false), count: 4))
        let both = [BatchRow(pair: ann, wanted: true), BatchRow(pair: bob, wanted: true)]
        #expect(script.take().last == .commit(2, both))
        script.commit(2, changed: [true, true], [counter(post, 2, 1)])
        #expect(script.take().contains(.commit(4, [BatchRow(pair: ann, wanted: false)])))
    }

    @Test("A hint is only a hint: PostgreSQL confirms a duplicate, or the LIKE goes on to the lane")
    func aHintIsOnlyAHintPostgresql() throws {
        var script = Script()
        let client = try script.open()
        let second = try script.open()
        script.step { core, now, actions in
            core.received(.like(ann), on: client, now: now, into: &actions)
            core.received(.like(bob), on: second, now: now, into: &actions)
        }
        script.admit(1, [.admitted(recent: true), .admitted(recent: true)])
        #expect(script.take().last == .selectPairs(2, [ann, bob]))
        script.pairs(
            2,
            [
                PairState(liked: true, counter: counter(post, 7, 7)),
                PairState(liked: false, counter: counter(post, 7, 7)),
            ])
        #expect(
            script.take() == [
                .reply(client, .change(changed: false, count: 7)), .commit(3, [BatchRow(pair: bob, wanted: true)]),
            ])
    }

    @Test("While a batch is on the wire the next one gathers")
    func whileABatchIsOnTheWire() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.send(.like(bob), on: client)
        script.admit(3, [.admitted(recent: false)])
        _ = script.take()
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        #expect(script.take().contains(.commit(5, [BatchRow(pair: bob, wanted: true)])))
    }

    @Test("Over the rate limit a LIKE is refused with the seconds to wait")
    func overTheRateLimitALikeIs() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.limited(retrySeconds: 17)])
        guard case .error(let error)? = script.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .rateLimited)
        #expect(error.message.contains("17 s"))
    }

    @Test("Without Redis the rate goes on being limited in the process")
    func withoutRedisTheRateGoesOnBeing() throws {
        var script = Script({ $0.rateLimitRequests = 1 }, up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), .unlike(ann), on: client)
        #expect(script.take() == [.commit(1, [BatchRow(pair: ann, wanted: true)])])
        script.commit(1, changed: [true], [counter(post, 1, 1)])
        let replies = script.replies(client)
        #expect(replies.first == .change(changed: true, count: 1))
        guard case .error(let error)? = replies.last else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .rateLimited)
    }

    @Test("A batch whose connection is lost is UNCERTAIN, what still gathers is sent on the next connection")
    func aBatchWhoseConnectionIsLostIs() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.send(.like(bob), on: client)
        script.admit(3, [.admitted(recent: false)])
        _ = script.take()
        script.lose(.lane)
        guard case .error(let error)? = script.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .uncertain)
        script.step { core, now, actions in core.connected(.lane, now: now, into: &actions) }
        #expect(script.take() == [.commit(4, [BatchRow(pair: bob, wanted: true)])])
    }

    @Test("A deadlock is tried again with the same changes")
    func aDeadlockIsTriedAgainWithThe() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        _ = script.take()
        script.step { core, now, actions in
            core.statementFailed(2, .retryable("40P01"), now: now, into: &actions)
        }
        #expect(script.take() == [.commit(3, [BatchRow(pair: ann, wanted: true)])])
    }

    @Test("Before it is sent a LIKE is UNAVAILABLE at its deadline, after that UNCERTAIN")
    func beforeItIsSentALikeIs() throws {
        for (backends, code) in [([Backend.reader], ErrorCode.unavailable), ([.lane, .reader], .uncertain)] {
            var script = Script(up: backends)
            let client = try script.open()
            script.send(.like(ann), on: client)
            script.pass(ms: 5_000)
            guard case .error(let error)? = script.replies(client).first else {
                Issue.record("no error")
                return
            }
            #expect(error.code == code)
        }
    }

    @Test("A hung Redis is given up after its timeout and everything goes on without it")
    func aHungRedisIsGivenUpAfter() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), .count(other), on: client)
        _ = script.take()
        script.pass(ms: 100)
        let actions = script.take()
        #expect(
            actions == [
                .disconnect(.redis), .selectCounters(3, [other]), .commit(4, [BatchRow(pair: ann, wanted: true)]),
            ])
    }

    @Test("What Redis missed is set before its counters are read again")
    func whatRedisMissedIsSetBeforeIts() throws {
        var script = Script(up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(1, changed: [true], [counter(post, 1, 1)])
        _ = script.take()
        script.step { core, now, actions in core.connected(.redis, now: now, into: &actions) }
        #expect(script.take() == [.fillCounters([counter(post, 1, 1)])])
    }
}

@Suite struct LimitTests {
    @Test("A connection with too much under way is not read until half of it is answered")
    func aConnectionWithTooMuchUnderWay() throws {
        var script = Script(up: [])
        let client = try script.open()
        for _ in 0..<Limits.requestsInFlightMax {
            #expect(script.core.accepts(client))
            script.send(.count(post), on: client)
        }
        #expect(!script.core.accepts(client))
        script.pass(ms: 5_000)
        #expect(script.take().contains(.resume(client)))
        #expect(script.core.accepts(client))
    }

    @Test("Replies that wait for their turn count as under way")
    func repliesThatWaitForTheirTurnCount() throws {
        var script = Script(up: [])
        let client = try script.open()
        script.send(.count(post), on: client)
        for _ in 1..<Limits.requestsInFlightMax { script.send(.ping(nil), on: client) }
        #expect(!script.core.accepts(client))
        script.pass(ms: 5_000)
        #expect(script.replies(client).count == Limits.requestsInFlightMax)
        #expect(script.core.accepts(client))
    }

    @Test("A backend that stays away lets no table grow")
    func aBackendThatStaysAwayLetsNo() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        script.lose(.redis)
        script.lose(.lane)
        script.lose(.reader)
        let client = try script.open()
        for round in 0..<40 {
            for id in 0..<200 {
                script.send(
                    .count(Item(type: 0, id: Int64(round * 1_000 + id))), .like(Pair(user: 1, item: post)),
                    .liked(Pair(user: 3, item: post)), on: client)
            }
            script.pass(ms: 5_000)
        }
        #expect(script.core.fetches.count == 0)
        #expect(script.core.changes.count == 0)
        #expect(script.core.pairQueue.isEmpty)
        #expect(script.core.deadlines.isEmpty)
        #expect(script.core.followers.isEmpty)
        #expect(script.core.sessions.waitingCount == 0)
    }

    @Test("A client that leaves takes along all that followed its reads")
    func aClientThatLeavesTakesAlongAll() throws {
        var script = Script(up: [.reader])
        let client = try script.open()
        script.send(.liked(ann), .like(ann), .unlike(ann), .count(post), on: client)
        script.step { core, now, actions in core.closed(client, now: now, into: &actions) }
        #expect(script.core.changes.count == 0)
        #expect(script.core.followers.isEmpty)
    }

    @Test("A full table of connections refuses the next")
    func aFullTableOfConnectionsRefusesThe() throws {
        var script = Script { $0.connectionsMax = 1 }
        let client = try script.open()
        #expect(script.core.opened(now: script.now) == nil)
        script.step { core, now, actions in core.closed(client, now: now, into: &actions) }
        #expect(script.core.opened(now: script.now) != nil)
    }

    @Test("Stopping takes nothing more, answers what was accepted, then stops")
    func stoppingTakesNothingMoreAnswersWhatWas() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.step { core, now, actions in core.stop(now: now, into: &actions) }
        #expect(!script.core.accepts(client))
        #expect(!script.take().contains(.stopped))
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        #expect(script.take().suffix(2) == [.reply(client, .change(changed: true, count: 1)), .stopped])
    }

    @Test("A client that leaves with a LIKE under way gets no reply, and its place is free after the commit")
    func aClientThatLeavesWithALike() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.step { core, now, actions in core.closed(client, now: now, into: &actions) }
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        #expect(script.replies(client) == [])
        #expect(script.core.changes.count == 0)
    }
}
