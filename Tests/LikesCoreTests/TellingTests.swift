import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct TellingTests {
    /// Redis took a like of each of these, and told nobody of them.
    private func untold(
        _ counters: [CounterState], byHand: Set<Scenario.Housekeeping> = []
    ) throws -> (Scenario, ConnectionID) {
        var scenario = Scenario(byHand: byHand)
        let client = try scenario.open()
        for counter in counters {
            scenario.send(.like(Pair(user: 1, item: counter.item)), on: client)
            scenario.admit([.admitted(recent: false)])
            scenario.commit(changed: [true], [counter])
            scenario.wroteThrough(untold: [counter])
        }
        _ = scenario.takeWithCalls()
        return (scenario, client)
    }

    private let first = counter(post, 5, 5)
    private let second = counter(other, 7, 7)

    @Test("What Redis told nobody of is told after the time between two messages, all items in one call.")
    func whatRedisToldNobodyOfIsToldLater() throws {
        var (scenario, _) = try untold([first, second])
        scenario.pass(ms: 19)
        #expect(scenario.take() == [])
        scenario.pass(ms: 1)
        #expect(scenario.take() == [.tell([first, second])])
        scenario.told([.told, .told])
        scenario.hear(first, second)
        scenario.pass(ms: 500)
        #expect(scenario.take() == [])
    }

    @Test("Whoever hears of the item at that version or a newer one owes nothing.", arguments: [5, 6])
    func whoeverHearsOfTheItemOwesNothing(version: Int64) throws {
        var (scenario, _) = try untold([first])
        scenario.hear(counter(post, 9, version))
        #expect(scenario.core.coherence.tellings.isSettled)
        scenario.pass(ms: 500)
        #expect(scenario.take() == [])
    }

    @Test("An older version, and one that no host sealed, settle nothing.")
    func anOlderVersionSettlesNothing() throws {
        var (scenario, _) = try untold([first])
        scenario.hear(counter(post, 4, 4))
        scenario.hear([unsealed(counter(post, 9, 9))])
        scenario.pass(ms: 20)
        #expect(scenario.take().contains(.tell([first])))
    }

    @Test("What comes too early is asked for again after the time between two messages.")
    func whatComesTooEarlyIsAskedForAgain() throws {
        var (scenario, _) = try untold([first])
        scenario.pass(ms: 20)
        scenario.told([.early])
        _ = scenario.take()
        scenario.pass(ms: 19)
        #expect(scenario.take() == [])
        scenario.pass(ms: 1)
        #expect(scenario.take() == [.tell([first])])
    }

    @Test("Of several versions the newest is asked for, when the first one is due.")
    func ofSeveralVersionsTheNewestIsAskedFor() throws {
        var (scenario, client) = try untold([first])
        scenario.pass(ms: 15)
        scenario.send(.like(bob), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        scenario.wroteThrough(untold: [counter(post, 6, 6)])
        _ = scenario.take()
        scenario.pass(ms: 5)
        #expect(scenario.take() == [.tell([counter(post, 6, 6)])])
    }

    @Test("One call is under way at a time, and there is no more than one in the time between two messages.")
    func oneCallIsUnderWayAtATime() throws {
        var (scenario, client) = try untold([first])
        scenario.pass(ms: 20)
        let call = try scenario.call(.tell([first]))
        scenario.send(.like(Pair(user: 1, item: other)), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [second])
        scenario.wroteThrough(untold: [second])
        scenario.pass(ms: 30)
        _ = scenario.take()
        scenario.told(call: call, [.told])
        #expect(scenario.take() == [.tell([second])])
    }

    @Test("What Redis has lost is read from PostgreSQL and set again.")
    func whatRedisHasLostIsSetAgain() throws {
        var (scenario, _) = try untold([first])
        scenario.pass(ms: 20)
        _ = scenario.take()
        scenario.told([.gone])
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.databaseHas([first])
        #expect(scenario.take() == [.writeThrough(counters: [first], recent: [])])
    }

    @Test("What keeps getting lost is repaired once a second.")
    func whatKeepsGettingLostIsRepairedOnceASecond() throws {
        var (scenario, _) = try untold([first])
        for round in 0..<3 {
            scenario.pass(ms: 20)
            scenario.told([.gone])
            _ = scenario.take()
            if round > 0 {
                scenario.pass(ms: Limits.repairRetryMs - 50)
                #expect(scenario.take() == [])
                scenario.pass(ms: 50)
            } else {
                scenario.pass(ms: 0)
            }
            scenario.databaseHas([first])
            scenario.wroteThrough(untold: [first])
            _ = scenario.take()
        }
    }

    @Test("Redis' word does not settle what was never heard: it is repaired once a later beat is heard.")
    func redisWordDoesNotSettleWhatWasNeverHeard() throws {
        var (scenario, _) = try untold([first])
        scenario.pass(ms: 20)
        scenario.told([.told])
        #expect(!scenario.core.repairs.contains(post, on: 0))
        scenario.pass(ms: scenario.core.coherence.heartbeat.writingBeatMs)
        #expect(scenario.core.repairs.contains(post, on: 0))
        scenario.pass(ms: Limits.repairRetryMs)
        #expect(scenario.take().contains(.selectCounters([post])))
    }

    @Test("A call that fails leaves repairs behind, and so does the loss of Redis, which all hosts learn of.")
    func aCallThatFailsLeavesRepairsBehind() throws {
        var (failing, _) = try untold([first])
        failing.pass(ms: 20)
        failing.redisFails()
        #expect(failing.core.repairs.contains(post, on: 0))
        #expect(failing.core.coherence.tellings.isSettled)

        var (losing, _) = try untold([first, second], byHand: [.tend])
        losing.lose(.redis)
        let tends = losing.take().compactMap {
            if case .lane(_, .tend(let request)) = $0 { request.repairs } else { nil }
        }
        #expect(tends.map(Set.init) == [[post, other]])
    }

    @Test("The journal names what hosts are still to be told of, asked for or not.")
    func theJournalNamesWhatHostsAreStillToBeToldOf() throws {
        var (scenario, client) = try untold([first, second])
        scenario.hear(second)
        for wait in [0, 20] as [Int64] {
            scenario.pass(ms: wait)
            let third = Item(type: 1, id: 1)
            scenario.send(.like(Pair(user: 9, item: third)), on: client)
            scenario.admit([.admitted(recent: false)])
            #expect(Set(try #require(scenario.commits.last).journal) == [post, third])
            scenario.commit(changed: [false], [])
            scenario.databaseHas([counter(third, 0, 0)])
        }
    }

    @Test("A host that ends tells first.")
    func aHostThatEndsTellsFirst() throws {
        var (scenario, _) = try untold([first])
        scenario.step { core, turn in core.stop(&turn) }
        scenario.pass(ms: 20)
        #expect(scenario.take() == [.tell([first])])
        scenario.told([.told])
        #expect(scenario.take().last == .stopped)
    }

    @Test("Beyond the limit hosts are told at once.")
    func beyondTheLimitHostsAreToldAtOnce() {
        var limits = Limits()
        limits.tellingsMax = 1
        var tellings = Tellings(limits, now: .ms(0))
        #expect(tellings.owe([unsealed(first), unsealed(second)], now: .ms(0)) == [unsealed(second)])
        #expect(tellings.owe([unsealed(counter(post, 6, 6))], now: .ms(5)) == [])
        #expect(tellings.dueAt == .ms(20))
        #expect(tellings.take(now: .ms(20)) == [unsealed(counter(post, 6, 6))])
        #expect(tellings.answered([unsealed(counter(post, 6, 6))], [.gone], now: .ms(21)) == [counter(post, 6, 6)])
        #expect(tellings.owe([unsealed(second)], now: .ms(21)) == [])
        tellings.checkInvariants()
    }

    @Test("With no room the call to tell at once is made with the write-through's answer.")
    func withNoRoomTheCallIsMadeAtOnce() throws {
        var (scenario, client) = try untold([first])
        var limits = Limits()
        limits.tellingsMax = 0
        scenario.core.coherence.tellings = Tellings(limits, now: scenario.now)
        scenario.send(.like(Pair(user: 1, item: other)), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [second])
        scenario.wroteThrough(untold: [second])
        #expect(scenario.take().contains(.tell([second], paceMs: 0)))
        scenario.told([.gone])
        #expect(scenario.take() == [.selectCounters([other])])
    }
}
