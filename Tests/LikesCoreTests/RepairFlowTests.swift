import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// Many repairs, with backends that take their time, in virtual time.
@Suite struct RepairFlowTests {
    /// One host, a table of repairs, and how long each call takes.
    private struct World {
        var scenario: Scenario
        var rows: [Item: Int64]
        var readMs: Int64 = 10
        /// For a whole page.
        var writeMs: Int64 = 10
        var tendMs: Int64 = 30
        private(set) var reads: [Item: Int] = [:]
        private(set) var writes: [Item: Int] = [:]
        private(set) var callsOnWireMax = 0
        private var pending: [(at: Instant, action: Action)] = []
        private var order: [Item]

        init(rows count: Int) {
            scenario = Scenario({ $0.localCacheEntries = 0 }, byHand: [.tend, .repairs])
            order = (1...count).map { Item(type: 0, id: Int64($0)) }
            rows = Dictionary(uniqueKeysWithValues: order.map { ($0, 1) })
        }

        var ms: Int64 { scenario.now.ms(since: .ms(1_000)) }

        /// Goes on until `isDone`, for `msMax` at most.
        mutating func run(for msMax: Int64, until isDone: (World) -> Bool) {
            while !isDone(self), ms < msMax {
                for action in scenario.takeWithCalls() {
                    guard let delay = delay(of: action) else { continue }
                    let at = scenario.now.adding(ms: delay)
                    let place = pending.firstIndex { $0.at > at } ?? pending.count
                    pending.insert((at, action), at: place)
                }
                callsOnWireMax = max(callsOnWireMax, pending.count)
                let tick = scenario.core.nextTick
                if let next = pending.first, tick.map({ next.at <= $0 }) ?? true {
                    pending.removeFirst()
                    scenario.now = max(scenario.now, next.at)
                    answer(next.action)
                } else if let tick {
                    scenario.now = max(scenario.now, tick)
                    scenario.pass(ms: 0)
                } else {
                    return
                }
            }
        }

        private func delay(of action: Action) -> Int64? {
            switch action {
            case .reader(_, .selectRepairs), .reader(_, .selectCounters): readMs
            case .redis(_, _, .writeThrough(_, let counters, _)):
                max(1, writeMs * Int64(counters.count) / Int64(Limits.standard.countersPerCallMax))
            case .lane(_, .tend): tendMs
            default: nil
            }
        }

        private mutating func answer(_ action: Action) {
            switch action {
            case .reader(let call, .selectRepairs(let select)):
                let begin = max(0, Int(select.after.itemID))
                let page = order[begin...].filter { rows[$0] != nil }.prefix(Limits.standard.countersPerCallMax)
                let items = Array(page)
                let next =
                    items.count < Limits.standard.countersPerCallMax
                    ? nil : items.last.map { RepairCursor(notedBy: 7, typeNumber: 1, itemID: $0.id) }
                scenario.repairs(call: call, items, next: next)
            case .reader(let call, .selectCounters(let items)):
                for item in items { reads[item, default: 0] += 1 }
                scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
            case .redis(_, let call, .writeThrough(_, let counters, _)):
                for sealed in counters { writes[sealed.counter.item, default: 0] += 1 }
                scenario.wroteThrough(call: call)
            case .lane(let call, .tend(let request)):
                for counter in request.mended { rows[counter.item] = nil }
                scenario.tend(call: call)
            default: return
            }
        }
    }

    @Test("Repairs are made even while they may not be struck off because another host may use another Redis")
    func repairsThatMayNotBeStruckOffAreMadeAllTheSame() {
        var world = World(rows: 60_000)
        world.scenario.tokens = ["bbbbbbbbbbbb"]
        world.scenario.freshTokens = []
        world.scenario.pass(ms: Limits.surveyMs)
        world.run(for: 20_000) { $0.writes.count == 60_000 }
        #expect(world.writes.count == 60_000)
        #expect(world.rows.count == 60_000)
    }

    @Test(
        "Each repair is read and set once, however fast the backends are, and none waits for what is not on the wire",
        arguments: [
            (60_000, 10, 10, 30), (60_000, 3, 40, 30), (100_000, 3, 90, 30), (60_000, 100, 5, 300),
            (20_000, 700, 9, 30),
        ])
    func eachRepairIsReadAndSetOnce(rows: Int, readMs: Int64, writeMs: Int64, tendMs: Int64) {
        var world = World(rows: rows)
        (world.readMs, world.writeMs, world.tendMs) = (readMs, writeMs, tendMs)
        world.run(for: 600_000) { $0.rows.isEmpty }
        #expect(world.rows.isEmpty)
        #expect(world.reads.values.allSatisfy { $0 == 1 })
        #expect(world.writes.values.allSatisfy { $0 == 1 })
        // The slowest step sets the pace; the others are done at the same time.
        let pages = Int64(rows / Limits.standard.countersPerCallMax + 1)
        let slowest = max(2 * readMs, writeMs, tendMs / 4)
        #expect(world.ms <= pages * slowest * 3 / 2 + 10 * readMs + 1_000)
    }

    @Test("Redis made anew by this host needs none of the repairs known before")
    func redisMadeAnewByThisHostNeedsNoneOfTheRepairsKnownBefore() {
        var scenario = Scenario(byHand: [.identify, .tend])
        _ = scenario.take()
        scenario.lose(.redis)
        scenario.step { core, turn in core.noteMissing([post], now: turn.now) }
        scenario.tend()
        scenario.step { core, turn in core.noteMissing([other], now: turn.now) }
        #expect(scenario.core.repairs.count == 2)
        scenario.connect(.redis)
        // It looks at the marker, at the database, and makes one.
        for _ in 0..<4 {
            for action in scenario.takeWithCalls() {
                switch action {
                case .redis(_, let call, .identify(let request)):
                    let made = request.new.map {
                        Generation(server: "new:repl", database: Scenario.identity, token: $0.token)
                    }
                    scenario.identify(call: call, made)
                case .lane(let call, .tend(_)): scenario.tend(call: call)
                default: continue
                }
            }
        }
        #expect(scenario.core.coherence.trust.generation != nil)
        #expect(scenario.core.repairs.count == 0)
    }
}
