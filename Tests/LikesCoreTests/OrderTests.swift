import LikesProtocol
import Testing

@testable import LikesCore

/// A batch that was not committed is sent again, and nothing overtakes it or gets lost.
@Suite struct OrderTests {
    /// LIKE ann, UNLIKE ann on one connection; the batch with the LIKE is on the wire.
    private func opposite() throws -> Scenario {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), .unlike(ann), on: client)
        scenario.admit([.admitted(recent: false), .admitted(recent: false)])
        #expect(scenario.take().last == .commit([BatchRow(pair: ann, wanted: true)]))
        return scenario
    }

    @Test("However a batch fails, the changes that stand back stay behind it", arguments: 0..<4)
    func whatStandsBackStaysBehindABatchThatFails(way: Int) throws {
        var scenario = try opposite()
        switch way {
        case 0: scenario.fail(.retryable("deadlock"))
        case 1:
            scenario.fenceOff()
            scenario.connect(.lane)
        case 2:
            scenario.fail(.readOnly("standby"))
            scenario.connect(.lane)
        default:
            scenario.lose(.lane)
            scenario.connect(.lane)
        }
        let commits = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits == [[BatchRow(pair: ann, wanted: true)]])
    }

    @Test("A COUNT that came before its change was sent takes the count right after that change, not after later ones")
    func aCountThatCameBeforeTheBatchLeftTakesItsChangesCount() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), .count(post), .like(bob), on: client)
        scenario.admit([.admitted(recent: false), .admitted(recent: false)])
        scenario.hear(counter(post, 6, 6))
        scenario.commit(changed: [true, true], [counter(post, 5, 5)])
        scenario.wroteThrough()
        let replies = scenario.replies(client)
        #expect(replies == [.change(changed: true, count: 4), .integer(4), .change(changed: true, count: 5)])
    }

    @Test("A change waits behind an earlier one of its connection and item, even if the batch of that was taken apart")
    func aChangeWaitsBehindABatchTakenApartForAnEarlierOneOfItsItem() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        let (annOther, bobOther) = (Pair(user: ann.user, item: other), Pair(user: bob.user, item: other))
        scenario.send(.like(ann), .like(bob), .like(annOther), .like(bobOther), on: client)
        scenario.fail(.rows("trigger"))
        scenario.fail(.rows("trigger"))
        #expect(scenario.take().last == .commit([BatchRow(pair: ann, wanted: true)]))
        scenario.commit(changed: [false], [])
        // The second part waits for the first one's count.
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.send(.unlike(annOther), on: client)
        #expect(scenario.take() == [])
    }

    @Test("A change that has to follow another request is not overtaken by what its connection asked later")
    func aChangeThatFollowsAnewIsNotOvertaken() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(
            .count(post), .like(ann), .liked(bob), .unlike(bob), .mliked(user: ann.user, items: [post]), .like(ann),
            on: client)
        #expect(scenario.take() == [.readCounters(Scenario.generation, [post]), .selectPairs([bob])])
        // The unlike waited for the LIKED; now it waits for the first like, behind MLIKED.
        scenario.pairs([PairState(liked: true, counter: counter(post, 3, 3))])
        scenario.redisHas([counter(post, 3, 3)])
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 4, 4)])
        _ = scenario.take()
        scenario.wroteThrough()
        let admitted = scenario.take().compactMap {
            if case .redis(_, _, .admit(let entries, _)) = $0 { entries } else { nil }
        }
        #expect(admitted == [[AdmissionEntry(pair: bob, kind: .unlike)]])
    }

    @Test("A change that was admitted and waits behind another is not overtaken by one that is admitted later")
    func anAdmittedChangeThatWaitsIsNotOvertakenByOneAdmittedLater() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        let other = Pair(user: 30, item: post)
        func admit(_ pair: Pair) throws -> CallID {
            scenario.send(.like(pair), on: client)
            return try scenario.call(.admit([AdmissionEntry(pair: pair, kind: .like)]))
        }
        scenario.send(.like(ann), .count(post), on: client)
        scenario.admit([.admitted(recent: false)])
        let (first, second, third) = (try admit(bob), try admit(other), try admit(ann))
        // The COUNT behind it now reads the count itself, and what came after the COUNT waits.
        scenario.fail(.rows("trigger"))
        #expect(scenario.take().contains(.readCounters([post])))
        scenario.admit(call: first, [.admitted(recent: false)])
        scenario.admit(call: second, [.admitted(recent: false)])
        scenario.redisHas([counter(post, 3, 3)])
        scenario.admit(call: third, [.admitted(recent: false)])
        var rows: [[Pair]] = []
        for count in 4...6 as ClosedRange<Int64> {
            for action in scenario.takeWithCalls() {
                guard case .lane(let call, .commit(let request)) = action else { continue }
                rows.append(request.rows.map(\.pair))
                scenario.commit(call: call, changed: [true], [counter(post, count, count)])
            }
            for action in scenario.takeWithCalls() {
                if case .redis(_, let call, .writeThrough(_, _, _)) = action { scenario.wroteThrough(call: call) }
            }
        }
        #expect(rows == [[bob], [other], [ann]])
        #expect(scenario.core.clients.followers.admittedCount == 0)
    }

    @Test("When a hinted duplicate is given up, what waited behind it goes ahead of what its connection asks later")
    func whatStandsBehindADuplicateThatIsGivenUpGoesAheadOfLaterRequests() throws {
        var scenario = Scenario { ($0.rateLimitRequests, $0.requestTimeoutMs) = (0, 1_000) }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: true)])
        scenario.pass(ms: 500)
        scenario.send(.unlike(bob), on: client)
        scenario.admit([.admitted(recent: false)])
        #expect(!scenario.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
        // PostgreSQL does not say whether ann likes it already.
        scenario.pass(ms: 500)
        let first = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(first == [[BatchRow(pair: bob, wanted: false)]])
        scenario.send(.like(bob), on: client)
        scenario.admit([.admitted(recent: true)])
        #expect(scenario.core.writes.confirmations.heldCount == 0)
    }

    @Test("A part of a refused batch that has to wait for a count is sent after it")
    func aPartOfARefusedBatchThatHasToWaitForACountIsSentAfterIt() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.step { core, turn in
            core.received(.like(ann), on: client, &turn)
            core.received(.like(bob), on: client, &turn)
        }
        scenario.fail(.rows("trigger"))
        #expect(scenario.take().last == .commit([BatchRow(pair: ann, wanted: true)]))
        scenario.commit(changed: [false], [])
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.databaseHas([counter(post, 3, 3)])
        #expect(scenario.take().last == .commit([BatchRow(pair: bob, wanted: true)]))
        scenario.commit(changed: [true], [counter(post, 4, 4)])
        #expect(scenario.core.writes.count == 0)
    }

    // MARK: A COUNT behind a change that was sent

    /// A LIKE by ann is on the wire; its batch will be answered with count 1 at version 1.
    private func sent(localCacheEntries: Int = 1_000) throws -> (Scenario, ConnectionID) {
        var scenario = Scenario { ($0.rateLimitRequests, $0.localCacheEntries) = (0, localCacheEntries) }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        return (scenario, client)
    }

    @Test("A COUNT behind a change does not go back behind what was heard of meanwhile", arguments: [0, 1_000])
    func aCountBehindAChangeDoesNotGoBackBehindWhatWasHeardOf(localCacheEntries: Int) throws {
        var (scenario, client) = try sent(localCacheEntries: localCacheEntries)
        scenario.hear(counter(post, 2, 2))
        scenario.send(.count(post), .mcount([post]), on: client)
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        #expect(scenario.replies(client) == [.change(changed: true, count: 1), .integer(2), .integers([2])])
    }

    @Test("A COUNT behind a change does not go back behind what another connection was told", arguments: [0, 60_000])
    func aCountBehindAChangeDoesNotGoBackBehindWhatAnotherConnectionWasTold(slowMs: Int64) throws {
        var (scenario, client) = try sent()
        let second = try scenario.open()
        scenario.send(.count(post), on: second)
        scenario.redisHas([counter(post, 2, 2)])
        #expect(scenario.replies(second) == [.integer(2)])
        scenario.send(.count(post), on: client)
        // However old the batch's answer is.
        scenario.now = scenario.now.adding(ms: slowMs)
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        if slowMs == 0 { scenario.wroteThrough() }
        #expect(scenario.replies(client) == [.change(changed: true, count: 1), .integer(2)])
    }

    @Test("A COUNT behind a change does not see what comes after it in its pipeline, whatever else is known")
    func aCountBehindAChangeDoesNotSeeWhatComesAfterItInItsPipeline() throws {
        var (scenario, client) = try sent()
        scenario.hear(counter(post, 2, 2))
        scenario.send(.count(post), .unlike(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        let recent = [RecentLike(pair: ann, add: true)]
        let first = try scenario.call(.writeThrough(counters: [counter(post, 2, 2)], recent: recent))
        scenario.commit(changed: [true], [counter(post, 1, 3)])
        scenario.wroteThrough(call: first)
        scenario.wroteThrough()
        #expect(
            scenario.replies(client) == [
                .change(changed: true, count: 1), .integer(2), .change(changed: true, count: 1),
            ])
    }
}
