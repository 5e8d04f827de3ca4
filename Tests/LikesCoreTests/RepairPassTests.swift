import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// Looks at the table of repairs.
@Suite struct RepairPassTests {
    /// Answers the looks that come within a time, with the time in milliseconds as their snapshot's horizon; where each
    /// began.
    private func looks(
        _ script: inout Script, ms: Int64, step: Int64 = 250, rows: (Int64) -> [RepairRow] = { _ in [] }
    ) -> [Int64] {
        var began: [Int64] = []
        let end = script.now.adding(ms: ms)
        while script.now <= end {
            for action in script.take() {
                guard case .reader(let call, .selectRepairs(let select)) = action else { continue }
                began.append(select.after.notedBy)
                script.repairs(call, rows: rows(select.after.notedBy), horizon: script.now.microseconds / 1_000)
            }
            script.pass(ms: step)
        }
        return began
    }

    @Test("After one at the whole table each look is at what is new, after ten and each thirty seconds at all again")
    func afterALookAtTheWholeTableTheNextAreAtWhatIsNew() {
        var script = Script(byHand: [.repairs])
        let began = looks(&script, ms: 80_000)
        let isFull = began.map { $0 == 0 }
        #expect(isFull.first == true)
        #expect(isFull[1..<3].allSatisfy { !$0 })
        #expect(isFull[3..<6].contains(true))
        #expect((4...5).contains(isFull.filter { $0 }.count))
        // The others look at the last ten seconds.
        let horizons = began.filter { $0 > 0 }
        #expect(horizons == horizons.sorted())
        #expect(Set(horizons).count > horizons.count / 2)
    }

    @Test("Redis that was away for a moment needs no look at the whole table; away for long or replaced, it does")
    func redisAwayForAMomentNeedsNoLookAtTheWholeTable() {
        var script = Script(byHand: [.repairs])
        _ = looks(&script, ms: 20_000)
        script.lose(.redis)
        script.pass(ms: 1_000)
        script.connect(.redis)
        #expect(script.core.readableGeneration == nil)
        #expect(looks(&script, ms: 100).first.map { $0 > 0 } == true)
        #expect(script.core.readableGeneration != nil)
        script.lose(.redis)
        script.pass(ms: Limits.repairRowsSeenMs + 1)
        script.connect(.redis)
        #expect(looks(&script, ms: 100).first == 0)
        #expect(script.core.readableGeneration != nil)
    }

    @Test("A look that was under way when Redis was lost goes on, and is followed at once by one that counts")
    func aLookUnderWayWhenRedisWasLostIsFollowedByOneThatCounts() {
        var script = Script(byHand: [.repairs])
        guard case .reader(let call, .selectRepairs(_))? = script.take().last else { return }
        script.lose(.redis)
        script.repairs(call, [post], next: RepairCursor(notedBy: 5, typeNumber: 1, itemID: post.id), horizon: 9)
        #expect(!script.take().contains { if case .reader(_, .selectRepairs) = $0 { true } else { false } })
        script.connect(.redis)
        var began: [Int64] = []
        for _ in 0..<2 {
            for action in script.take() {
                guard case .reader(let call, .selectRepairs(let select)) = action else { continue }
                began.append(select.after.notedBy)
                #expect(script.core.readableGeneration == nil)
                script.repairs(call, [], horizon: 10)
            }
        }
        #expect(began == [5, 9])
        #expect(script.core.readableGeneration != nil)
    }

    @Test("A row of what Redis was heard to take is left to who has set it, but not for longer than ten seconds")
    func whatRedisWasHeardToTakeIsLeftToItsHostForTenSeconds() {
        var script = Script(byHand: [.repairs])
        let row = RepairRow(item: post, version: 5, notedBy: 2)
        _ = looks(&script, ms: 100)
        for _ in 0..<8 {
            // It goes on and on.
            script.hear(counter(post, 5, 5))
            _ = looks(&script, ms: 1_000) { _ in [row] }
            #expect(script.core.repairs.count == 0)
        }
        for _ in 0..<40 where script.core.repairs.count == 0 {
            script.hear(counter(post, 5, 5))
            _ = looks(&script, ms: 1_000) { $0 == 0 ? [row] : [] }
        }
        #expect(script.core.repairs.contains(post))
        script.hear(counter(post, 5, 5))
        #expect(script.core.repairs.contains(post))
    }

    @Test("What was heard of under another marker says nothing of Redis' present data")
    func whatWasHeardUnderAnotherMarkerSaysNothingOfRedisPresentData() {
        var script = Script(byHand: [.repairs, .identify])
        for action in script.take() {
            if case .redis(let call, .identify(_)) = action { script.identify(call) }
        }
        _ = looks(&script, ms: 100)
        script.hear(counter(post, 5, 5))
        script.lose(.redis)
        script.connect(.redis)
        for action in script.take() {
            guard case .redis(let call, .identify(_)) = action else { continue }
            script.identify(call, Generation(server: "run:repl", database: Script.history, token: "bbbbbbbbbbbb"))
        }
        guard case .reader(let call, .selectRepairs(_))? = script.take().last else {
            Issue.record("no look")
            return
        }
        script.repairs(call, [post], version: 5)
        #expect(script.core.repairs.contains(post))
    }

    @Test("Rows noted before the marker was made are not read, and struck off some at a time until none are left")
    func rowsNotedBeforeTheMarkerAreStruckOffUnread() {
        var script = Script(byHand: [.repairs, .identify, .tend])
        script.since = 50
        for action in script.take() {
            guard case .redis(let call, .identify(_)) = action else { continue }
            let token = Script.generation.token
            script.identify(
                call,
                Generation(
                    server: "run:repl", database: Script.history, snapshot: DatabaseSnapshot(least: 50), token: token))
        }
        var settled: [SettledRepairs?] = []
        for round in 0..<4 as Range<Int64> {
            for action in script.take() {
                switch action {
                case .reader(let call, .selectRepairs(let select)):
                    #expect(select == RepairSelect(after: RepairCursor(begin: 50), settledBefore: 50))
                    script.repairs(call, [], horizon: 60, hasSettled: true)
                case .lane(let call, .tend(let request)):
                    settled.append(request.settled)
                    script.tend(call, settledUpTo: round < 2 ? 20 : nil)
                default: continue
                }
            }
        }
        #expect(settled == [SettledRepairs(before: 50), SettledRepairs(from: 20, before: 50)])
    }

    @Test("Many repairs degrade HEALTH, which says how many are left; a handful does not")
    func manyRepairsDegradeHealth() {
        var script = Script(byHand: [.repairs])
        _ = looks(&script, ms: 100)
        #expect(script.core.status(now: script.now) == "ok")
        script.step { core, turn in core.repairs.reread((1...10).map { Item(type: 0, id: $0) }) }
        #expect(script.core.status(now: script.now) == "ok")
        script.step { core, turn in core.repairs.reread((1...10_000).map { Item(type: 0, id: $0) }) }
        #expect(script.core.status(now: script.now) == "degraded")
        #expect(script.core.healthMessage(now: script.now).contains("repairing: 10,000 counters"))
        #expect(script.core.isRedisHealthy)
    }

    @Test("Redis that is not read for long, since the table can't be looked at, degrades HEALTH")
    func aTableThatCannotBeLookedAtForLongDegradesHealth() {
        var script = Script(byHand: [.repairs])
        #expect(script.core.status(now: script.now) == "ok")
        script.pass(ms: Limits.repairsShownMs)
        #expect(script.core.status(now: script.now) == "degraded")
        _ = looks(&script, ms: 100)
        #expect(script.core.status(now: script.now) == "ok")
    }

    @Test("A batch has its turn between two tends that only strike off")
    func aBatchHasItsTurnBetweenTwoTends() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend, .repairs])
        guard case .reader(let call, .selectRepairs(_))? = script.take().last else { return }
        script.repairs(call, (1...9_000).map { Item(type: 0, id: $0) })
        let client = try script.open()
        var lane: [String] = []
        var tends: [CallID] = []
        for round in 0..<80 as Range<Int64> {
            script.send(.like(Pair(user: round, item: other)), on: client)
            for action in script.take() {
                switch action {
                case .reader(let call, .selectCounters(let items)):
                    script.databaseHas(call, items.map { counter($0, 1, 1) })
                case .redis(let call, .writeThrough(_, _, _)): script.wroteThrough(call)
                case .redis(let call, .admit(let entries)):
                    script.admit(call, entries.map { _ in .admitted(recent: false) })
                case .lane(let call, .commit(let request)):
                    lane.append("batch")
                    script.commit(
                        call, changed: request.rows.map { _ in true }, [counter(other, round + 1, round + 1)])
                case .lane(let call, .tend(let request)):
                    if !request.mended.isEmpty { lane.append("tend") }
                    tends.append(call)
                default: continue
                }
            }
            for call in tends { script.tend(call) }
            tends = []
            script.pass(ms: 40)
        }
        #expect(lane.contains("tend"))
        #expect(!zip(lane, lane.dropFirst()).contains { $0 == ("tend", "tend") })
    }
}
