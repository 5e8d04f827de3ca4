import LikesProtocol
import Testing

@testable import LikesCore

// Repairs and the lane: telling other hosts, striking off, and what is kept meanwhile.
extension RepairTests {
    /// Answers the reads, writes and passes that the core asks for, as backends do that have `rows` to repair.
    func serve(_ scenario: inout Scenario, rows: [Item], _ did: [Action]) -> Int {
        var did = did
        var tends = 0
        while !did.isEmpty {
            for action in did {
                switch action {
                case .reader(let call, .selectRepairs(_)): scenario.repairs(call: call, rows)
                case .reader(let call, .selectCounters(let items)):
                    scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
                case .redis(_, let call, .writeThrough(_, _, _)): scenario.wroteThrough(call: call)
                case .redis(_, let call, .admit(let entries, _)):
                    scenario.admit(call: call, entries.map { _ in .admitted(recent: false) })
                case .lane(let call, .tend(_)):
                    tends += 1
                    scenario.tend(call: call)
                default: continue
                }
            }
            did = scenario.takeWithCalls().filter { if case .lane(_, .commit) = $0 { false } else { true } }
        }
        return tends
    }

    @Test("A mended row stays while another host may use another Redis, and goes once all name the same")
    func aMendedRowStaysWhileAnotherHostMayUseAnotherRedis() {
        var scenario = Scenario(up: [], byHand: [.tend, .repairs])
        // Another host's row named other data before this host knew its own.
        (scenario.tokens, scenario.freshTokens) = (["bbbbbbbbbbbb"], [])
        for backend in Backend.all(standbys: 0).reversed() { scenario.connect(backend) }
        func struckOff() -> [Item] {
            var struck: [Item] = []
            var did = scenario.takeWithCalls()
            while !did.isEmpty {
                for action in did {
                    switch action {
                    case .reader(let call, .selectRepairs(_)): scenario.repairs(call: call, [post])
                    case .reader(let call, .selectCounters(_)): scenario.databaseHas(call: call, [counter(post, 1, 1)])
                    case .redis(_, let call, .writeThrough(_, _, _)): scenario.wroteThrough(call: call)
                    case .lane(let call, .tend(let request)):
                        struck += request.mended.map(\.item)
                        scenario.tend(call: call)
                    default: continue
                    }
                }
                did = scenario.takeWithCalls()
            }
            return struck
        }
        #expect(struckOff() == [])
        #expect(scenario.core.readableGeneration != nil)
        #expect(scenario.core.repairs[0].mendedCount == 1)
        scenario.pass(ms: Limits.surveyMs)
        #expect(struckOff() == [])
        scenario.tokens = [Scenario.generation.token]
        scenario.pass(ms: Limits.surveyMs)
        scenario.pass(ms: Limits.mendedWaitMs)
        #expect(struckOff() == [post])
    }

    @Test("Mended rows are struck off under load as well")
    func mendedRowsAreStruckOffUnderLoad() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: [.tend, .repairs])
        let rows = (1...500).map { Item(type: 1, id: Int64($0)) }
        var tends = serve(&scenario, rows: rows, scenario.takeWithCalls())
        let client = try scenario.open()
        for round in 0..<200 {
            // Always a batch on the wire, 50 ms each.
            scenario.send(.like(Pair(user: Int64(round), item: post)), on: client)
            let call = try admitted(&scenario)
            scenario.pass(ms: 50)
            tends += serve(&scenario, rows: rows, scenario.takeWithCalls())
            scenario.commit(call: call, changed: [true], [counter(post, Int64(round), Int64(round + 1))])
            tends += serve(&scenario, rows: rows, scenario.takeWithCalls())
        }
        #expect(tends >= 3)
        #expect(scenario.core.repairs[0].mendedCount < 2 * rows.count)
    }

    /// Admits what waits; the commit that follows.
    func admitted(_ scenario: inout Scenario) throws -> CallID {
        for action in scenario.takeWithCalls() {
            if case .redis(_, let call, .admit(let entries, _)) = action {
                scenario.admit(call: call, entries.map { _ in .admitted(recent: false) })
            }
        }
        let commits = scenario.takeWithCalls().compactMap {
            if case .lane(let call, .commit(_)) = $0 { call } else { nil }
        }
        return try #require(commits.first)
    }

    @Test("Without the lane, mended rows wait for it within a limit")
    func mendedRowsWaitForTheLaneWithinALimit() throws {
        var repairs = NodeRepairs()
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
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.commit(call: try admitted(&scenario), changed: [true], [counter(post, 8, 5)])
        _ = scenario.take()
        scenario.lose(.redis)
        _ = scenario.take()
        scenario.fail(.other("permission denied for table cache_repairs"))
        #expect(scenario.take() == [])
        scenario.send(.like(bob), on: client)
        #expect(scenario.commits.last?.journal == [post])
    }

    @Test("While Redis refuses writes, no more repairs are kept than the limit, and Redis is not read past it")
    func whileRedisRefusesWritesNoMoreRepairsAreKeptThanTheLimit() throws {
        var scenario = Scenario(
            {
                $0.rateLimitRequests = 0
                $0.localCacheEntries = 0
            }, byHand: [.repairs])
        scenario.repairs([])
        #expect(scenario.core.readableGeneration != nil)
        let client = try scenario.open()
        var id: Int64 = 0
        for _ in 0..<140 {
            let pairs = (0..<1_000).map { Pair(user: 1, item: Item(type: 0, id: id + $0)) }
            id += 1_000
            scenario.step { core, turn in
                for pair in pairs { core.received(.like(pair), on: client, &turn) }
            }
            let call = try admitted(&scenario)
            scenario.commit(call: call, changed: pairs.map { _ in true }, pairs.map { counter($0.item, 1, 1) })
            for _ in 0..<2 {
                for action in scenario.takeWithCalls() {
                    switch action {
                    case .redis(_, let call, .writeThrough(_, _, _)): scenario.redisFails(call: call)
                    case .reader(let call, .selectCounters(let items)):
                        scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
                    default: continue
                    }
                }
            }
        }
        #expect(scenario.core.repairs.count <= Limits.standard.repairsMax + Limits.standard.batchChangesMax)
        #expect(scenario.core.readableGeneration == nil)
    }

    @Test(
        "A row is struck off even if the item was set in Redis while others were being told of it",
        arguments: [true, false])
    func whatIsSetInRedisWhileItIsToldIsStruckOffAllTheSame(isTold: Bool) {
        var repairs = NodeRepairs()
        repairs.note([counter(post, 5, 5)])
        let told = repairs.takeToTell(max: 10)
        #expect(told == [post])
        repairs.wroteThrough([counter(post, 5, 5)])
        if isTold { repairs.told(told, isKept: true) } else { repairs.tellingFailed(told) }
        #expect(repairs.takeMended(max: 10) == [MendedRow(item: post, version: 5)])
        #expect(repairs.count == 0 && repairs.untoldCount == 0)
        // An item that was not told has no row.
        repairs.note([counter(post, 6, 6)])
        repairs.wroteThrough([counter(post, 6, 6)])
        #expect(repairs.mendedCount == 0)
    }

    @Test("A host that stops tells what only it knows")
    func aHostThatStopsTellsWhatOnlyItKnows() throws {
        var scenario = Scenario(byHand: [.tend])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 3, 3)])
        // It has heard of a newer count, which the fill may have overwritten.
        scenario.hear(counter(post, 4, 4))
        _ = scenario.take()
        scenario.step { core, turn in core.stop(&turn) }
        guard case .lane(_, .tend(let request))? = scenario.take().last else {
            Issue.record("it was forgotten")
            return
        }
        #expect(request.repairs == [post])
        scenario.tend()
        #expect(scenario.take() == [.stopped])
    }

    @Test("The pool's places do not grow while nothing can be read or written")
    func thePoolsPlacesDoNotGrowWhileNothingCanBeReadOrWritten() {
        var repairs = NodeRepairs()
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
