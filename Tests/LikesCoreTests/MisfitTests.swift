import LikesProtocol
import Testing

@testable import LikesCore

/// Whatever a server says, it can end no more than its own connection.
@Suite struct MisfitTests {
    private func disconnects(_ scenario: inout Scenario) -> [Backend] {
        scenario.take().compactMap { if case .disconnect(let backend) = $0 { backend } else { nil } }
    }

    private func code(_ reply: Reply?) -> ErrorCode? { if case .error(let error)? = reply { error.code } else { nil } }

    @Test("If the answer to a batch has the wrong size, what the batch did is found out on the next connection")
    func aBatchWhoseAnswerIsOfAnotherSizeIsFoundOutOnTheNextConnection() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.fence])
        scenario.fence(nil)
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.commit(changed: [true, false], [counter(post, 1, 1)])
        #expect(disconnects(&scenario) == [.lane])
        #expect(scenario.core.healthMessage(now: scenario.now).contains("likesctl verify"))
        scenario.connect(.lane)
        scenario.fence(LaneState(epoch: 2, batch: 1, changed: [true]))
        scenario.databaseHas([counter(post, 1, 1)])
        #expect(scenario.replies(client) == [.change(changed: true, count: 1)])
    }

    @Test("A batch that changed something and came without its counter is stored, and its count is read")
    func aBatchThatCameWithoutItsCounterIsStoredAndTheCountIsRead() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), .like(Pair(user: 1, item: other)), on: client)
        scenario.commit(changed: [true, true], [counter(other, 4, 4)])
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.lane)))
        #expect(actions.last == .selectCounters([post]))
        scenario.databaseHas([counter(post, 9, 9)])
        #expect(
            scenario.replies(client) == [.change(changed: true, count: 9), .change(changed: true, count: 4)])
        #expect(scenario.core.writes.count == 0)
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test(
        "A count from which the earlier counts of its batch cannot be worked out is read after the batch",
        arguments: [Int64.max, .max - 1, .min, .min + 1])
    func aCountThatHasNoRoomForWhatItWasBeforeIsReadAfterTheBatch(count: Int64) throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), .unlike(bob), on: client)
        scenario.commit(changed: [true, true], [counter(post, count, .max)])
        #expect(disconnects(&scenario) == [])
        scenario.databaseHas([counter(post, count, .max), counter(post, count, .max)])
        #expect(
            scenario.replies(client) == [.change(changed: true, count: count), .change(changed: true, count: count)])
    }

    @Test("A batch number that the lane never sent proves nothing")
    func aBatchsNumberThatTheLaneNeverSentProvesNothing() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.fence])
        scenario.fence(nil)
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.lose(.lane)
        scenario.connect(.lane)
        scenario.fence(LaneState(epoch: .max, batch: .max, changed: [true]))
        #expect(code(scenario.replies(client).first) == .uncertain)
    }

    @Test("If PostgreSQL answers with the wrong number of counts, nobody is told them, and the reader is given up")
    func anotherNumberOfCountsThanAskedForIsToldNobody() throws {
        var scenario = Scenario(up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        _ = scenario.take()
        scenario.databaseHas([])
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.reader)))
        guard case .reply(client, let reply)? = actions.first else {
            Issue.record("no reply")
            return
        }
        #expect(code(reply) == .unavailable)
        scenario.connect(.reader)
        scenario.send(.count(post), on: client)
        scenario.databaseHas([counter(post, 3, 3)])
        #expect(scenario.replies(client) == [.integer(3)])
    }

    @Test("If PostgreSQL answers with the wrong number of pairs, no change is left behind")
    func anotherNumberOfPairsThanAskedForLeavesNoChangeBehind() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: true)])
        scenario.pairs([])
        #expect(code(scenario.replies(client).first) == .unavailable)
        #expect(scenario.core.writes.count == 0)
        #expect(scenario.core.writes.confirmations.count == 0)
    }

    @Test("If Redis answers with the wrong number of verdicts, it is given up, and the process counts")
    func atAnotherNumberOfVerdictsRedisIsGivenUpAndTheProcessCounts() throws {
        var scenario = Scenario { $0.rateLimitRequests = 1 }
        let client = try scenario.open()
        scenario.send(.like(ann), .unlike(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.redis)))
        #expect(actions.last == .commit([BatchRow(pair: ann, wanted: true)]))
    }

    @Test("If Redis answers with the wrong number of counters, they are read from PostgreSQL")
    func atAnotherNumberOfRedisCountersPostgreSQLIsRead() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 1, 1), nil])
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.redis)))
        #expect(actions.last == .selectCounters([post]))
    }

    @Test("An answer that the edge could not read counts as none")
    func anAnswerThatTheEdgeCouldNotReadIsNone() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), .count(other), on: client)
        scenario.misfit()
        scenario.misfit(of: .reader)
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.lane)) && actions.contains(.disconnect(.reader)))
        scenario.connect(.lane)
        // The scenario's fence finds nothing committed, so the batch goes again.
        #expect(scenario.take().contains(.commit([BatchRow(pair: ann, wanted: true)])))
    }

    @Test("Each connection that ended because of what a server said is counted, and logged once")
    func eachConnectionThatEndedForWhatAServerSaidIsCountedAndSaidOnce() {
        var scenario = Scenario { $0.databaseReplicaURLs = ["postgresql:///likes"] }
        let backends = scenario.core.settings.backends
        func count(_ name: String) -> String? {
            scenario.core.infoText(section: "backends", now: scenario.now).split(separator: "\r\n")
                .first { $0.hasPrefix("\(name)_unexpected_answers:") }?.split(separator: ":").last.map(String.init)
        }
        _ = scenario.take()
        for backend in backends + [.lane] {
            scenario.lose(backend, .unexpected("nonsense"))
            scenario.connect(backend)
        }
        scenario.lose(.redis)
        let said = scenario.actions.filter {
            if case .log(.warning, let text) = $0 { text.contains("nonsense") } else { false }
        }
        #expect(said.count == backends.count)
        #expect(count("redis") == "2")
        #expect(count("database") == "4")
        let metrics = scenario.core.metricsText(now: scenario.now)
        #expect(metrics.contains("\nlikesd_redis_unexpected_answers_total 2\n"))
        #expect(metrics.contains("\nlikesd_database_unexpected_answers_total 4\n"))
    }
}
