import LikesProtocol
import Testing

@testable import LikesCore

/// Whatever a server says, it ends no more than its connection.
@Suite struct MisfitTests {
    private func disconnects(_ script: inout Script) -> [Backend] {
        script.take().compactMap { if case .disconnect(let backend) = $0 { backend } else { nil } }
    }

    private func code(_ reply: Reply?) -> ErrorCode? { if case .error(let error)? = reply { error.code } else { nil } }

    @Test("A batch whose answer is of another size is found out on the next connection")
    func aBatchWhoseAnswerIsOfAnotherSizeIsFoundOutOnTheNextConnection() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.fence])
        script.fence(1, nil)
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(2, changed: [true, false], [counter(post, 1, 1)])
        #expect(disconnects(&script) == [.lane])
        #expect(script.core.healthMessage(now: script.now).contains("likesctl verify"))
        script.connect(.lane)
        script.fence(3, LaneState(epoch: 2, batch: 1, changed: [true]))
        script.databaseHas(4, [counter(post, 1, 1)])
        #expect(script.replies(client) == [.change(changed: true, count: 1)])
    }

    @Test("A batch that changed something and came without its counter is stored, and its count is read")
    func aBatchThatCameWithoutItsCounterIsStoredAndTheCountIsRead() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), .like(Pair(user: 1, item: other)), on: client)
        script.commit(1, changed: [true, true], [counter(other, 4, 4)])
        let actions = script.take()
        #expect(actions.contains(.disconnect(.lane)))
        guard case .reader(let call, .selectCounters([post]))? = actions.last else {
            Issue.record("the count is not read: \(actions)")
            return
        }
        script.databaseHas(call, [counter(post, 9, 9)])
        #expect(
            script.replies(client) == [.change(changed: true, count: 9), .change(changed: true, count: 4)])
        #expect(script.core.writes.count == 0)
        #expect(script.core.repairs.contains(post))
    }

    @Test(
        "A count that has no room for what it was before is read after the batch",
        arguments: [Int64.max, .max - 1, .min, .min + 1])
    func aCountThatHasNoRoomForWhatItWasBeforeIsReadAfterTheBatch(count: Int64) throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), .unlike(bob), on: client)
        script.commit(1, changed: [true, true], [counter(post, count, .max)])
        #expect(disconnects(&script) == [])
        script.databaseHas(2, [counter(post, count, .max), counter(post, count, .max)])
        #expect(
            script.replies(client) == [.change(changed: true, count: count), .change(changed: true, count: count)])
    }

    @Test("A batch's number that the lane never sent proves nothing")
    func aBatchsNumberThatTheLaneNeverSentProvesNothing() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.fence])
        script.fence(1, nil)
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.lose(.lane)
        script.connect(.lane)
        script.fence(3, LaneState(epoch: .max, batch: .max, changed: [true]))
        #expect(code(script.replies(client).first) == .uncertain)
    }

    @Test("Counts of another number than was asked for are told nobody, and the reader is given up")
    func anotherNumberOfCountsThanAskedForIsToldNobody() throws {
        var script = Script(up: [.lane, .reader])
        let client = try script.open()
        script.send(.count(post), on: client)
        _ = script.take()
        script.databaseHas(1, [])
        let actions = script.take()
        #expect(actions.contains(.disconnect(.reader)))
        guard case .reply(client, let reply)? = actions.first else {
            Issue.record("no reply")
            return
        }
        #expect(code(reply) == .unavailable)
        script.connect(.reader)
        script.send(.count(post), on: client)
        script.databaseHas(2, [counter(post, 3, 3)])
        #expect(script.replies(client) == [.integer(3)])
    }

    @Test("Pairs of another number than was asked for leave no change behind")
    func anotherNumberOfPairsThanAskedForLeavesNoChangeBehind() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: true)])
        script.pairs(2, [])
        #expect(code(script.replies(client).first) == .unavailable)
        #expect(script.core.writes.count == 0)
        #expect(script.core.writes.confirmations.count == 0)
    }

    @Test("Verdicts of another number than was asked for: Redis is given up, and the process counts")
    func atAnotherNumberOfVerdictsRedisIsGivenUpAndTheProcessCounts() throws {
        var script = Script { $0.rateLimitRequests = 1 }
        let client = try script.open()
        script.send(.like(ann), .unlike(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        let actions = script.take()
        #expect(actions.contains(.disconnect(.redis)))
        #expect(actions.last == .commit(2, [BatchRow(pair: ann, wanted: true)]))
    }

    @Test("Counters of another number than Redis was asked for are read from PostgreSQL")
    func atAnotherNumberOfRedisCountersPostgreSQLIsRead() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 1, 1), nil])
        let actions = script.take()
        #expect(actions.contains(.disconnect(.redis)))
        #expect(actions.last == .selectCounters(2, [post]))
    }

    @Test("An answer that the edge could not read is none")
    func anAnswerThatTheEdgeCouldNotReadIsNone() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), .count(other), on: client)
        script.misfit(1)
        script.misfit(2)
        #expect(script.take().contains(.disconnect(.lane)))
        script.connect(.lane)
        // The script's fence finds nothing committed, so the batch goes again.
        #expect(script.take().contains(.commit(3, [BatchRow(pair: ann, wanted: true)])))
    }

    @Test("Each connection that ended for what a server said is counted, and said once")
    func eachConnectionThatEndedForWhatAServerSaidIsCountedAndSaidOnce() {
        var script = Script()
        func count(_ name: String) -> String? {
            script.core.infoText(section: "backends", now: script.now).split(separator: "\r\n")
                .first { $0.hasPrefix("\(name)_unexpected_answers:") }?.split(separator: ":").last.map(String.init)
        }
        _ = script.take()
        for backend in [Backend.redis, .subscriber, .lane, .reader, .lane] {
            script.step { core, turn in core.lost(backend, .unexpected("nonsense"), &turn) }
            script.connect(backend)
        }
        script.lose(.redis)
        let said = script.actions.filter {
            if case .log(.warning, let text) = $0 { text.contains("nonsense") } else { false }
        }
        #expect(said.count == 4)
        #expect(count("redis") == "2")
        #expect(count("database") == "3")
        let metrics = script.core.metricsText(now: script.now)
        #expect(metrics.contains("\nlikesd_redis_unexpected_answers_total 2\n"))
        #expect(metrics.contains("\nlikesd_database_unexpected_answers_total 3\n"))
    }
}
