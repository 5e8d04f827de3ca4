import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct ChangeTests {
    @Test("A LIKE is admitted, committed, written through, then answered")
    func aLikeIsAdmittedCommittedWrittenThroughThenAnswered() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        #expect(scenario.take() == [.admit([AdmissionEntry(pair: ann, kind: .like)])])
        scenario.admit([.admitted(recent: false)])
        #expect(scenario.take() == [.commit([BatchRow(pair: ann, wanted: true)])])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        #expect(
            scenario.take() == [
                .writeThrough(counters: [counter(post, 1, 1)], recent: [RecentLike(pair: ann, add: true)])
            ])
        scenario.wroteThrough()
        #expect(scenario.take() == [.reply(client, .change(changed: true, count: 1))])
    }

    @Test("A pipeline of COUNT, LIKE, COUNT sees each effect in its order")
    func aPipelineOfCountLikeCountSeesEachEffectInItsOrder() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), .like(ann), .count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
        scenario.redisHas([counter(post, 0, 0)])
        #expect(
            scenario.take() == [.reply(client, .integer(0)), .admit([AdmissionEntry(pair: ann, kind: .like)])])
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        #expect(scenario.replies(client) == [.change(changed: true, count: 1), .integer(1)])
    }

    @Test("A LIKED behind a LIKE not yet sent takes its answer from it")
    func aLikedBehindALikeNotYetSentTakesItsAnswerFromIt() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), .liked(ann), .unlike(ann), .liked(ann), on: client)
        scenario.admit([.admitted(recent: false), .admitted(recent: false)])
        #expect(scenario.take().last == .commit([BatchRow(pair: ann, wanted: true)]))
        scenario.commit(changed: [true], [counter(post, 5, 5)])
        #expect(scenario.take().contains(.commit([BatchRow(pair: ann, wanted: false)])))
        scenario.wroteThrough()
        #expect(scenario.replies(client) == [.change(changed: true, count: 5), .integer(1)])
        scenario.commit(changed: [true], [counter(post, 4, 6)])
        scenario.wroteThrough()
        #expect(scenario.replies(client) == [.change(changed: true, count: 4), .integer(0)])
    }

    @Test("A like and an unlike of one pair never share a batch, and other changes do not wait for them")
    func aLikeAndAnUnlikeOfOnePairNeverShareABatch() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        let second = try scenario.open()
        scenario.step { core, turn in
            for request in [Request.like(ann), .unlike(ann), .like(ann)] {
                core.received(request, on: client, &turn)
            }
            core.received(.like(bob), on: second, &turn)
        }
        scenario.admit([AdmissionVerdict](repeating: .admitted(recent: false), count: 4))
        let both = [BatchRow(pair: ann, wanted: true), BatchRow(pair: bob, wanted: true)]
        #expect(scenario.take().last == .commit(both))
        scenario.commit(changed: [true, true], [counter(post, 2, 1)])
        #expect(scenario.take().contains(.commit([BatchRow(pair: ann, wanted: false)])))
    }

    @Test("A hint is only a hint: PostgreSQL confirms a duplicate, or the LIKE goes on to the lane")
    func aHintIsOnlyAHintAndPostgreSQLConfirmsIt() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        let second = try scenario.open()
        scenario.step { core, turn in
            core.received(.like(ann), on: client, &turn)
            core.received(.like(bob), on: second, &turn)
        }
        scenario.admit([.admitted(recent: true), .admitted(recent: true)])
        #expect(scenario.take().last == .selectPairs([ann, bob]))
        scenario.pairs([
            PairState(liked: true, counter: counter(post, 7, 7)),
            PairState(liked: false, counter: counter(post, 7, 7)),
        ])
        #expect(
            scenario.take() == [
                .reply(client, .change(changed: false, count: 7)), .commit([BatchRow(pair: bob, wanted: true)]),
            ])
    }

    @Test("While a batch is on the wire the next one gathers")
    func whileABatchIsOnTheWireTheNextOneGathers() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.send(.like(bob), on: client)
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        #expect(scenario.take().contains(.commit([BatchRow(pair: bob, wanted: true)])))
    }

    @Test("Over the rate limit a LIKE is refused with the seconds to wait")
    func overTheRateLimitALikeIsRefusedWithTheSecondsToWait() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.limited(retrySeconds: 17)])
        guard case .error(let error)? = scenario.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .rateLimited)
        #expect(error.message.contains("17 s"))
    }

    @Test("Without Redis the process limits the rate itself")
    func withoutRedisTheProcessGoesOnLimitingTheRate() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 1 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), .unlike(ann), on: client)
        #expect(scenario.take() == [.commit([BatchRow(pair: ann, wanted: true)])])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        let replies = scenario.replies(client)
        #expect(replies.first == .change(changed: true, count: 1))
        guard case .error(let error)? = replies.last else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .rateLimited)
    }

    @Test("Before Redis' data is identified the process counts, however often Redis comes and goes")
    func beforeRedisDataIsIdentifiedTheProcessCounts() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 1 }, up: [.lane, .reader], byHand: [.identify])
        let client = try scenario.open()
        var replies: [Reply] = []
        for _ in 0..<4 {
            scenario.connect(.redis)
            scenario.send(.like(ann), on: client)
            for action in scenario.takeWithCalls() {
                switch action {
                case .reply(_, let reply): replies.append(reply)
                case .lane(let call, .commit(_)): scenario.commit(call: call, changed: [true], [counter(post, 1, 1)])
                case .redis(_, _, .admit): Issue.record("asked to count before its data is identified")
                default: continue
                }
            }
            replies += scenario.replies(client)
            scenario.lose(.redis)
        }
        #expect(replies.first == .change(changed: true, count: 1))
        #expect(replies.dropFirst().map(\.isRateLimited) == [true, true, true])
    }

    @Test("The process keeps its own count of a rate until Redis has counted for a whole window, then forgets it")
    func whatTheProcessCountedHoldsForAWindowOverARedisThatCountedForLess() throws {
        var scenario = Scenario(
            { ($0.rateLimitRequests, $0.rateLimitWindowSeconds) = (1, 60) }, up: [.lane, .reader, .subscriber])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.connect(.redis)
        _ = scenario.take()
        scenario.send(.unlike(ann), on: client)
        _ = scenario.take()
        scenario.admit([.limited(retrySeconds: 9)])
        scenario.lose(.redis)
        _ = scenario.take()
        scenario.send(.unlike(ann), on: client)
        #expect(scenario.replies(client).map(\.isRateLimited) == [true])
        scenario.connect(.redis)
        scenario.now = scenario.now.adding(ms: 60_000)
        scenario.send(.unlike(ann), on: client)
        #expect(scenario.core.writes.localRate.usersCount == 1)
        _ = scenario.take()
        scenario.admit([.limited(retrySeconds: 9)])
        #expect(scenario.core.writes.localRate.usersCount == 0)
    }

    @Test("A change that the process counts does not overtake one that Redis was asked about")
    func aChangeThatTheProcessCountsDoesNotOvertakeOneThatRedisWasAskedAbout() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 9 }, byHand: [.identify])
        scenario.identify()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        _ = scenario.take()
        // Another past of the database: Redis' data is to be identified anew.
        scenario.connect(.lane, DatabaseIdentity(system: "7", timeline: 2))
        _ = scenario.take()
        scenario.send(.unlike(ann), on: client)
        #expect(!scenario.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
        scenario.admit([.admitted(recent: false)])
        let commits = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits == [[BatchRow(pair: ann, wanted: true)]])
    }

    @Test("After a deadlock the same changes are sent again")
    func aDeadlockIsTriedAgainWithTheSameChanges() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        scenario.fail(.retryable("40P01"))
        #expect(scenario.take() == [.commit([BatchRow(pair: ann, wanted: true)])])
    }

    @Test("At its deadline a LIKE that was not sent is UNAVAILABLE, one that was sent is UNCERTAIN")
    func aLikeIsUnavailableAtItsDeadlineBeforeItIsSentAndUncertainAfter() throws {
        for (backends, code) in [([Backend.reader], ErrorCode.unavailable), ([.lane, .reader], .uncertain)] {
            var scenario = Scenario(up: backends)
            let client = try scenario.open()
            scenario.send(.like(ann), on: client)
            scenario.pass(ms: 5_000)
            guard case .error(let error)? = scenario.replies(client).first else {
                Issue.record("no error")
                return
            }
            #expect(error.code == code)
        }
    }

    @Test("After its timeout a hung Redis is given up, and everything goes on without it")
    func aHungRedisIsGivenUpAfterItsTimeout() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), .count(other), on: client)
        _ = scenario.take()
        scenario.pass(ms: 100)
        let actions = scenario.take()
        #expect(
            actions == [
                .disconnect(.redis), .selectCounters([other]), .commit([BatchRow(pair: ann, wanted: true)]),
            ])
    }
}

extension Reply {
    fileprivate var isRateLimited: Bool {
        if case .error(let error) = self { error.code == .rateLimited } else { false }
    }
}
