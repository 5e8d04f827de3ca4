import LikesProtocol
import Testing

@testable import LikesCore

// Repairs and the lane: telling other hosts, striking off, and what is kept meanwhile.
extension RepairTests {
    /// The reads, writes and passes that a script's core asks for, answered as by backends that have `rows` to repair.
    func serve(_ script: inout Script, rows: [Item], _ did: [Action]) -> Int {
        var did = did
        var tends = 0
        while !did.isEmpty {
            for action in did {
                switch action {
                case .reader(let call, .selectRepairs(_)): script.repairs(call, rows)
                case .reader(let call, .selectCounters(let items)):
                    script.databaseHas(call, items.map { counter($0, 1, 1) })
                case .redis(let call, .writeThrough(_, _, _)): script.wroteThrough(call)
                case .redis(let call, .admit(let entries)):
                    script.admit(call, entries.map { _ in .admitted(recent: false) })
                case .lane(let call, .tend(_)):
                    tends += 1
                    script.tend(call)
                default: continue
                }
            }
            did = script.take().filter { if case .lane(_, .commit) = $0 { false } else { true } }
        }
        return tends
    }

    @Test("A mended row stays while another host may use another Redis, and goes once all name one")
    func aMendedRowStaysWhileAnotherHostMayUseAnotherRedis() throws {
        var script = Script(up: [], byHand: [.tend, .repairs])
        // By the rows of those that have said so before this one knew its data.
        (script.generations, script.freshGenerations) = (["bbbbbbbbbbbb"], [])
        for backend in Backend.allCases.reversed() { script.connect(backend) }
        func struckOff() -> [Item] {
            var struck: [Item] = []
            var did = script.take()
            while !did.isEmpty {
                for action in did {
                    switch action {
                    case .reader(let call, .selectRepairs(_)): script.repairs(call, [post])
                    case .reader(let call, .selectCounters(_)): script.databaseHas(call, [counter(post, 1, 1)])
                    case .redis(let call, .writeThrough(_, _, _)): script.wroteThrough(call)
                    case .lane(let call, .tend(let request)):
                        struck += request.mended.map(\.item)
                        script.tend(call)
                    default: continue
                    }
                }
                did = script.take()
            }
            return struck
        }
        #expect(struckOff() == [])
        #expect(script.core.readableGeneration != nil)
        #expect(script.core.repairs.mendedCount == 1)
        script.pass(ms: Limits.surveyMs)
        #expect(struckOff() == [])
        script.generations = [Script.generation.token]
        script.pass(ms: Limits.surveyMs)
        script.pass(ms: Limits.mendedWaitMs)
        #expect(struckOff() == [post])
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
    func admitted(_ script: inout Script) throws -> CallID {
        for action in script.take() {
            if case .redis(let call, .admit(let entries)) = action {
                script.admit(call, entries.map { _ in .admitted(recent: false) })
            }
        }
        let commits = script.take().compactMap { if case .lane(let call, .commit(_)) = $0 { call } else { nil } }
        return try #require(commits.first)
    }

    @Test("Without the lane, mended rows wait for it within a limit")
    func mendedRowsWaitForTheLaneWithinALimit() throws {
        var repairs = Repairs()
        let items = (0..<Limits.standard.repairsMendedMax + 10).map { Item(type: 0, id: Int64($0)) }
        repairs.learn(items.map { RepairRow(item: $0, version: 1) })
        while let (page, items) = repairs.takePage(Self.permit(at: 0)) {
            repairs.read(page, items.map { counter($0, 1, 1) })
            let write = try Self.toWrite(&repairs)
            repairs.wrote(write.page, write.counters, now: .ms(0))
        }
        #expect(repairs.mendedCount == Limits.standard.repairsMendedMax)
        #expect(!repairs.hasRoomForMended)
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
        guard case .lane(let call, .tend(_))? = script.take().last else {
            Issue.record("nobody was told")
            return
        }
        script.fail(call, .other("permission denied for table cache_repairs"))
        #expect(script.take() == [])
        script.send(.like(bob), on: client)
        #expect(script.commits.last?.journal == [post])
    }

    @Test("While Redis refuses writes, no more repairs are kept than the limit, and Redis is not read past it")
    func whileRedisRefusesWritesNoMoreRepairsAreKeptThanTheLimit() throws {
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
            script.step { core, turn in
                for pair in pairs { core.received(.like(pair), on: client, &turn) }
            }
            let call = try admitted(&script)
            script.commit(call, changed: pairs.map { _ in true }, pairs.map { counter($0.item, 1, 1) })
            for _ in 0..<2 {
                for action in script.take() {
                    switch action {
                    case .redis(let call, .writeThrough(_, _, _)): script.redisFails(call)
                    case .reader(let call, .selectCounters(let items)):
                        script.databaseHas(call, items.map { counter($0, 1, 1) })
                    default: continue
                    }
                }
            }
        }
        #expect(script.core.repairs.count <= Limits.standard.repairsMax + Limits.standard.batchChangesMax)
        #expect(script.core.readableGeneration == nil)
    }

    @Test("What is set in Redis while it is told has its row struck off all the same", arguments: [true, false])
    func whatIsSetInRedisWhileItIsToldIsStruckOffAllTheSame(isTold: Bool) {
        var repairs = Repairs()
        repairs.note([counter(post, 5, 5)])
        let told = repairs.takeToTell(max: 10)
        #expect(told == [post])
        repairs.wroteThrough([counter(post, 5, 5)])
        if isTold { repairs.told(told, isKept: true) } else { repairs.tellingFailed(told) }
        #expect(repairs.takeMended(max: 10) == [MendedRow(item: post, version: 5)])
        #expect(repairs.count == 0 && repairs.untoldCount == 0)
        // Of one that was not told there is no row.
        repairs.note([counter(post, 6, 6)])
        repairs.wroteThrough([counter(post, 6, 6)])
        #expect(repairs.mendedCount == 0)
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
        script.step { core, turn in core.stop(&turn) }
        guard case .lane(let call, .tend(let request))? = script.take().last else {
            Issue.record("it was forgotten")
            return
        }
        #expect(request.repairs == [post])
        script.tend(call)
        #expect(script.take() == [.stopped])
    }

    @Test("The pool's places do not grow while nothing can be read or written")
    func thePoolsPlacesDoNotGrowWhileNothingCanBeReadOrWritten() throws {
        var repairs = Repairs()
        for version in 1...10_000 as ClosedRange<Int64> {
            if let (page, _) = repairs.takePage(Self.permit(at: 0)) {
                repairs.read(page, [counter(post, version, version)])
            }
            repairs.note([counter(post, version, version)])
        }
        #expect(repairs.pool.count <= 2 + Limits.standard.countersPerCallMax)
        #expect(repairs.pages.count <= Limits.repairPagesMax)
        Self.read(&repairs, counter(post, 10_000, 10_000))
        #expect(Self.written(&repairs).map(\.version) == [10_000])
    }
}
