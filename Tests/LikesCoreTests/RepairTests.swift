import LikesProtocol
import Testing

@testable import LikesCore

/// Counters that Redis may have in an old state.
@Suite struct RepairTests {
    @Test("Without Redis a batch notes what it changes for all hosts, and nothing is kept here")
    func withoutRedisABatchNotesWhatItChanges() throws {
        var script = Script(up: [.subscriber, .lane, .reader])
        let client = try script.open()
        script.send(.like(ann), on: client)
        #expect(script.commits.last?.isCutOff == true)
        #expect(script.commits.last?.journal == [])
        script.commit(1, changed: [true], [counter(post, 8, 5)])
        #expect(script.core.repairs.count == 0)
    }

    @Test("What Redis missed on the wire is told to all hosts, and looked up again before Redis is read")
    func whatRedisMissedOnTheWire() throws {
        var script = Script({ $0.localCacheEntries = 0 }, byHand: [.tend, .repairs])
        script.repairs(1, [])
        let client = try script.open()
        _ = script.take()
        script.send(.like(ann), on: client)
        script.admit(2, [.admitted(recent: false)])
        script.commit(3, changed: [true], [counter(post, 8, 5)])
        #expect(script.core.journal(with: []) == [post])
        _ = script.take()
        script.lose(.redis)
        let told = TendRequest(
            fence: LaneFence(lane: script.core.laneRow.lane, epoch: 1), repairs: [post], mended: [], journal: [])
        #expect(script.take() == [.reply(client, .change(changed: true, count: 8)), .tend(5, told)])
        script.tend(5)
        #expect(script.core.repairs.count == 0)
        script.connect(.redis)
        #expect(script.take() == [.selectRepairs(6, after: nil)])
        script.send(.count(other), on: client)
        #expect(script.take() == [.selectCounters(7, [other])])
        script.repairs(6, [counter(post, 9, 6)])
        #expect(script.take() == [.selectCounters(8, [post])])
        script.databaseHas(8, [counter(post, 9, 6)])
        #expect(script.take() == [.writeThrough(9, counters: [counter(post, 9, 6)], recent: [])])
        script.send(.count(post), on: client)
        #expect(script.take() == [.selectCounters(10, [post])])
        script.wroteThrough(9)
        script.send(.count(Item(type: 1, id: 1)), on: client)
        #expect(script.take() == [.readCounters(11, [Item(type: 1, id: 1)])])
        script.redisHas(11, [nil])
        script.pass(ms: Limits.mendedWaitMs)
        guard case .tend(_, let mended)? = script.take().last else {
            Issue.record("nothing was struck off")
            return
        }
        #expect(mended.mended == [counter(post, 9, 6)])
    }

    @Test(
        "A refused write-through is told and tried again after a while, and Redis is not asked for the item until then")
    func aRefusedWriteThroughIsTriedAgain() throws {
        var script = Script { $0.localCacheEntries = 0 }
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 8, 5)])
        script.redisFails(3)
        #expect(script.replies(client) == [.change(changed: true, count: 8)])
        script.databaseHas(4, [counter(post, 8, 5)])
        script.redisFails(5)
        #expect(script.core.repairs.untoldCount == 0)
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(script.take() == [.selectCounters(6, [post])])
        script.databaseHas(6, [counter(post, 8, 5)])
        #expect(script.replies(client) == [.integer(8)])
        script.pass(ms: Limits.repairRetryMs)
        #expect(script.take().last == .selectCounters(7, [post]))
        script.databaseHas(7, [counter(post, 8, 5)])
        #expect(script.take() == [.writeThrough(8, counters: [counter(post, 8, 5)], recent: [])])
        script.wroteThrough(8)
        script.send(.count(post), on: client)
        #expect(script.take() == [.readCounters(9, [post])])
    }

    @Test("Counters that Redis had no room for are gone from it, and nothing is left to repair")
    func countersThatRedisHadNoRoomFor() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 8, 5)])
        script.wroteThrough(3, refusal: "OOM")
        #expect(script.core.repairs.count == 0)
        #expect(!script.core.isRedisHealthy)
    }

    @Test("With too many untold the lane tells them before it goes on")
    func withTooManyUntold() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        script.core.repairs.note((0..<Limits.repairsUntoldMax).map { Item(type: 1, id: Int64($0)) })
        let client = try script.open()
        script.send(.like(ann), on: client)
        let lane = script.take().compactMap {
            if case .tend(_, let request) = $0 { request.repairs.count } else { nil }
        }
        #expect(lane == [Limits.repairsUntoldMax])
        #expect(script.commits.isEmpty)
    }

    @Test("More repairs of other hosts than can be remembered: Redis is not read before some are mended")
    func moreRepairsThanCanBeRemembered() {
        var script = Script(up: [.redis, .lane, .reader], byHand: [.repairs])
        var next: RepairCursor? = RepairCursor(typeNumber: 1, itemID: 0)
        var id: Int64 = 0
        while next != nil {
            let passes = script.take().compactMap { if case .selectRepairs(let call, _) = $0 { call } else { nil } }
            guard let call = passes.first else { break }
            script.repairs(
                call, (0..<1_024).map { counter(Item(type: 1, id: id + $0), 1, 1) },
                next: RepairCursor(typeNumber: 1, itemID: id + 1_023))
            id += 1_024
            next = script.core.repairs.isFull ? nil : next
        }
        #expect(script.core.repairs.count == Limits.repairsMax)
        #expect(script.core.readableGeneration == nil)
        #expect(script.core.writableGeneration != nil)
    }

    private static func permit(at now: Int64) -> WritePermit {
        WritePermit(generation: Script.generation, subscription: 1, askedAt: .ms(now))
    }

    @Test("A counter that changes while its repair is on the way is repaired again, and told again")
    func aCounterThatChangesWhileItsRepairIsOnTheWay() {
        var repairs = Repairs()
        func write(_ counter: CounterState) -> [CounterState] {
            let (_, read) = repairs.takeToRead(max: 10, now: .ms(0))
            repairs.settle([counter], read: read, Self.permit(at: 0))
            return repairs.takeToWrite(max: 10, Self.permit(at: 0))
        }
        repairs.learn([post])
        let first = write(counter(post, 1, 1))
        repairs.note([post])
        repairs.wrote(first)
        #expect(repairs.untoldItems == [post])
        let second = write(counter(post, 2, 2))
        #expect(second == [counter(post, 2, 2)])
        repairs.wrote(second)
        #expect(repairs.takeMended(max: 10) == [counter(post, 2, 2)])
        #expect(repairs.untoldCount == 0)
    }

    @Test("Of several reads of one item only the last counts")
    func ofSeveralReadsOnlyTheLastCounts() {
        var repairs = Repairs()
        repairs.note([post])
        let first = repairs.takeToRead(max: 10, now: .ms(0))
        repairs.note([post])
        let second = repairs.takeToRead(max: 10, now: .ms(0))
        #expect((first.items, second.items) == ([post], [post]))
        repairs.settle([counter(post, 1, 1)], read: first.read, Self.permit(at: 0))
        #expect(repairs.takeToWrite(max: 10, Self.permit(at: 0)) == [])
        repairs.settle([counter(post, 2, 2)], read: second.read, Self.permit(at: 0))
        #expect(repairs.takeToWrite(max: 10, Self.permit(at: 0)) == [counter(post, 2, 2)])
    }

    @Test("What was read too long ago is read again before it is set")
    func whatWasReadTooLongAgoIsReadAgain() {
        var repairs = Repairs()
        repairs.note([post])
        let (_, read) = repairs.takeToRead(max: 10, now: .ms(0))
        repairs.settle([counter(post, 1, 1)], read: read, Self.permit(at: 0))
        let late = Limits.answerAgeMsMax + 1
        #expect(repairs.takeToWrite(max: 10, Self.permit(at: late)) == [])
        // After a slow answer the others are told first.
        #expect(repairs.retryAt == .ms(late + Limits.repairRetryMs))
        #expect(repairs.takeToRead(max: 10, now: .ms(late + Limits.repairRetryMs)).items == [post])
    }
}
