import LikesProtocol
import Testing

@testable import LikesCore

/// Counters that Redis may have in an old state.
@Suite struct RepairTests {
    @Test("What Redis missed while it was away stays to be repaired until Redis confirms it")
    func whatRedisMissedStaysToBeRepaired() throws {
        var script = Script(up: [.lane, .reader])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(1, changed: [true], [counter(post, 8, 5)])
        _ = script.take()
        for call in [CallID(2), 3] {
            script.step { core, now, actions in core.connected(.redis, now: now, into: &actions) }
            #expect(script.take() == [.writeThrough(call, counters: [counter(post, 8, 5)], recent: [])])
            #expect(script.core.repairs.count == 1)
            if call == 2 { script.lose(.redis) }
        }
        script.wroteThrough(3)
        #expect(script.core.repairs.count == 0)
    }

    @Test("A refused write-through is tried again after a while, and Redis is not asked for the item until then")
    func aRefusedWriteThroughIsTriedAgain() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 8, 5)])
        script.step { core, now, actions in core.redisCallFailed(3, "OOM", now: now, into: &actions) }
        #expect(script.replies(client) == [.change(changed: true, count: 8)])
        script.refuseRepair(4)
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(script.take() == [.selectCounters(5, [post])])
        script.databaseHas(5, [counter(post, 8, 5)])
        #expect(script.replies(client) == [.integer(8)])
        #expect(script.core.nextTick == script.now.adding(ms: Limits.repairRetryMs))
        script.pass(ms: Limits.repairRetryMs)
        #expect(script.take() == [.writeThrough(6, counters: [counter(post, 8, 5)], recent: [])])
        script.wroteThrough(6)
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(7, [post])])
    }

    @Test("After a batch without an outcome its items are read from PostgreSQL and set in Redis")
    func afterABatchWithoutAnOutcome() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        _ = script.take()
        script.lose(.lane)
        #expect(script.take().last == .selectCounters(3, [post]))
        script.send(.count(post), on: client)
        #expect(script.take() == [.selectCounters(4, [post])])
        script.databaseHas(3, [counter(post, 8, 5)])
        #expect(script.take() == [.writeThrough(5, counters: [counter(post, 8, 5)], recent: [])])
        script.wroteThrough(5)
        #expect(script.core.repairs.count == 0)
    }

    @Test("Too many repairs to remember: Redis is not read until all that could be old has expired")
    func tooManyRepairsToRemember() {
        var repairs = Repairs(entriesMax: 2, distrustMs: 1_000)
        repairs.note((1...3).map { counter(Item(type: 0, id: $0), 1, 1) }, now: .ms(0))
        #expect(repairs.count == 0)
        let trusted = [999, 1_000].map { repairs.areReadsTrusted(now: .ms($0)) }
        #expect(trusted == [false, true])
    }

    @Test("A counter that changes while its repair is on the way is repaired again")
    func aCounterThatChangesWhileItsRepairIsOnTheWay() {
        var repairs = Repairs(entriesMax: 10, distrustMs: 1_000)
        repairs.note([counter(post, 1, 1)], now: .ms(0))
        let first = repairs.takeToWrite(max: 10, now: .ms(0))
        repairs.note([counter(post, 2, 2)], now: .ms(0))
        repairs.wrote(first)
        let second = repairs.takeToWrite(max: 10, now: .ms(0))
        #expect(second == [counter(post, 2, 2)])
    }
}
