import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct ChangeTests {
    @Test("A LIKE is admitted, committed, written through, then answered")
    func aLikeIsAdmittedCommittedWrittenThroughThenAnswered() throws {
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
    func aPipelineOfCountLikeCountSeesEachEffectInItsOrder() throws {
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
    func aLikedBehindALikeNotYetSentTakesItsAnswerFromIt() throws {
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
    func aLikeAndAnUnlikeOfOnePairNeverShareABatch() throws {
        var script = Script()
        let client = try script.open()
        let second = try script.open()
        script.step { core, turn in
            for request in [Request.like(ann), .unlike(ann), .like(ann)] {
                core.received(request, on: client, &turn)
            }
            core.received(.like(bob), on: second, &turn)
        }
        script.admit(1, [AdmissionVerdict](repeating: .admitted(recent: false), count: 4))
        let both = [BatchRow(pair: ann, wanted: true), BatchRow(pair: bob, wanted: true)]
        #expect(script.take().last == .commit(2, both))
        script.commit(2, changed: [true, true], [counter(post, 2, 1)])
        #expect(script.take().contains(.commit(4, [BatchRow(pair: ann, wanted: false)])))
    }

    @Test("A hint is only a hint: PostgreSQL confirms a duplicate, or the LIKE goes on to the lane")
    func aHintIsOnlyAHintAndPostgreSQLConfirmsIt() throws {
        var script = Script()
        let client = try script.open()
        let second = try script.open()
        script.step { core, turn in
            core.received(.like(ann), on: client, &turn)
            core.received(.like(bob), on: second, &turn)
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
    func whileABatchIsOnTheWireTheNextOneGathers() throws {
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
    func overTheRateLimitALikeIsRefusedWithTheSecondsToWait() throws {
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
    func withoutRedisTheProcessGoesOnLimitingTheRate() throws {
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

    @Test("Before Redis' data is identified the process counts, however often Redis comes and goes")
    func beforeRedisDataIsIdentifiedTheProcessCounts() throws {
        var script = Script({ $0.rateLimitRequests = 1 }, up: [.lane, .reader], byHand: [.identify])
        let client = try script.open()
        var replies: [Reply] = []
        for _ in 0..<4 {
            script.connect(.redis)
            script.send(.like(ann), on: client)
            for action in script.take() {
                switch action {
                case .reply(_, let reply): replies.append(reply)
                case .lane(let call, .commit(_)): script.commit(call, changed: [true], [counter(post, 1, 1)])
                case .redis(_, .admit): Issue.record("asked to count before its data is identified")
                default: continue
                }
            }
            replies += script.replies(client)
            script.lose(.redis)
        }
        #expect(replies.first == .change(changed: true, count: 1))
        #expect(replies.dropFirst().map(\.isRateLimited) == [true, true, true])
    }

    @Test("What the process counted holds over a Redis that counted for less than a window, and is then forgotten")
    func whatTheProcessCountedHoldsForAWindowOverARedisThatCountedForLess() throws {
        var script = Script(
            { ($0.rateLimitRequests, $0.rateLimitWindowSeconds) = (1, 60) }, up: [.lane, .reader, .subscriber])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(1, changed: [true], [counter(post, 1, 1)])
        script.connect(.redis)
        _ = script.take()
        script.send(.unlike(ann), on: client)
        guard case .redis(let call, .admit(_))? = script.take().last else {
            Issue.record("Redis does not count")
            return
        }
        script.admit(call, [.limited(retrySeconds: 9)])
        script.lose(.redis)
        _ = script.take()
        script.send(.unlike(ann), on: client)
        #expect(script.replies(client).map(\.isRateLimited) == [true])
        script.connect(.redis)
        script.now = script.now.adding(ms: 60_000)
        script.send(.unlike(ann), on: client)
        #expect(script.core.writes.localRate.usersCount == 1)
        guard case .redis(let next, .admit(_))? = script.take().last else {
            Issue.record("Redis does not count")
            return
        }
        script.admit(next, [.limited(retrySeconds: 9)])
        #expect(script.core.writes.localRate.usersCount == 0)
    }

    @Test("A change that the process counts does not overtake one that Redis was asked about")
    func aChangeThatTheProcessCountsDoesNotOvertakeOneThatRedisWasAskedAbout() throws {
        var script = Script({ $0.rateLimitRequests = 9 }, byHand: [.identify])
        script.identify(1)
        let client = try script.open()
        script.send(.like(ann), on: client)
        _ = script.take()
        // Another past of the database: Redis' data is to be identified anew.
        script.connect(.lane, DatabaseHistory(system: "7", timeline: 2))
        _ = script.take()
        script.send(.unlike(ann), on: client)
        #expect(!script.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
        script.admit(2, [.admitted(recent: false)])
        let commits = script.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits == [[BatchRow(pair: ann, wanted: true)]])
    }

    @Test("A deadlock is tried again with the same changes")
    func aDeadlockIsTriedAgainWithTheSameChanges() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        _ = script.take()
        script.fail(2, .retryable("40P01"))
        #expect(script.take() == [.commit(3, [BatchRow(pair: ann, wanted: true)])])
    }

    @Test("Before it is sent a LIKE is UNAVAILABLE at its deadline, after that UNCERTAIN")
    func aLikeIsUnavailableAtItsDeadlineBeforeItIsSentAndUncertainAfter() throws {
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
    func aHungRedisIsGivenUpAfterItsTimeout() throws {
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
}

extension Reply {
    fileprivate var isRateLimited: Bool {
        if case .error(let error) = self { error.code == .rateLimited } else { false }
    }
}
