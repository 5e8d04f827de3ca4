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
        #expect(script.core.takeJournal(with: []) == [post])
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
        script.repairs(6, [post])
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
        script.core.repairs.note((0..<Limits.standard.repairsUntoldMax).map { Item(type: 1, id: Int64($0)) })
        let client = try script.open()
        script.send(.like(ann), on: client)
        let lane = script.take().compactMap {
            if case .tend(_, let request) = $0 { request.repairs.count } else { nil }
        }
        #expect(lane == [Limits.standard.repairsUntoldMax])
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
                call, (0..<1_024).map { Item(type: 1, id: id + $0) },
                next: RepairCursor(typeNumber: 1, itemID: id + 1_023))
            id += 1_024
            next = script.core.repairs.isFull ? nil : next
        }
        #expect(script.core.repairs.count == Limits.standard.repairsMax)
        #expect(script.core.readableGeneration == nil)
        #expect(script.core.writableGeneration != nil)
    }

    private static func permit(at now: Int64) -> WritePermit {
        WritePermit(generation: Script.generation, subscription: 1, era: 0, askedAt: .ms(now))
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

    /// The reads, writes and passes that a script's core asks for, answered as by backends that have `rows` to repair.
    private func serve(_ script: inout Script, rows: [Item], _ did: [Action]) -> Int {
        var did = did
        var tends = 0
        while !did.isEmpty {
            for action in did {
                switch action {
                case .selectRepairs(let call, _): script.repairs(call, rows)
                case .selectCounters(let call, let items): script.databaseHas(call, items.map { counter($0, 1, 1) })
                case .writeThrough(let call, _, _, _): script.wroteThrough(call)
                case .admit(let call, let entries): script.admit(call, entries.map { _ in .admitted(recent: false) })
                case .tend(let call, _):
                    tends += 1
                    script.tend(call)
                default: continue
                }
            }
            did = script.take().filter { if case .commit = $0 { false } else { true } }
        }
        return tends
    }

    @Test("Mended rows are struck off under load as well")
    func mendedRowsAreStruckOffUnderLoad() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend, .repairs])
        let rows = (1...500).map { Item(type: 1, id: Int64($0)) }
        var tends = serve(&script, rows: rows, script.take())
        let client = try script.open()
        for round in 0..<200 {
            // Always a batch on the wire, 50 ms each.
            script.send(.like(Pair(user: Int64(round), item: post)), on: client)
            let call = try admitted(&script)
            script.pass(ms: 50)
            tends += serve(&script, rows: rows, script.take())
            script.commit(call, changed: [true], [counter(post, Int64(round), Int64(round + 1))])
            tends += serve(&script, rows: rows, script.take())
        }
        #expect(tends >= 3)
        #expect(script.core.repairs.mendedCount < 2 * rows.count)
    }

    /// Admits what waits; the commit that follows.
    private func admitted(_ script: inout Script) throws -> CallID {
        for action in script.take() {
            if case .admit(let call, let entries) = action {
                script.admit(call, entries.map { _ in .admitted(recent: false) })
            }
        }
        let commits = script.take().compactMap { if case .commit(let call, _) = $0 { call } else { nil } }
        return try #require(commits.first)
    }

    @Test("Without the lane, mended rows wait for it within a limit")
    func mendedRowsWaitWithinALimit() {
        var repairs = Repairs()
        let items = (0..<Limits.standard.repairsMendedMax + 10).map { Item(type: 0, id: Int64($0)) }
        repairs.learn(items)
        let (taken, read) = repairs.takeToRead(max: .max, now: .ms(0))
        repairs.settle(taken.map { counter($0, 1, 1) }, read: read, Self.permit(at: 0))
        repairs.wrote(repairs.takeToWrite(max: .max, Self.permit(at: 0)))
        #expect(repairs.mendedCount == Limits.standard.repairsMendedMax)
        #expect(repairs.count == 0)
    }

    @Test("A refused tend is tried again after a while, and batches go on meanwhile")
    func aRefusedTendIsTriedAgainAfterAWhile() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.commit(try admitted(&script), changed: [true], [counter(post, 8, 5)])
        _ = script.take()
        script.lose(.redis)
        guard case .tend(let call, _)? = script.take().last else {
            Issue.record("nobody was told")
            return
        }
        script.fail(call, .other("permission denied for table cache_repairs"))
        #expect(script.take() == [])
        script.send(.like(bob), on: client)
        #expect(script.commits.last?.journal == [post])
    }

    @Test("While Redis refuses writes, no more repairs are kept than the limit, and Redis is not read past it")
    func noMoreRepairsAreKeptThanTheLimit() throws {
        var script = Script(
            {
                $0.rateLimitRequests = 0
                $0.localCacheEntries = 0
            }, byHand: [.repairs])
        script.repairs(1, [])
        #expect(script.core.readableGeneration != nil)
        let client = try script.open()
        var id: Int64 = 0
        for _ in 0..<140 {
            let pairs = (0..<1_000).map { Pair(user: 1, item: Item(type: 0, id: id + $0)) }
            id += 1_000
            script.step { core, now, actions in
                for pair in pairs { core.received(.like(pair), on: client, now: now, into: &actions) }
            }
            let call = try admitted(&script)
            script.commit(call, changed: pairs.map { _ in true }, pairs.map { counter($0.item, 1, 1) })
            for _ in 0..<2 {
                for action in script.take() {
                    switch action {
                    case .writeThrough(let call, _, _, _): script.redisFails(call)
                    case .selectCounters(let call, let items): script.databaseHas(call, items.map { counter($0, 1, 1) })
                    default: continue
                    }
                }
            }
        }
        #expect(script.core.repairs.count <= Limits.standard.repairsMax + Limits.standard.batchChangesMax)
        #expect(script.core.readableGeneration == nil)
    }

    @Test("A host that stops tells what only it knows")
    func aHostThatStopsTellsWhatOnlyItKnows() throws {
        var script = Script(byHand: [.tend])
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 3, 3)])
        // Heard of something newer: what was filled may have come after it.
        script.hear(counter(post, 4, 4))
        _ = script.take()
        script.step { core, now, actions in core.stop(now: now, into: &actions) }
        guard case .tend(let call, let request)? = script.take().last else {
            Issue.record("it was forgotten")
            return
        }
        #expect(request.repairs == [post])
        script.tend(call)
        #expect(script.take() == [.stopped])
    }

    @Test("Queues of repairs do not grow while nothing can be read or written")
    func queuesOfRepairsDoNotGrow() throws {
        var repairs = Repairs()
        let permit = WritePermit(generation: Script.generation, subscription: 1, era: 0, askedAt: .ms(0))
        for version in 1...10_000 as ClosedRange<Int64> {
            repairs.reread([post])
            repairs.know(counter(post, version, version), permit)
        }
        #expect(repairs.placesCount <= 2 * (2 + 1_024) + 2)
        #expect(repairs.takeToWrite(max: 10, permit).map(\.version) == [10_000])
    }
}
