import LikesProtocol
import Testing

@testable import LikesCore

/// The lane: what becomes of a batch whose connection is lost, and what the lane's row holds.
@Suite struct LaneTests {
    private func lost(_ requests: Request..., byHand: Set<Scenario.Housekeeping> = []) throws -> (
        Scenario, ConnectionID
    ) {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: byHand)
        let client = try scenario.open()
        scenario.step { core, turn in
            for request in requests { core.received(request, on: client, &turn) }
        }
        scenario.admit(requests.map { _ in .admitted(recent: false) })
        scenario.lose(.lane)
        scenario.byHand.insert(.fence)
        _ = scenario.take()
        scenario.connect(.lane)
        return (scenario, client)
    }

    private func fence(of scenario: Scenario, _ rows: [BatchRow]) -> FenceRequest {
        FenceRequest(lane: scenario.core.lane.row.lane, former: nil, rows: rows)
    }

    private func rows(_ pairs: Pair...) -> [BatchRow] { pairs.map { BatchRow(pair: $0, wanted: true) } }

    @Test("A batch found committed is answered with what it changed, and a count read after it")
    func aBatchFoundCommittedIsAnsweredWithWhatItChanged() throws {
        var (scenario, client) = try lost(.like(ann), .like(bob))
        #expect(scenario.take() == [.fence(fence(of: scenario, rows(ann, bob)))])
        scenario.fence(LaneState(epoch: 2, batch: 1, changed: [true, false]))
        // These counts are for the replies; another read is for Redis.
        let counts = try scenario.call(.selectCounters([post, post]))
        _ = scenario.take()
        scenario.databaseHas(call: counts, [counter(post, 4, 9), counter(post, 4, 9)])
        #expect(
            scenario.replies(client) == [.change(changed: true, count: 4), .change(changed: false, count: 4)])
    }

    @Test("A batch found not committed is sent again, before what came later")
    func aBatchFoundNotCommittedIsSentAgainBeforeWhatCameLater() throws {
        var (scenario, client) = try lost(.like(ann))
        scenario.send(.like(bob), on: client)
        scenario.admit([.admitted(recent: false)])
        _ = scenario.take()
        scenario.fence(LaneState(epoch: 2, batch: 0, changed: []))
        #expect(scenario.take() == [.commit(rows(ann, bob))])
        #expect(scenario.commits.last?.fence.epoch == 2)
        #expect(scenario.commits.last?.batch == 2)
    }

    @Test("A batch of which PostgreSQL has no record is UNCERTAIN")
    func aBatchOfWhichPostgreSQLHasNoRecordIsUncertain() throws {
        var (scenario, client) = try lost(.like(ann))
        scenario.fence(nil)
        #expect(scenario.replies(client).map(\.code) == [.uncertain])
        #expect(scenario.core.writes.count == 0)
    }

    @Test("If the lane stays away, its batch is UNCERTAIN at the deadline, and what it did is found out later")
    func aBatchWhoseLaneStaysAwayIsUncertainAtTheDeadline() throws {
        var (scenario, client) = try lost(.like(ann))
        scenario.pass(ms: 4_999)
        #expect(scenario.replies(client) == [])
        scenario.pass(ms: 1)
        #expect(scenario.replies(client).map(\.code) == [.uncertain])
        scenario.lose(.lane)
        _ = scenario.take()
        scenario.connect(.lane)
        #expect(scenario.take() == [.fence(fence(of: scenario, rows(ann)))])
        scenario.fence(LaneState(epoch: 3, batch: 1, changed: [true]))
        #expect(scenario.core.repairs.contains(post, on: 0))
        #expect(scenario.core.writes.count == 0)
    }

    @Test("A commit whose wait for its standby was cancelled is answered once a fence has committed after it")
    func aCommitWhoseWaitForItsStandbyWasCancelledIsAnsweredAfterAFence() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.reader, .lane], byHand: [.fence])
        scenario.fence(nil)
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        let commit = try scenario.call(.commit(rows(ann)))
        scenario.step { core, turn in core.standbyWaitCancelled(&turn) }
        // The server's answer to the commit comes all the same.
        scenario.commit(call: commit, changed: [true], [counter(post, 1, 1)])
        #expect(!scenario.take().contains { if case .reply = $0 { true } else { false } })
        #expect(scenario.core.healthMessage(now: scenario.now).contains("waits for a synchronous standby"))
        scenario.connect(.lane)
        #expect(scenario.take() == [.fence(fence(of: scenario, rows(ann)))])
        let cancelled = try scenario.call(.fence(fence(of: scenario, rows(ann))))
        // The fence waits for the standby, too, and is cancelled.
        #expect(scenario.core.status(now: scenario.now) == "down")
        #expect(scenario.core.healthMessage(now: scenario.now).contains("waits for a synchronous standby"))
        scenario.step { core, turn in core.standbyWaitCancelled(&turn) }
        scenario.fence(call: cancelled, LaneState(epoch: 2, batch: 1, changed: [true]))
        scenario.connect(.lane)
        #expect(!scenario.take().contains { if case .reply = $0 { true } else { false } })
        scenario.fence(LaneState(epoch: 3, batch: 1, changed: [true]))
        scenario.databaseHas([counter(post, 1, 1)])
        #expect(scenario.replies(client) == [.change(changed: true, count: 1)])
        #expect(scenario.core.isDatabaseHealthy)
    }

    @Test("No batch is sent before the connection has fenced the lane")
    func noBatchLeavesBeforeTheLaneIsFenced() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.reader], byHand: [.fence])
        scenario.connect(.lane)
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        #expect(scenario.take() == [.fence(fence(of: scenario, []))])
        scenario.fence(nil)
        #expect(scenario.take() == [.commit(rows(ann))])
    }

    @Test("A lane that was taken for dead is opened again, and its batch sent again")
    func aLaneThatWasTakenForDeadIsOpenedAgainAndItsBatchSentAgain() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.reader, .lane])
        scenario.byHand.insert(.fence)
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.fenceOff()
        let text =
            "this host's lane was closed (the host was taken for dead) or removed (a restore, TRUNCATE lanes); "
            + "opening it again"
        #expect(scenario.actions.contains(.log(.notice, text)))
        scenario.connect(.lane)
        _ = scenario.take()
        scenario.fence(LaneState(epoch: 3, batch: 0, changed: []))
        #expect(scenario.take() == [.commit(rows(ann))])
        #expect(scenario.commits.last?.fence.epoch == 3)
    }

    @Test("The journal holds what the batch changes and what is on its way to Redis")
    func theJournalHoldsTheBatchAndWhatIsOnItsWayToRedis() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.send(.like(Pair(user: 1, item: other)), on: client)
        scenario.admit([.admitted(recent: false)])
        #expect(scenario.commits.map(\.journal) == [[post], [other, post]])
    }

    @Test("What goes missing while a batch is on the wire is soon in the lane's row")
    func whatComesToBeMissingWhileABatchIsOnTheWireIsSoonInTheLanesRow() throws {
        var scenario = Scenario({ ($0.rateLimitRequests, $0.redisTimeoutMs) = (0, 1_000) }, byHand: [.tend])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.hear(counter(other, 9, 9), counter(other, 8, 8))
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        #expect(scenario.commits.map(\.journal) == [[post]])
        _ = scenario.take()
        scenario.pass(ms: Limits.mendedWaitMs)
        guard case .lane(_, .tend(let request))? = scenario.take().last else {
            Issue.record("the lane's row is not written")
            return
        }
        #expect(request.journal.contains(other))
    }

    /// A like was committed and written through. The lane's tends are answered by hand.
    private static func restingWithJournal() throws -> Scenario {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        _ = scenario.take()
        return scenario
    }

    @Test("A lane that rests empties its journal, and then writes nothing more")
    func aLaneThatRestsEmptiesItsJournalAndThenWritesNothing() throws {
        var scenario = try Self.restingWithJournal()
        scenario.pass(ms: Limits.laneTendMs - 1)
        #expect(!scenario.take().contains { if case .lane(_, .tend) = $0 { true } else { false } })
        scenario.pass(ms: 1)
        let fence = LaneFence(lane: scenario.core.lane.row.lane, epoch: 1)
        #expect(scenario.take() == [.tend(TendRequest(fence: fence, repairs: [], mended: [], journal: []))])
        scenario.tend()
        #expect(scenario.core.lane.upkeep.tendAt == nil)
    }

    @Test("If PostgreSQL refuses one row, the others of its batch are still committed")
    func aRowThatIsRefusedTakesNoOtherOfItsBatchWithIt() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let clients = try (0..<8).map { _ in try scenario.open() }
        scenario.step { core, turn in
            for (user, client) in clients.enumerated() {
                core.received(.like(Pair(user: Int64(user), item: post)), on: client, &turn)
            }
        }
        var replies: [ConnectionID: Reply] = [:]
        var count: Int64 = 0
        for _ in 0..<100 where replies.count < 8 {
            for action in scenario.takeWithCalls() {
                switch action {
                case .reply(let client, let reply): replies[client] = reply
                case .lane(let call, .commit(let request)):
                    if request.rows.contains(where: { $0.pair.user == 5 }) {
                        scenario.fail(call: call, .rows("22003"))
                    } else {
                        count += Int64(request.rows.count)
                        scenario.commit(
                            call: call, changed: request.rows.map { _ in true }, [counter(post, count, count)])
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
        var scenario = try Self.restingWithJournal()
        scenario.step { core, turn in core.stop(&turn) }
        guard case .lane(_, .tend(let request))? = scenario.take().last else {
            Issue.record("the journal was left")
            return
        }
        #expect(request.journal == [])
        scenario.tend()
        #expect(scenario.take() == [.stopped])
    }
}

extension Reply {
    /// The code of an error.
    fileprivate var code: ErrorCode? { if case .error(let error) = self { error.code } else { nil } }
}
