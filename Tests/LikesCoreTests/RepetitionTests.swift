import LikesProtocol
import Testing

@testable import LikesCore

/// What a stranger in Redis brings about again and again costs a host little, and holds nothing else up.
@Suite struct RepetitionTests {
    private struct Work {
        var reads = 0
        var writes = 0
        var tends = 0
        var surveys = 0
        var commits = 0
    }

    /// Answers all that was asked, and what comes of it.
    private func answer(_ actions: [Action], on script: inout Script, _ work: inout Work) {
        for action in actions {
            switch action {
            case .lane(let call, .tend(_)):
                work.tends += 1
                script.tend(call)
            case .lane(let call, .survey(_)):
                work.surveys += 1
                script.survey(call, script.survey())
            case .reader(let call, .selectCounters(let items)):
                work.reads += 1
                script.databaseHas(call, items.map { counter($0, 6, 6) })
            case .redis(let call, .writeThrough(_, _, _)):
                work.writes += 1
                script.wroteThrough(call)
            case .redis(let call, .admit(let entries)):
                script.admit(call, entries.map { _ in .admitted(recent: false) })
            case .lane(let call, .commit(let request)):
                work.commits += 1
                script.commit(
                    call, changed: request.rows.map { _ in true }, request.rows.map { counter($0.pair.item, 1, 1) })
            default: continue
            }
        }
    }

    @Test("A message that is repeated without end makes a repair a second, and is told others once")
    func aMessageRepeatedWithoutEndMakesARepairASecond() throws {
        var script = Script(byHand: [.tend])
        let old = script.sealed(counter(post, 5, 5))
        script.hear([script.sealed(counter(post, 6, 6))])
        var work = Work()
        for _ in 0..<500 {
            script.hear([old])
            var actions = script.take()
            while !actions.isEmpty {
                answer(actions, on: &script, &work)
                actions = script.take()
            }
            script.pass(ms: 2)
        }
        #expect((1...2).contains(work.reads))
        #expect((1...2).contains(work.writes))
        // They have heard the same.
        #expect(work.tends <= 2)
        #expect(script.core.repairs.contains(post))
    }

    @Test("A repair under way is not begun anew by what is heard meanwhile, and followed by another")
    func aRepairUnderWayIsNotBegunAnewByWhatIsHeard() throws {
        var script = Script()
        let old = script.sealed(counter(post, 5, 5))
        script.hear([script.sealed(counter(post, 6, 6))])
        var work = Work()
        // An answer takes 4 ms.
        for _ in 0..<2_000 {
            script.hear([old])
            let actions = script.take()
            script.pass(ms: 2)
            script.hear([old])
            answer(actions, on: &script, &work)
            script.pass(ms: 2)
        }
        #expect((4...9).contains(work.writes))
        #expect((4...9).contains(work.reads))
        #expect(script.core.repairs.contains(post))
    }

    @Test("Batches and surveys take turns with what is to be told, however much of it comes")
    func batchesAndSurveysTakeTurnsWithWhatIsToBeTold() throws {
        var script = Script(byHand: [.tend, .survey])
        let client = try script.open()
        var work = Work()
        answer(script.take(), on: &script, &work)
        work = Work()
        // Redis takes no writes, and each turn brings something that others have to be told.
        script.lose(.redis)
        var due: [Action] = []
        for round in 0..<3_000 {
            script.core.noteMissing([Item(type: 0, id: Int64(1_000 + round))], now: script.now)
            if round == 5 { script.send(.like(Pair(user: 1, item: other)), on: client) }
            let actions = script.take()
            script.pass(ms: 1)
            answer(due, on: &script, &work)
            due = actions + script.take()
            script.pass(ms: 1)
            if round == 30 { #expect(work.commits == 1) }
        }
        #expect(work.tends > 100)
        #expect(work.surveys > 0)
    }

    @Test("An old counter that is put back again and again is set anew once in a while, not at each read")
    func anOldCounterPutBackAgainAndAgainIsSetAnewOnceInAWhile() throws {
        var script = Script({ $0.localCacheTTLMs = 0 })
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 6, 6)])
        var work = Work()
        for _ in 0..<100 {
            let old = script.sealed(counter(post, 5, 5))
            script.send(.count(post), on: client)
            for action in script.take() {
                guard case .redis(let call, .readCounters(_, let items)) = action, !items.isEmpty else {
                    answer([action], on: &script, &work)
                    continue
                }
                script.redisHas(call, sealed: items.map { _ in old })
            }
            answer(script.take(), on: &script, &work)
            script.pass(ms: 50)
        }
        #expect((3...7).contains(work.writes))
    }
}
