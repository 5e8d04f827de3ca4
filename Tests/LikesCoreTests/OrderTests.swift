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
