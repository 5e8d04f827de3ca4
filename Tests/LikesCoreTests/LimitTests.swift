import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct LimitTests {
    /// Sends `request(n)` from as many connections as it takes, until `waiting` of them wait.
    private func fill(_ scenario: inout Scenario, waiting: Int, _ request: (Int64) -> Request) throws {
        var client = try scenario.open()
        for n in 0..<waiting {
            if !scenario.core.accepts(client) { client = try scenario.open() }
            scenario.step { core, turn in
                core.received(request(Int64(n)), on: client, &turn)
            }
        }
    }

    private func code(_ reply: Reply?) -> ErrorCode? {
        if case .error(let error)? = reply { error.code } else { nil }
    }

    @Test("With too many changes waiting the next is BUSY, and reads go on")
    func withTooManyChangesWaitingTheNextIsBusyAndReadsGoOn() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.reader])
        try fill(&scenario, waiting: Limits.standard.changesWaitingMax) { .like(Pair(user: $0, item: post)) }
        let client = try scenario.open()
        _ = scenario.take()
        scenario.send(.like(ann), on: client)
        #expect(code(scenario.replies(client).first) == .busy)
        scenario.send(.count(other), on: client)
        #expect(scenario.take().contains { if case .reader(_, .selectCounters([other])) = $0 { true } else { false } })
        scenario.pass(ms: 5_000)
        #expect(scenario.core.writes.count == 0)
    }

    @Test("No more changes are accepted than a slow PostgreSQL takes in half of a request's time")
    func noMoreChangesAreAcceptedThanASlowPostgreSQLTakesInTime() {
        var rate = LaneRate()
        #expect(rate.waitingMax(requestTimeoutMs: 5_000) == Limits.standard.changesWaitingMax)
        rate.note(changes: Limits.standard.batchChangesMax, microseconds: 204_800)
        #expect(rate.waitingMax(requestTimeoutMs: 5_000) == 25_000)
        rate.note(changes: Limits.standard.batchChangesMax, microseconds: 60_000_000)
        #expect((20_000...25_000).contains(rate.waitingMax(requestTimeoutMs: 5_000)))
        for _ in 0..<100 { rate.note(changes: Limits.standard.batchChangesMax, microseconds: 60_000_000) }
        #expect(rate.waitingMax(requestTimeoutMs: 5_000) == Limits.standard.changesWaitingMin)
        rate.note(changes: Limits.standard.batchChangesMax - 1, microseconds: 60_000_000)
        #expect(rate.waitingMax(requestTimeoutMs: 5_000) == Limits.standard.changesWaitingMax)
    }

    @Test("With too many reads waiting the next is BUSY, and changes go on")
    func withTooManyReadsWaitingTheNextIsBusyAndChangesGoOn() throws {
        var scenario = Scenario(up: [.lane])
        try fill(&scenario, waiting: Limits.standard.readsWaitingMax / 512) { n in
            .mcount((0..<512).map { Item(type: 0, id: n * 512 + $0) })
        }
        let client = try scenario.open()
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        #expect(code(scenario.replies(client).first) == .busy)
        scenario.send(.like(ann), on: client)
        #expect(scenario.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
    }

    @Test("A batch holds no more than its limit; the rest follows in the next")
    func aBatchHoldsNoMoreThanItsLimit() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [])
        try fill(&scenario, waiting: Limits.standard.batchChangesMax + 10) { .like(Pair(user: $0, item: post)) }
        _ = scenario.take()
        scenario.connect(.lane)
        let commits = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        let rows = try #require(commits.first)
        #expect(commits.count == 1)
        #expect(rows.count == Limits.standard.batchChangesMax)
        scenario.commit(changed: rows.map { _ in true }, [counter(post, Int64(rows.count), 1)])
        let next = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows.count } else { nil }
        }
        #expect(next == [10])
    }

    @Test("A batch that is rolled back again and again ends as UNAVAILABLE")
    func aBatchThatIsRolledBackAgainAndAgainEndsAsUnavailable() throws {
        var scenario = Scenario(up: [.lane])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        for _ in 0...Limits.batchRetriesMax {
            #expect(scenario.take() == [.commit([BatchRow(pair: ann, wanted: true)])])
            scenario.fail(.retryable("40P01"))
        }
        #expect(code(scenario.replies(client).first) == .unavailable)
    }

    @Test("With too many write-throughs on the way the lane waits for Redis")
    func withTooManyWriteThroughsOnTheWayTheLaneWaitsForRedis() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        let client = try scenario.open()
        for n in 0...Limits.standard.writeThroughsInFlightMax {
            scenario.send(.like(Pair(user: Int64(n), item: post)), on: client)
            scenario.admit([.admitted(recent: false)])
            let commits = scenario.take().count { if case .lane(_, .commit) = $0 { true } else { false } }
            #expect(commits == (n < Limits.standard.writeThroughsInFlightMax ? 1 : 0))
            if commits == 1 { scenario.commit(changed: [true], [counter(post, Int64(n), Int64(n))]) }
        }
    }

    @Test("A backend that accepts connections but refuses every call is connected to less and less often")
    func aConnectionThatRefusesWhatItIsAskedIsMadeLessAndLessOften() {
        for (backend, byHand) in [(Backend.redis, Scenario.Housekeeping.identify), (.lane, .fence)] {
            var scenario = Scenario(up: [], byHand: [byHand])
            var attempts = 0
            for _ in 0..<200 {
                if scenario.take().contains(.connect(backend)) || attempts == 0 {
                    attempts += 1
                    scenario.connect(backend)
                }
                for action in scenario.takeWithCalls() {
                    if case .redis(_, let call, .identify(_)) = action { scenario.redisFails(call: call) }
                    if case .lane(let call, .fence(_)) = action { scenario.fail(call: call, .other("53100")) }
                }
                scenario.pass(ms: 50)
            }
            // 10 s: a quick start, then one or two a second.
            #expect((5...25).contains(attempts), "\(backend)")
        }
    }

    @Test("Deadlines of what was answered do not pile up behind one that waits")
    func deadlinesOfWhatWasAnsweredDoNotPileUp() throws {
        var scenario = Scenario { $0.localCacheEntries = 0 }
        let (client, slow) = (try scenario.open(), try scenario.open())
        scenario.send(.liked(ann), on: slow)
        for _ in 0..<70_000 {
            scenario.send(.count(post), on: client)
            scenario.redisHas([counter(post, 3, 3)])
        }
        #expect(scenario.core.clients.deadlinesCount < 66_000)
    }

    @Test("Stopping ends at its limit, whatever is under way")
    func stoppingEndsAtItsLimit() throws {
        var scenario = Scenario { $0.requestTimeoutMs = 100_000 }
        let client = try scenario.open()
        scenario.send(.liked(ann), on: client)
        scenario.step { core, turn in core.stop(&turn) }
        scenario.pass(ms: Limits.drainMsMax - 1)
        #expect(!scenario.take().contains(.stopped))
        scenario.pass(ms: 1)
        #expect(scenario.take().contains(.stopped))
    }

    @Test("Nobody waits for changes that have to stand back")
    func changesThatHaveToStandBackHoldNobodyElseUp() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane])
        let clients = try (0..<3).map { _ in try scenario.open() }
        for client in clients { scenario.send(.unlike(ann), on: client) }
        scenario.commit(changed: [false], [])
        scenario.commit(changed: [false], [])
        _ = scenario.take()
        // Their counts wait for the reader, and these for their counts.
        for client in clients {
            for user in 0..<1_000 { scenario.send(.like(Pair(user: Int64(user), item: post)), on: client) }
        }
        let victim = try scenario.open()
        scenario.send(.like(Pair(user: 1, item: other)), on: victim)
        let commits = scenario.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits.joined().contains(BatchRow(pair: Pair(user: 1, item: other), wanted: true)))
    }

    @Test("What an answer sets free is sent in the same turn")
    func whatAnAnswerSetsFreeIsSentInTheSameTurn() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 1 }, up: [.lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        _ = scenario.take()
        scenario.send(.like(Pair(user: 1, item: other)), .count(other), on: client)
        #expect(scenario.take().last == .selectCounters([other]))
    }

    @Test("However long REDIS_TIMEOUT_MS is, a hung Redis leaves a request half its time")
    func aHungRedisLeavesARequestHalfItsTime() throws {
        var scenario = Scenario { $0.redisTimeoutMs = 60_000 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        _ = scenario.take()
        scenario.pass(ms: 2_500)
        #expect(scenario.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
    }

    @Test("Fetches that nobody waits for any more are forgotten")
    func fetchesThatNobodyWaitsForAreForgotten() throws {
        var scenario = Scenario(up: [.lane])
        for round in 0..<50 {
            let client = try scenario.open()
            scenario.send(.mcount((0..<200).map { Item(type: 0, id: Int64(round * 200 + $0)) }), on: client)
            scenario.step { core, turn in core.closed(client, &turn) }
        }
        #expect(scenario.core.reads.fetchesCount == 0)
        scenario = Scenario(up: [])
        let living = try scenario.open()
        scenario.send(.liked(ann), on: living)
        for _ in 0..<50 {
            let client = try scenario.open()
            let items = (0..<200).map { Item(type: 0, id: $0) }
            scenario.send(.mliked(user: 1, items: items), on: client)
            scenario.step { core, turn in core.closed(client, &turn) }
        }
        #expect(scenario.core.reads.primaryCount < 2_000)
        scenario = Scenario(up: [.redis])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.step { core, turn in core.closed(client, &turn) }
        scenario.redisHas([nil])
        #expect(scenario.core.reads.fetchesCount == 0)
    }

    @Test("When many wait for one item, all are answered at their deadline, and the fetch is forgotten")
    func ofManyThatWaitForOneItemAllAreAnsweredAtTheirDeadline() throws {
        var scenario = Scenario(up: [])
        let clients = try (0..<4).map { _ in try scenario.open() }
        for client in clients { for _ in 0..<500 { scenario.send(.count(post), on: client) } }
        scenario.pass(ms: 5_000)
        #expect(scenario.take().count { if case .reply = $0 { true } else { false } } == 2_000)
        #expect(scenario.core.reads.fetchesCount == 0)
    }

    @Test("A connection with too much under way is not read until half of it is answered")
    func aConnectionWithTooMuchUnderWayIsNotReadUntilHalfIsAnswered() throws {
        var scenario = Scenario(up: [])
        let client = try scenario.open()
        for _ in 0..<Limits.standard.requestsInFlightMax {
            #expect(scenario.core.accepts(client))
            scenario.send(.count(post), on: client)
        }
        #expect(!scenario.core.accepts(client))
        scenario.pass(ms: 5_000)
        #expect(scenario.take().contains(.resume(client)))
        #expect(scenario.core.accepts(client))
    }

    @Test("Replies that wait for their turn count as under way")
    func repliesThatWaitForTheirTurnCountAsUnderWay() throws {
        var scenario = Scenario(up: [])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        for _ in 1..<Limits.standard.requestsInFlightMax { scenario.send(.ping(nil), on: client) }
        #expect(!scenario.core.accepts(client))
        scenario.pass(ms: 5_000)
        #expect(scenario.replies(client).count == Limits.standard.requestsInFlightMax)
        #expect(scenario.core.accepts(client))
    }

    @Test("While a backend stays away, no table grows")
    func aBackendThatStaysAwayLetsNoTableGrow() throws {
        var scenario = Scenario { $0.rateLimitRequests = 0 }
        scenario.lose(.redis)
        scenario.lose(.lane)
        scenario.lose(.reader)
        let client = try scenario.open()
        for round in 0..<40 {
            for id in 0..<200 {
                scenario.send(
                    .count(Item(type: 0, id: Int64(round * 1_000 + id))), .like(Pair(user: 1, item: post)),
                    .liked(Pair(user: 3, item: post)), on: client)
            }
            scenario.pass(ms: 5_000)
        }
        #expect(scenario.core.reads.fetchesCount == 0)
        #expect(scenario.core.writes.count == 0)
        #expect(scenario.core.reads.primaryCount == 0)
        #expect(scenario.core.clients.deadlinesCount == 0)
        #expect(scenario.core.clients.followers.isEmpty)
        #expect(scenario.core.clients.sessions.waitingCount == 0)
    }

    @Test("When a client leaves, all that followed its reads goes too")
    func aClientThatLeavesTakesAlongAllThatFollowedItsReads() throws {
        var scenario = Scenario(up: [.reader])
        let client = try scenario.open()
        scenario.send(.liked(ann), .like(ann), .unlike(ann), .count(post), on: client)
        scenario.step { core, turn in core.closed(client, &turn) }
        #expect(scenario.core.writes.count == 0)
        #expect(scenario.core.clients.followers.isEmpty)
    }

    @Test("A full table of connections refuses the next")
    func aFullTableOfConnectionsRefusesTheNext() throws {
        var scenario = Scenario { $0.connectionsMax = 1 }
        let client = try scenario.open()
        #expect(scenario.core.opened(now: scenario.now) == nil)
        scenario.step { core, turn in core.closed(client, &turn) }
        #expect(scenario.core.opened(now: scenario.now) != nil)
    }

    @Test("While stopping, the core accepts nothing more, answers what was accepted, then stops")
    func stoppingTakesNothingMoreAnswersWhatWasAcceptedThenStops() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.step { core, turn in core.stop(&turn) }
        #expect(!scenario.core.accepts(client))
        #expect(!scenario.take().contains(.stopped))
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        #expect(scenario.take().suffix(2) == [.reply(client, .change(changed: true, count: 1)), .stopped])
    }

    @Test("A client that leaves with a LIKE under way gets no reply, and its place is free after the commit")
    func aClientThatLeavesWithALikeUnderWayGetsNoReply() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.step { core, turn in core.closed(client, &turn) }
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        #expect(scenario.replies(client) == [])
        #expect(scenario.core.writes.count == 0)
    }
}
