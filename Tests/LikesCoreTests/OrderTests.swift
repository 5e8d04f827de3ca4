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
    func whatStandsBackStaysBehind(way: Int) throws {
        var (script, call) = try opposite()
        switch way {
        case 0: script.fail(call, .retryable("deadlock"))
        case 1: script.fenceOff(call)
        case 2:
            script.fail(call, .readOnly("standby"))
            script.connect(.lane)
        default:
            script.lose(.lane)
            script.connect(.lane)
        }
        let commits = script.take().compactMap { if case .commit(_, let request) = $0 { request.rows } else { nil } }
        #expect(commits == [[BatchRow(pair: ann, wanted: true)]])
    }

    @Test("A change waits behind a batch that was taken apart, for an earlier one of its connection and item")
    func aChangeWaitsBehindABatchThatWasTakenApart() throws {
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
        let admitted = script.take().compactMap { if case .admit(_, let entries) = $0 { entries } else { nil } }
        #expect(admitted == [[AdmissionEntry(pair: bob, kind: .unlike)]])
    }

    @Test("A part of a refused batch that has to wait for a count is sent after it")
    func aPartThatHasToWaitForACount() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        script.step { core, now, actions in
            core.received(.like(ann), on: client, now: now, into: &actions)
            core.received(.like(bob), on: client, now: now, into: &actions)
        }
        script.fail(1, .rows("trigger"))
        #expect(script.take().last == .commit(2, [BatchRow(pair: ann, wanted: true)]))
        script.commit(2, changed: [false], [])
        #expect(script.take() == [.selectCounters(3, [post])])
        script.databaseHas(3, [counter(post, 3, 3)])
        #expect(script.take().last == .commit(4, [BatchRow(pair: bob, wanted: true)]))
        script.commit(4, changed: [true], [counter(post, 4, 4)])
        #expect(script.core.changes.count == 0)
    }
}
