import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// Passes over the table of repairs.
@Suite struct RepairPassTests {
    /// Answers the passes of the next `ms`, each with the present millisecond as its snapshot's horizon. Returns where
    /// each pass began.
    private func passes(
        _ scenario: inout Scenario, ms: Int64, step: Int64 = 250, rows: (Int64) -> [RepairRow] = { _ in [] }
    ) -> [Int64] {
        var began: [Int64] = []
        let end = scenario.now.adding(ms: ms)
        while scenario.now <= end {
            for action in scenario.takeWithCalls() {
                guard case .reader(let call, .selectRepairs(let select)) = action else { continue }
                began.append(select.after.notedBy)
                scenario.repairs(
                    call: call, rows: rows(select.after.notedBy), horizon: scenario.now.microseconds / 1_000)
            }
            scenario.pass(ms: step)
        }
        return began
    }

    @Test(
        "After a pass over the whole table come passes over new rows; after 10 and then every 30 s all is read again"
    )
    func afterAPassOverTheWholeTableTheNextAreOverWhatIsNew() {
        var scenario = Scenario(byHand: [.repairs])
        let began = passes(&scenario, ms: 80_000)
        let isFull = began.map { $0 == 0 }
        #expect(isFull.first == true)
        #expect(isFull[1..<3].allSatisfy { !$0 })
        #expect(isFull[3..<6].contains(true))
        #expect((4...5).contains(isFull.filter { $0 }.count))
        // The others are over the last ten seconds.
        let horizons = began.filter { $0 > 0 }
        #expect(horizons == horizons.sorted())
        #expect(Set(horizons).count > horizons.count / 2)
    }

    @Test("A survey that fenced lanes is followed by a pass at once")
    func aSurveyThatFencedLanesIsFollowedByAPassAtOnce() throws {
        var scenario = Scenario(byHand: [.survey])
        var asked: (call: CallID, request: SurveyRequest)?
        for _ in 0..<60 where asked == nil {
            scenario.pass(ms: 100)
            for case .lane(let call, .survey(let request)) in scenario.takeWithCalls() { asked = (call, request) }
        }
        let (call, request) = try #require(asked)
        var found = scenario.usualSurvey(request)
        found.silentLanesFenced = 1
        scenario.byHand.insert(.repairs)
        #expect(scenario.core.repairs.passes.nextAt > scenario.now)
        scenario.survey(call: call, found)
        #expect(scenario.take().contains { if case .reader(_, .selectRepairs) = $0 { true } else { false } })
    }

    @Test("Redis that was away for a moment needs no pass over the whole table; away for long or replaced, it does")
    func redisAwayForAMomentNeedsNoPassOverTheWholeTable() {
        var scenario = Scenario(byHand: [.repairs])
        _ = passes(&scenario, ms: 20_000)
        scenario.lose(.redis)
        scenario.pass(ms: 1_000)
        scenario.connect(.redis)
        #expect(scenario.core.readableGeneration == nil)
        #expect(passes(&scenario, ms: 100).first.map { $0 > 0 } == true)
        #expect(scenario.core.readableGeneration != nil)
        scenario.lose(.redis)
        scenario.pass(ms: Limits.repairRowsSeenMs + 1)
        scenario.connect(.redis)
        #expect(passes(&scenario, ms: 100).first == 0)
        #expect(scenario.core.readableGeneration != nil)
    }

    @Test("A pass that was under way when Redis was lost goes on, and is followed at once by one that counts")
    func aPassUnderWayWhenRedisWasLostIsFollowedByOneThatCounts() {
        var scenario = Scenario(byHand: [.repairs])
        _ = scenario.take()
        scenario.lose(.redis)
        scenario.repairs([post], next: RepairCursor(notedBy: 5, typeNumber: 1, itemID: post.id), horizon: 9)
        #expect(!scenario.take().contains { if case .reader(_, .selectRepairs) = $0 { true } else { false } })
        scenario.connect(.redis)
        var began: [Int64] = []
        for _ in 0..<2 {
            for action in scenario.takeWithCalls() {
                guard case .reader(let call, .selectRepairs(let select)) = action else { continue }
                began.append(select.after.notedBy)
                #expect(scenario.core.readableGeneration == nil)
                scenario.repairs(call: call, [], horizon: 10)
            }
        }
        #expect(began == [5, 9])
        #expect(scenario.core.readableGeneration != nil)
    }

    @Test("A row that another host was heard to mend is left to that host, but for ten seconds at most")
    func whatRedisWasHeardToTakeIsLeftToItsHostForTenSeconds() {
        var scenario = Scenario(byHand: [.repairs])
        let row = RepairRow(item: post, version: 5, notedBy: 2)
        _ = passes(&scenario, ms: 100)
        for _ in 0..<8 {
            // The host says so again and again.
            scenario.hear(counter(post, 5, 5))
            _ = passes(&scenario, ms: 1_000) { _ in [row] }
            #expect(scenario.core.repairs.count == 0)
        }
        for _ in 0..<40 where scenario.core.repairs.count == 0 {
            scenario.hear(counter(post, 5, 5))
            _ = passes(&scenario, ms: 1_000) { $0 == 0 ? [row] : [] }
        }
        #expect(scenario.core.repairs.contains(post, on: 0))
        scenario.hear(counter(post, 5, 5))
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("What was heard of under another marker says nothing of Redis' present data")
    func whatWasHeardUnderAnotherMarkerSaysNothingOfRedisPresentData() {
        var scenario = Scenario(byHand: [.repairs, .identify])
        scenario.identify()
        _ = passes(&scenario, ms: 100)
        scenario.hear(counter(post, 5, 5))
        scenario.lose(.redis)
        scenario.connect(.redis)
        scenario.identify(Generation(server: "run:repl", database: Scenario.identity, token: "bbbbbbbbbbbb"))
        _ = scenario.take()
        scenario.repairs([post], version: 5)
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("Rows noted before the marker was made are not read, and struck off some at a time until none are left")
    func rowsNotedBeforeTheMarkerAreStruckOffUnread() {
        var scenario = Scenario(byHand: [.repairs, .identify, .tend])
        scenario.since = 50
        scenario.identify(
            Generation(
                server: "run:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 50),
                token: Scenario.generation.token))
        var settled: [SettledRepairs?] = []
        for round in 0..<4 as Range<Int64> {
            for action in scenario.takeWithCalls() {
                switch action {
                case .reader(let call, .selectRepairs(let select)):
                    #expect(select == RepairSelect(after: RepairCursor(begin: 50), settledBefore: 50))
                    scenario.repairs(call: call, [], horizon: 60, hasSettled: true)
                case .lane(let call, .tend(let request)):
                    settled.append(request.settled)
                    scenario.tend(call: call, settledUpTo: round < 2 ? 20 : nil)
                default: continue
                }
            }
        }
        #expect(settled == [SettledRepairs(before: 50), SettledRepairs(from: 20, before: 50)])
    }

    @Test("Many repairs degrade HEALTH, which says how many are left; a handful does not")
    func manyRepairsDegradeHealth() {
        var scenario = Scenario(byHand: [.repairs])
        _ = passes(&scenario, ms: 100)
        #expect(scenario.core.status(now: scenario.now) == "ok")
        scenario.step { core, turn in core.repairs[0].reread((1...10).map { Item(type: 0, id: $0) }) }
        #expect(scenario.core.status(now: scenario.now) == "ok")
        scenario.step { core, turn in core.repairs[0].reread((1...10_000).map { Item(type: 0, id: $0) }) }
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        #expect(scenario.core.healthMessage(now: scenario.now).contains("repairing: 10,000 counters"))
        #expect(scenario.core.isRedisHealthy)
    }

    @Test("HEALTH is degraded if Redis is not read for long because the table can't be read")
    func aTableThatCannotBeReadForLongDegradesHealth() {
        var scenario = Scenario(byHand: [.repairs])
        #expect(scenario.core.status(now: scenario.now) == "ok")
        scenario.pass(ms: Limits.repairsShownMs)
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        _ = passes(&scenario, ms: 100)
        #expect(scenario.core.status(now: scenario.now) == "ok")
    }

    @Test("A batch has its turn between two tends that only strike off")
    func aBatchHasItsTurnBetweenTwoTends() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: [.tend, .repairs])
        _ = scenario.take()
        scenario.repairs((1...9_000).map { Item(type: 0, id: $0) })
        let client = try scenario.open()
        var lane: [String] = []
        var tends: [CallID] = []
        for round in 0..<80 as Range<Int64> {
            scenario.send(.like(Pair(user: round, item: other)), on: client)
            for action in scenario.takeWithCalls() {
                switch action {
                case .reader(let call, .selectCounters(let items)):
                    scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
                case .redis(_, let call, .writeThrough(_, _, _)): scenario.wroteThrough(call: call)
                case .redis(_, let call, .admit(let entries, _)):
                    scenario.admit(call: call, entries.map { _ in .admitted(recent: false) })
                case .lane(let call, .commit(let request)):
                    lane.append("batch")
                    scenario.commit(
                        call: call, changed: request.rows.map { _ in true }, [counter(other, round + 1, round + 1)])
                case .lane(let call, .tend(let request)):
                    if !request.mended.isEmpty { lane.append("tend") }
                    tends.append(call)
                default: continue
                }
            }
            for call in tends { scenario.tend(call: call) }
            tends = []
            scenario.pass(ms: 40)
        }
        #expect(lane.contains("tend"))
        #expect(!zip(lane, lane.dropFirst()).contains { $0 == ("tend", "tend") })
    }
}
