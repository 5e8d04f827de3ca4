import LikesProtocol
import Testing

@testable import LikesCore

/// A batch that was not committed is sent again, and nothing overtakes it or gets lost.
@Suite struct OrderTests {
    /// LIKE ann, UNLIKE ann on one connection; the batch with the LIKE is on the wire.
    private func opposite() throws -> (Script, CallID) {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), .unlike(ann), on: client)
        script.admit(1, [.admitted(recent: false), .admitted(recent: false)])
        #expect(script.take().last == .commit(2, [BatchRow(pair: ann, wanted: true)]))
        return (script, 2)
    }

    @Test("However a batch fails to be committed, what stands back stays behind it", arguments: 0..<4)
    func whatStandsBackStaysBehindABatchThatFails(way: Int) throws {
        var (script, call) = try opposite()
        switch way {
        case 0: script.fail(call, .retryable("deadlock"))
        case 1:
            script.fenceOff(call)
            script.connect(.lane)
        case 2:
            script.fail(call, .readOnly("standby"))
            script.connect(.lane)
        default:
            script.lose(.lane)
            script.connect(.lane)
        }
        let commits = script.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits == [[BatchRow(pair: ann, wanted: true)]])
    }

    @Test("A COUNT that came before the batch left takes its change's count, not what came of later changes")
    func aCountThatCameBeforeTheBatchLeftTakesItsChangesCount() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), .count(post), .like(bob), on: client)
        script.admit(1, [.admitted(recent: false), .admitted(recent: false)])
        script.hear(counter(post, 6, 6))
        script.commit(2, changed: [true, true], [counter(post, 5, 5)])
        script.wroteThrough(3)
        let replies = script.replies(client)
        #expect(replies == [.change(changed: true, count: 4), .integer(4), .change(changed: true, count: 5)])
    }

    @Test("A change waits behind a batch that was taken apart, for an earlier one of its connection and item")
    func aChangeWaitsBehindABatchTakenApartForAnEarlierOneOfItsItem() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        let (annOther, bobOther) = (Pair(user: ann.user, item: other), Pair(user: bob.user, item: other))
        script.send(.like(ann), .like(bob), .like(annOther), .like(bobOther), on: client)
        script.fail(1, .rows("trigger"))
        script.fail(2, .rows("trigger"))
        #expect(script.take().last == .commit(3, [BatchRow(pair: ann, wanted: true)]))
        script.commit(3, changed: [false], [])
        // The second part waits for the first one's count.
        #expect(script.take() == [.selectCounters(4, [post])])
        script.send(.unlike(annOther), on: client)
        #expect(script.take() == [])
    }

    @Test("A change that follows anew is not overtaken by what its connection asked later")
    func aChangeThatFollowsAnewIsNotOvertaken() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(
            .count(post), .like(ann), .liked(bob), .unlike(bob), .likedMany(user: ann.user, items: [post]), .like(ann),
            on: client)
        #expect(script.take() == [.readCounters(1, Script.generation, [post]), .selectPairs(2, [bob])])
        // The unlike followed the LIKED; now it follows the first like, behind MLIKED.
        script.pairs(2, [PairState(liked: true, counter: counter(post, 3, 3))])
        script.redisHas(1, [counter(post, 3, 3)])
        script.admit(3, [.admitted(recent: false)])
        script.commit(4, changed: [true], [counter(post, 4, 4)])
        _ = script.take()
        script.wroteThrough(5)
        let admitted = script.take().compactMap { if case .redis(_, .admit(let entries)) = $0 { entries } else { nil } }
        #expect(admitted == [[AdmissionEntry(pair: bob, kind: .unlike)]])
    }

    @Test("A change that was admitted and waits behind another is not overtaken by one that is admitted later")
    func anAdmittedChangeThatWaitsIsNotOvertakenByOneAdmittedLater() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        let other = Pair(user: 30, item: post)
        func admit(_ pair: Pair) throws -> CallID {
            script.send(.like(pair), on: client)
            let calls = script.take().compactMap { if case .redis(let call, .admit(_)) = $0 { call } else { nil } }
            return try #require(calls.last)
        }
        script.send(.like(ann), .count(post), on: client)
        script.admit(1, [.admitted(recent: false)])
        let (first, second, third) = (try admit(bob), try admit(other), try admit(ann))
        // The COUNT behind it now looks for itself, and what came after it waits.
        script.fail(2, .rows("trigger"))
        let read = try #require(
            script.take().compactMap { if case .redis(let call, .readCounters(_, [post])) = $0 { call } else { nil } }
                .last)
        script.admit(first, [.admitted(recent: false)])
        script.admit(second, [.admitted(recent: false)])
        script.redisHas(read, [counter(post, 3, 3)])
        script.admit(third, [.admitted(recent: false)])
        var rows: [[Pair]] = []
        for count in 4...6 as ClosedRange<Int64> {
            for action in script.take() {
                guard case .lane(let call, .commit(let request)) = action else { continue }
                rows.append(request.rows.map(\.pair))
                script.commit(call, changed: [true], [counter(post, count, count)])
            }
            for action in script.take() {
                if case .redis(let call, .writeThrough(_, _, _)) = action { script.wroteThrough(call) }
            }
        }
        #expect(rows == [[bob], [other], [ann]])
        #expect(script.core.clients.followers.admittedCount == 0)
    }

    @Test("What stands behind a hinted duplicate that is given up goes ahead of what its connection asks later")
    func whatStandsBehindADuplicateThatIsGivenUpGoesAheadOfLaterRequests() throws {
        var script = Script { ($0.rateLimitRequests, $0.requestTimeoutMs) = (0, 1_000) }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: true)])
        script.pass(ms: 500)
        script.send(.unlike(bob), on: client)
        script.admit(3, [.admitted(recent: false)])
        #expect(!script.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
        // PostgreSQL does not say whether ann likes it already.
        script.pass(ms: 500)
        let first = script.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(first == [[BatchRow(pair: bob, wanted: false)]])
        script.send(.like(bob), on: client)
        script.admit(5, [.admitted(recent: true)])
        #expect(script.core.writes.confirmations.heldCount == 0)
    }

    @Test("A part of a refused batch that has to wait for a count is sent after it")
    func aPartOfARefusedBatchThatHasToWaitForACountIsSentAfterIt() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        script.step { core, turn in
            core.received(.like(ann), on: client, &turn)
            core.received(.like(bob), on: client, &turn)
        }
        script.fail(1, .rows("trigger"))
        #expect(script.take().last == .commit(2, [BatchRow(pair: ann, wanted: true)]))
        script.commit(2, changed: [false], [])
        #expect(script.take() == [.selectCounters(3, [post])])
        script.databaseHas(3, [counter(post, 3, 3)])
        #expect(script.take().last == .commit(4, [BatchRow(pair: bob, wanted: true)]))
        script.commit(4, changed: [true], [counter(post, 4, 4)])
        #expect(script.core.writes.count == 0)
    }

    // MARK: A COUNT behind a change that was sent

    /// A LIKE of ann's is on the wire; its batch will be answered with count 1 at version 1.
    private func sent(localCacheEntries: Int = 1_000) throws -> (Script, ConnectionID) {
        var script = Script { ($0.rateLimitRequests, $0.localCacheEntries) = (0, localCacheEntries) }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        _ = script.take()
        return (script, client)
    }

    @Test("A COUNT behind a change does not go back behind what was heard of meanwhile", arguments: [0, 1_000])
    func aCountBehindAChangeDoesNotGoBackBehindWhatWasHeardOf(localCacheEntries: Int) throws {
        var (script, client) = try sent(localCacheEntries: localCacheEntries)
        script.hear(counter(post, 2, 2))
        script.send(.count(post), .counts([post]), on: client)
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        #expect(script.replies(client) == [.change(changed: true, count: 1), .integer(2), .integers([2])])
    }

    @Test("A COUNT behind a change does not go back behind what another connection was told", arguments: [0, 60_000])
    func aCountBehindAChangeDoesNotGoBackBehindWhatAnotherConnectionWasTold(slowMs: Int64) throws {
        var (script, client) = try sent()
        let second = try script.open()
        script.send(.count(post), on: second)
        script.redisHas(3, [counter(post, 2, 2)])
        #expect(script.replies(second) == [.integer(2)])
        script.send(.count(post), on: client)
        // However old the batch's answer is.
        script.now = script.now.adding(ms: slowMs)
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        if slowMs == 0 { script.wroteThrough(4) }
        #expect(script.replies(client) == [.change(changed: true, count: 1), .integer(2)])
    }

    @Test("A COUNT behind a change does not see what comes after it in its pipeline, whatever else is known")
    func aCountBehindAChangeDoesNotSeeWhatComesAfterItInItsPipeline() throws {
        var (script, client) = try sent()
        script.hear(counter(post, 2, 2))
        script.send(.count(post), .unlike(ann), on: client)
        script.admit(3, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.commit(5, changed: [true], [counter(post, 1, 3)])
        script.wroteThrough(4)
        script.wroteThrough(6)
        #expect(
            script.replies(client) == [
                .change(changed: true, count: 1), .integer(2), .change(changed: true, count: 1),
            ])
    }
}
