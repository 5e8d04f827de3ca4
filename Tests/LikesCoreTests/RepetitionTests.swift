import LikesProtocol
import Testing

@testable import LikesCore

/// Whatever a stranger does in Redis again and again, it costs a host little and holds nothing else up.
@Suite struct RepetitionTests {
    private struct Work {
        var reads = 0
        var writes = 0
        var tends = 0
        var surveys = 0
        var commits = 0
    }

    /// Answers all these calls, and counts them.
    private func answer(_ actions: [Action], on scenario: inout Scenario, _ work: inout Work) {
        for action in actions {
            switch action {
            case .lane(let call, .tend(_)):
                work.tends += 1
                scenario.tend(call: call)
            case .lane(let call, .survey(_)):
                work.surveys += 1
                scenario.survey(call: call, scenario.usualSurvey())
            case .reader(let call, .selectCounters(let items)):
                work.reads += 1
                scenario.databaseHas(call: call, items.map { counter($0, 6, 6) })
            case .redis(_, let call, .writeThrough(_, _, _)):
                work.writes += 1
                scenario.wroteThrough(call: call)
            case .redis(_, let call, .admit(let entries, _)):
                scenario.admit(call: call, entries.map { _ in .admitted(recent: false) })
            case .lane(let call, .commit(let request)):
                work.commits += 1
                scenario.commit(
                    call: call, changed: request.rows.map { _ in true },
                    request.rows.map { counter($0.pair.item, 1, 1) })
            default: continue
            }
        }
    }

    @Test("A message that is repeated without end makes one repair a second, and others are told once")
    func aMessageRepeatedWithoutEndMakesARepairASecond() {
        var scenario = Scenario(byHand: [.tend])
        let old = scenario.sealed(counter(post, 5, 5))
        scenario.hear([scenario.sealed(counter(post, 6, 6))])
        var work = Work()
        for _ in 0..<500 {
            scenario.hear([old])
            var actions = scenario.takeWithCalls()
            while !actions.isEmpty {
                answer(actions, on: &scenario, &work)
                actions = scenario.takeWithCalls()
            }
            scenario.pass(ms: 2)
        }
        #expect((1...2).contains(work.reads))
        #expect((1...2).contains(work.writes))
        // The other hosts have heard the same.
        #expect(work.tends <= 2)
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("A repair under way is not begun anew for what is heard meanwhile; another follows it")
    func aRepairUnderWayIsNotBegunAnewByWhatIsHeard() {
        var scenario = Scenario()
        let old = scenario.sealed(counter(post, 5, 5))
        scenario.hear([scenario.sealed(counter(post, 6, 6))])
        var work = Work()
        // An answer takes 4 ms.
        for _ in 0..<2_000 {
            scenario.hear([old])
            let actions = scenario.takeWithCalls()
            scenario.pass(ms: 2)
            scenario.hear([old])
            answer(actions, on: &scenario, &work)
            scenario.pass(ms: 2)
        }
        #expect((4...9).contains(work.writes))
        #expect((4...9).contains(work.reads))
        #expect(scenario.core.repairs.contains(post, on: 0))
    }

    @Test("Batches and surveys get their turn, however much is to be told")
    func batchesAndSurveysTakeTurnsWithWhatIsToBeTold() throws {
        var scenario = Scenario(byHand: [.tend, .survey])
        let client = try scenario.open()
        var work = Work()
        answer(scenario.takeWithCalls(), on: &scenario, &work)
        work = Work()
        // Redis takes no writes, and each turn brings something that others have to be told.
        scenario.lose(.redis)
        var due: [Action] = []
        for round in 0..<3_000 {
            scenario.core.noteMissing([Item(type: 0, id: Int64(1_000 + round))], now: scenario.now)
            if round == 5 { scenario.send(.like(Pair(user: 1, item: other)), on: client) }
            let actions = scenario.takeWithCalls()
            scenario.pass(ms: 1)
            answer(due, on: &scenario, &work)
            due = actions + scenario.takeWithCalls()
            scenario.pass(ms: 1)
            if round == 30 { #expect(work.commits == 1) }
        }
        #expect(work.tends > 100)
        #expect(work.surveys > 0)
    }

    @Test("An old counter that is put back again and again is set anew once in a while, not at each read")
    func anOldCounterPutBackAgainAndAgainIsSetAnewOnceInAWhile() throws {
        var scenario = Scenario({ $0.localCacheTTLMs = 0 })
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 6, 6)])
        var work = Work()
        for _ in 0..<100 {
            let old = scenario.sealed(counter(post, 5, 5))
            scenario.send(.count(post), on: client)
            for action in scenario.takeWithCalls() {
                guard case .redis(_, let call, .readCounters(_, let items)) = action, !items.isEmpty else {
                    answer([action], on: &scenario, &work)
                    continue
                }
                scenario.redisHas(call: call, sealed: items.map { _ in old })
            }
            answer(scenario.takeWithCalls(), on: &scenario, &work)
            scenario.pass(ms: 50)
        }
        #expect((3...7).contains(work.writes))
    }
}
