import LikesProtocol
import Testing

@testable import LikesCore

/// The write lane: what becomes of a batch whose connection goes away, and what its row holds.
@Suite struct LaneTests {
    private func lost(_ requests: Request..., byHand: Set<Script.Housekeeping> = []) throws -> (Script, ConnectionID) {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: byHand)
        let client = try script.open()
        script.step { core, turn in
            for request in requests { core.received(request, on: client, &turn) }
        }
        script.admit(1, requests.map { _ in .admitted(recent: false) })
        script.lose(.lane)
        script.byHand.insert(.fence)
        _ = script.take()
        script.connect(.lane)
        return (script, client)
    }

    private func fence(of script: Script, _ rows: [BatchRow]) -> FenceRequest {
        FenceRequest(lane: script.core.lane.row.lane, former: nil, rows: rows)
    }

    private func rows(_ pairs: Pair...) -> [BatchRow] { pairs.map { BatchRow(pair: $0, wanted: true) } }

    @Test("A batch found committed is answered with what it changed, and a count read after it")
    func aBatchFoundCommittedIsAnsweredWithWhatItChanged() throws {
        var (script, client) = try lost(.like(ann), .like(bob))
        #expect(script.take() == [.fence(3, fence(of: script, rows(ann, bob)))])
        script.fence(3, LaneState(epoch: 2, batch: 1, changed: [true, false]))
        // The counts for the replies, beside that for Redis.
        #expect(script.take().contains(.selectCounters(6, [post, post])))
        script.databaseHas(6, [counter(post, 4, 9), counter(post, 4, 9)])
        #expect(
            script.replies(client) == [.change(changed: true, count: 4), .change(changed: false, count: 4)])
    }

    @Test("A batch found not committed is sent again, before what came later")
    func aBatchFoundNotCommittedIsSentAgainBeforeWhatCameLater() throws {
        var (script, client) = try lost(.like(ann))
        script.send(.like(bob), on: client)
        script.admit(4, [.admitted(recent: false)])
        _ = script.take()
        script.fence(3, LaneState(epoch: 2, batch: 0, changed: []))
        #expect(script.take() == [.commit(5, rows(ann, bob))])
        #expect(script.commits.last?.fence.epoch == 2)
        #expect(script.commits.last?.batch == 2)
    }

    @Test("A batch of which PostgreSQL has no record is UNCERTAIN")
    func aBatchOfWhichPostgreSQLHasNoRecordIsUncertain() throws {
        var (script, client) = try lost(.like(ann))
        script.fence(3, nil)
        #expect(script.replies(client).map(\.code) == [.uncertain])
        #expect(script.core.writes.count == 0)
    }

    @Test("A batch whose lane stays away is UNCERTAIN at the deadline, and what it did is found out later")
    func aBatchWhoseLaneStaysAwayIsUncertainAtTheDeadline() throws {
        var (script, client) = try lost(.like(ann))
        script.pass(ms: 4_999)
        #expect(script.replies(client) == [])
        script.pass(ms: 1)
        #expect(script.replies(client).map(\.code) == [.uncertain])
        script.lose(.lane)
        _ = script.take()
        script.connect(.lane)
        #expect(script.take() == [.fence(4, fence(of: script, rows(ann)))])
        script.fence(4, LaneState(epoch: 3, batch: 1, changed: [true]))
        #expect(script.core.repairs.contains(post))
        #expect(script.core.writes.count == 0)
    }

    @Test("A commit whose wait for its standby was cancelled is answered once a fence has committed after it")
    func aCommitWhoseWaitForItsStandbyWasCancelledIsAnsweredAfterAFence() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.reader, .lane], byHand: [.fence])
        script.fence(1, nil)
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.step { core, turn in core.standbyWaitCancelled(&turn) }
        // What the server says of the commit all the same.
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        #expect(!script.take().contains { if case .reply = $0 { true } else { false } })
        #expect(script.core.healthMessage(now: script.now).contains("waits for a synchronous standby"))
        script.connect(.lane)
        #expect(script.take() == [.fence(3, fence(of: script, rows(ann)))])
        // The fence waits as well, and is cancelled, too.
        #expect(script.core.status(now: script.now) == "down")
        #expect(script.core.healthMessage(now: script.now).contains("waits for a synchronous standby"))
        script.step { core, turn in core.standbyWaitCancelled(&turn) }
        script.fence(3, LaneState(epoch: 2, batch: 1, changed: [true]))
        script.connect(.lane)
        #expect(!script.take().contains { if case .reply = $0 { true } else { false } })
        script.fence(4, LaneState(epoch: 3, batch: 1, changed: [true]))
        script.databaseHas(5, [counter(post, 1, 1)])
        #expect(script.replies(client) == [.change(changed: true, count: 1)])
        #expect(script.core.isDatabaseHealthy)
    }

    @Test("No batch leaves before the lane is the connection's own")
    func noBatchLeavesBeforeTheLaneIsFenced() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.reader], byHand: [.fence])
        script.connect(.lane)
        let client = try script.open()
        script.send(.like(ann), on: client)
        #expect(script.take() == [.fence(1, fence(of: script, []))])
        script.fence(1, nil)
        #expect(script.take() == [.commit(2, rows(ann))])
    }

    @Test("A lane that was taken for dead is opened again, and its batch sent again")
    func aLaneThatWasTakenForDeadIsOpenedAgainAndItsBatchSentAgain() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.reader, .lane])
        script.byHand.insert(.fence)
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.fenceOff(1)
        let text =
            "this host's lane was closed (the host was taken for dead) or removed (a restore, TRUNCATE lanes); "
            + "opening it again"
        #expect(script.actions.contains(.log(.notice, text)))
        script.connect(.lane)
        _ = script.take()
        script.fence(2, LaneState(epoch: 3, batch: 0, changed: []))
        #expect(script.take() == [.commit(3, rows(ann))])
        #expect(script.commits.last?.fence.epoch == 3)
    }

    @Test("The journal holds what the batch changes and what is on its way to Redis")
    func theJournalHoldsTheBatchAndWhatIsOnItsWayToRedis() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.send(.like(Pair(user: 1, item: other)), on: client)
        script.admit(4, [.admitted(recent: false)])
        #expect(script.commits.map(\.journal) == [[post], [other, post]])
    }

    @Test("What comes to be missing while a batch is on the wire is in the lane's row soon")
    func whatComesToBeMissingWhileABatchIsOnTheWireIsSoonInTheLanesRow() throws {
        var script = Script({ ($0.rateLimitRequests, $0.redisTimeoutMs) = (0, 1_000) }, byHand: [.tend])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.hear(counter(other, 9, 9), counter(other, 8, 8))
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        #expect(script.commits.map(\.journal) == [[post]])
        _ = script.take()
        script.pass(ms: Limits.mendedWaitMs)
        guard case .lane(_, .tend(let request))? = script.take().last else {
            Issue.record("the lane's row is not written")
            return
        }
        #expect(request.journal.contains(other))
    }

    @Test("A lane that rests empties its journal, and then writes nothing more")
    func aLaneThatRestsEmptiesItsJournalAndThenWritesNothing() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        _ = script.take()
        script.pass(ms: Limits.laneTendMs - 1)
        #expect(!script.take().contains { if case .lane(_, .tend) = $0 { true } else { false } })
        script.pass(ms: 1)
        let fence = LaneFence(lane: script.core.lane.row.lane, epoch: 1)
        #expect(script.take() == [.tend(4, TendRequest(fence: fence, repairs: [], mended: [], journal: []))])
        script.tend(4)
        #expect(script.core.lane.upkeep.tendAt == nil)
    }

    @Test("A row that is refused takes no other of its batch with it")
    func aRowThatIsRefusedTakesNoOtherOfItsBatchWithIt() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let clients = try (0..<8).map { _ in try script.open() }
        script.step { core, turn in
            for (user, client) in clients.enumerated() {
                core.received(.like(Pair(user: Int64(user), item: post)), on: client, &turn)
            }
        }
        var replies: [ConnectionID: Reply] = [:]
        var count: Int64 = 0
        for _ in 0..<100 where replies.count < 8 {
            for action in script.take() {
                switch action {
                case .reply(let client, let reply): replies[client] = reply
                case .lane(let call, .commit(let request)):
                    if request.rows.contains(where: { $0.pair.user == 5 }) {
                        script.fail(call, .rows("22003"))
                    } else {
                        count += Int64(request.rows.count)
                        script.commit(call, changed: request.rows.map { _ in true }, [counter(post, count, count)])
                    }
                default: continue
                }
            }
        }
        for (user, client) in clients.enumerated() {
            #expect(replies[client]?.code == (user == 5 ? .unavailable : nil))
        }
        #expect(count == 7)
    }

    @Test("Stopping leaves no journal behind")
    func stoppingLeavesNoJournalBehind() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        _ = script.take()
        script.step { core, turn in core.stop(&turn) }
        guard case .lane(let call, .tend(let request))? = script.take().last else {
            Issue.record("the journal was left")
            return
        }
        #expect(request.journal == [])
        script.tend(call)
        #expect(script.take() == [.stopped])
    }
}

extension Reply {
    /// The code of an error.
    fileprivate var code: ErrorCode? { if case .error(let error) = self { error.code } else { nil } }
}
