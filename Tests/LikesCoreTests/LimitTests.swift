import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct LimitTests {
    /// Sends `request(n)` from as many connections as it takes, until `waiting` of them wait.
    private func fill(_ script: inout Script, waiting: Int, _ request: (Int64) -> Request) throws {
        var client = try script.open()
        for n in 0..<waiting {
            if !script.core.accepts(client) { client = try script.open() }
            script.step { core, turn in
                core.received(request(Int64(n)), on: client, &turn)
            }
        }
    }

    private func code(_ reply: Reply?) -> ErrorCode? {
        if case .error(let error)? = reply { error.code } else { nil }
    }

    @Test("With too many changes waiting the next is BUSY, and reads go on")
    func withTooManyChangesWaitingTheNextIsBusyAndReadsGoOn() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.reader])
        try fill(&script, waiting: Limits.standard.changesWaitingMax) { .like(Pair(user: $0, item: post)) }
        let client = try script.open()
        _ = script.take()
        script.send(.like(ann), on: client)
        #expect(code(script.replies(client).first) == .busy)
        script.send(.count(other), on: client)
        #expect(script.take().contains { if case .reader(_, .selectCounters([other])) = $0 { true } else { false } })
        script.pass(ms: 5_000)
        #expect(script.core.writes.count == 0)
    }

    @Test("No more changes are accepted than a slow PostgreSQL takes in half of a request's time")
    func noMoreChangesAreAcceptedThanASlowPostgreSQLTakesInTime() throws {
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
        var script = Script(up: [.lane])
        try fill(&script, waiting: Limits.standard.readsWaitingMax / 512) { n in
            .counts((0..<512).map { Item(type: 0, id: n * 512 + $0) })
        }
        let client = try script.open()
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(code(script.replies(client).first) == .busy)
        script.send(.like(ann), on: client)
        #expect(script.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
    }

    @Test("A batch holds no more than its limit; the rest follows in the next")
    func aBatchHoldsNoMoreThanItsLimit() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [])
        try fill(&script, waiting: Limits.standard.batchChangesMax + 10) { .like(Pair(user: $0, item: post)) }
        _ = script.take()
        script.connect(.lane)
        let commits = script.take().compactMap {
            if case .lane(let call, .commit(let request)) = $0 { (call, request.rows) } else { nil }
        }
        let (call, rows) = try #require(commits.first)
        #expect(commits.count == 1)
        #expect(rows.count == Limits.standard.batchChangesMax)
        script.commit(call, changed: rows.map { _ in true }, [counter(post, Int64(rows.count), 1)])
        let next = script.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows.count } else { nil }
        }
        #expect(next == [10])
    }

    @Test("A batch that is rolled back again and again ends as UNAVAILABLE")
    func aBatchThatIsRolledBackAgainAndAgainEndsAsUnavailable() throws {
        var script = Script(up: [.lane])
        let client = try script.open()
        script.send(.like(ann), on: client)
        for call in 1...CallID(Limits.batchRetriesMax + 1) {
            #expect(script.take() == [.commit(call, [BatchRow(pair: ann, wanted: true)])])
            script.fail(call, .retryable("40P01"))
        }
        #expect(code(script.replies(client).first) == .unavailable)
    }

    @Test("With too many write-throughs on the way the lane waits for Redis")
    func withTooManyWriteThroughsOnTheWayTheLaneWaitsForRedis() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        let client = try script.open()
        for n in 0...Limits.standard.writeThroughsInFlightMax {
            script.send(.like(Pair(user: Int64(n), item: post)), on: client)
            for action in script.take() {
                if case .redis(let call, .admit(_)) = action { script.admit(call, [.admitted(recent: false)]) }
            }
            let commits = script.take().compactMap { if case .lane(let call, .commit(_)) = $0 { call } else { nil } }
            #expect(commits.count == (n < Limits.standard.writeThroughsInFlightMax ? 1 : 0))
            for call in commits { script.commit(call, changed: [true], [counter(post, Int64(n), Int64(n))]) }
        }
    }

    @Test("A connection that is made but refuses what it is asked is made less and less often")
    func aConnectionThatRefusesWhatItIsAskedIsMadeLessAndLessOften() {
        for (backend, byHand) in [(Backend.redis, Script.Housekeeping.identify), (.lane, .fence)] {
            var script = Script(up: [], byHand: [byHand])
            var attempts = 0
            for _ in 0..<200 {
                if script.take().contains(.connect(backend)) || attempts == 0 {
                    attempts += 1
                    script.connect(backend)
                }
                for action in script.take() {
                    if case .redis(let call, .identify(_)) = action { script.redisFails(call) }
                    if case .lane(let call, .fence(_)) = action { script.fail(call, .other("53100")) }
                }
                script.pass(ms: 50)
            }
            // 10 s: a quick start, then one or two a second.
            #expect((5...25).contains(attempts), "\(backend)")
        }
    }

    @Test("Deadlines of what was answered do not pile up behind one that waits")
    func deadlinesOfWhatWasAnsweredDoNotPileUp() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let (client, slow) = (try script.open(), try script.open())
        script.send(.liked(ann), on: slow)
        for round in 0..<70_000 as Range<CallID> {
            script.send(.count(post), on: client)
            script.redisHas(round + 2, [counter(post, 3, 3)])
        }
        #expect(script.core.clients.deadlinesCount < 66_000)
    }

    @Test("Stopping ends at its limit, whatever is under way")
    func stoppingEndsAtItsLimit() throws {
        var script = Script { $0.requestTimeoutMs = 100_000 }
        let client = try script.open()
        script.send(.liked(ann), on: client)
        script.step { core, turn in core.stop(&turn) }
        script.pass(ms: Limits.drainMsMax - 1)
        #expect(!script.take().contains(.stopped))
        script.pass(ms: 1)
        #expect(script.take().contains(.stopped))
    }

    @Test("Changes that have to stand back hold nobody else up")
    func changesThatHaveToStandBackHoldNobodyElseUp() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane])
        let clients = try (0..<3).map { _ in try script.open() }
        for client in clients { script.send(.unlike(ann), on: client) }
        script.commit(1, changed: [false], [])
        script.commit(2, changed: [false], [])
        _ = script.take()
        // Their counts wait for the reader, and these for their counts.
        for client in clients {
            for user in 0..<1_000 { script.send(.like(Pair(user: Int64(user), item: post)), on: client) }
        }
        let victim = try script.open()
        script.send(.like(Pair(user: 1, item: other)), on: victim)
        let commits = script.take().compactMap {
            if case .lane(_, .commit(let request)) = $0 { request.rows } else { nil }
        }
        #expect(commits.joined().contains(BatchRow(pair: Pair(user: 1, item: other), wanted: true)))
    }

    @Test("What an answer sets free is sent in the same turn")
    func whatAnAnswerSetsFreeIsSentInTheSameTurn() throws {
        var script = Script({ $0.rateLimitRequests = 1 }, up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(1, changed: [true], [counter(post, 1, 1)])
        _ = script.take()
        script.send(.like(Pair(user: 1, item: other)), .count(other), on: client)
        #expect(script.take().last == .selectCounters(2, [other]))
    }

    @Test("However long REDIS_TIMEOUT_MS is, a hung Redis leaves a request half its time")
    func aHungRedisLeavesARequestHalfItsTime() throws {
        var script = Script { $0.redisTimeoutMs = 60_000 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        _ = script.take()
        script.pass(ms: 2_500)
        #expect(script.take().contains { if case .lane(_, .commit) = $0 { true } else { false } })
    }

    @Test("Fetches that nobody waits for any more are forgotten")
    func fetchesThatNobodyWaitsForAreForgotten() throws {
        var script = Script(up: [.lane])
        for round in 0..<50 {
            let client = try script.open()
            script.send(.counts((0..<200).map { Item(type: 0, id: Int64(round * 200 + $0)) }), on: client)
            script.step { core, turn in core.closed(client, &turn) }
        }
        #expect(script.core.reads.fetchesCount == 0)
        script = Script(up: [])
        let living = try script.open()
        script.send(.liked(ann), on: living)
        for _ in 0..<50 {
            let client = try script.open()
            let items = (0..<200).map { Item(type: 0, id: $0) }
            script.send(.likedMany(user: 1, items: items), on: client)
            script.step { core, turn in core.closed(client, &turn) }
        }
        #expect(script.core.reads.pairsCount < 2_000)
        script = Script(up: [.redis])
        let client = try script.open()
        script.send(.count(post), on: client)
        script.step { core, turn in core.closed(client, &turn) }
        script.redisHas(1, [nil])
        #expect(script.core.reads.fetchesCount == 0)
    }

    @Test("Of many that wait for one item, all are answered at their deadline and the fetch is forgotten")
    func ofManyThatWaitForOneItemAllAreAnsweredAtTheirDeadline() throws {
        var script = Script(up: [])
        let clients = try (0..<4).map { _ in try script.open() }
        for client in clients { for _ in 0..<500 { script.send(.count(post), on: client) } }
        script.pass(ms: 5_000)
        #expect(script.take().count { if case .reply = $0 { true } else { false } } == 2_000)
        #expect(script.core.reads.fetchesCount == 0)
    }

    @Test("A connection with too much under way is not read until half of it is answered")
    func aConnectionWithTooMuchUnderWayIsNotReadUntilHalfIsAnswered() throws {
        var script = Script(up: [])
        let client = try script.open()
        for _ in 0..<Limits.standard.requestsInFlightMax {
            #expect(script.core.accepts(client))
            script.send(.count(post), on: client)
        }
        #expect(!script.core.accepts(client))
        script.pass(ms: 5_000)
        #expect(script.take().contains(.resume(client)))
        #expect(script.core.accepts(client))
    }

    @Test("Replies that wait for their turn count as under way")
    func repliesThatWaitForTheirTurnCountAsUnderWay() throws {
        var script = Script(up: [])
        let client = try script.open()
        script.send(.count(post), on: client)
        for _ in 1..<Limits.standard.requestsInFlightMax { script.send(.ping(nil), on: client) }
        #expect(!script.core.accepts(client))
        script.pass(ms: 5_000)
        #expect(script.replies(client).count == Limits.standard.requestsInFlightMax)
        #expect(script.core.accepts(client))
    }

    @Test("A backend that stays away lets no table grow")
    func aBackendThatStaysAwayLetsNoTableGrow() throws {
        var script = Script { $0.rateLimitRequests = 0 }
        script.lose(.redis)
        script.lose(.lane)
        script.lose(.reader)
        let client = try script.open()
        for round in 0..<40 {
            for id in 0..<200 {
                script.send(
                    .count(Item(type: 0, id: Int64(round * 1_000 + id))), .like(Pair(user: 1, item: post)),
                    .liked(Pair(user: 3, item: post)), on: client)
            }
            script.pass(ms: 5_000)
        }
        #expect(script.core.reads.fetchesCount == 0)
        #expect(script.core.writes.count == 0)
        #expect(script.core.reads.pairsCount == 0)
        #expect(script.core.clients.deadlinesCount == 0)
        #expect(script.core.clients.followers.isEmpty)
        #expect(script.core.clients.sessions.waitingCount == 0)
    }

    @Test("A client that leaves takes along all that followed its reads")
    func aClientThatLeavesTakesAlongAllThatFollowedItsReads() throws {
        var script = Script(up: [.reader])
        let client = try script.open()
        script.send(.liked(ann), .like(ann), .unlike(ann), .count(post), on: client)
        script.step { core, turn in core.closed(client, &turn) }
        #expect(script.core.writes.count == 0)
        #expect(script.core.clients.followers.isEmpty)
    }

    @Test("A full table of connections refuses the next")
    func aFullTableOfConnectionsRefusesTheNext() throws {
        var script = Script { $0.connectionsMax = 1 }
        let client = try script.open()
        #expect(script.core.opened(now: script.now) == nil)
        script.step { core, turn in core.closed(client, &turn) }
        #expect(script.core.opened(now: script.now) != nil)
    }

    @Test("Stopping takes nothing more, answers what was accepted, then stops")
    func stoppingTakesNothingMoreAnswersWhatWasAcceptedThenStops() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.step { core, turn in core.stop(&turn) }
        #expect(!script.core.accepts(client))
        #expect(!script.take().contains(.stopped))
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        #expect(script.take().suffix(2) == [.reply(client, .change(changed: true, count: 1)), .stopped])
    }

    @Test("A client that leaves with a LIKE under way gets no reply, and its place is free after the commit")
    func aClientThatLeavesWithALikeUnderWayGetsNoReply() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.step { core, turn in core.closed(client, &turn) }
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 1, 1)])
        script.wroteThrough(3)
        #expect(script.replies(client) == [])
        #expect(script.core.writes.count == 0)
    }
}
