import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// Counters that may be out of date in Redis.
@Suite struct RepairTests {
    @Test("Without Redis a batch notes for all hosts what it changes, and nothing is kept here")
    func withoutRedisABatchNotesWhatItChanges() throws {
        var scenario = Scenario(up: [.subscriber, .lane, .reader])
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        #expect(scenario.commits.last?.cutOff == .all)
        #expect(scenario.commits.last?.journal == [])
        scenario.commit(changed: [true], [counter(post, 8, 5)])
        #expect(scenario.core.repairs.count == 0)
    }

    @Test("What Redis missed on the wire is told to all hosts, and looked up again before Redis is read")
    func whatRedisMissedOnTheWireIsToldToAllHostsAndLookedUpAgain() throws {
        var scenario = Scenario({ $0.localCacheEntries = 0 }, byHand: [.tend, .repairs])
        scenario.repairs([])
        let client = try scenario.open()
        _ = scenario.take()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 8, 5)])
        #expect(scenario.core.takeJournal(with: []) == [post])
        _ = scenario.take()
        scenario.lose(.redis)
        let told = TendRequest(
            fence: LaneFence(lane: scenario.core.lane.row.lane, epoch: 1), repairs: [post], mended: [], journal: [])
        #expect(scenario.take() == [.reply(client, .change(changed: true, count: 8)), .tend(told)])
        scenario.tend()
        #expect(scenario.core.repairs.contains(post, on: 0))
        #expect(scenario.core.repairs.untoldCount == 0)
        scenario.connect(.redis)
        let next = RepairSelect(after: RepairCursor(begin: 1))
        #expect(scenario.take() == [.selectRepairs(next), .selectCounters([post])])
        let again = try scenario.call(.selectCounters([post]))
        scenario.send(.count(other), on: client)
        #expect(scenario.take() == [.selectCounters([other])])
        scenario.repairs([post])
        scenario.databaseHas(call: again, [counter(post, 9, 6)])
        #expect(scenario.take() == [.writeThrough(counters: [counter(post, 9, 6)], recent: [])])
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.wroteThrough()
        scenario.send(.count(Item(type: 1, id: 1)), on: client)
        #expect(scenario.take() == [.readCounters([Item(type: 1, id: 1)])])
        scenario.redisHas([nil])
        scenario.pass(ms: Limits.mendedWaitMs)
        guard case .lane(_, .tend(let mended))? = scenario.take().last else {
            Issue.record("nothing was struck off")
            return
        }
        #expect(mended.mended == [MendedRow(item: post, version: 6)])
    }

    @Test(
        "A refused write-through is told and tried again after a while, and Redis is not asked for the item until then")
    func aRefusedWriteThroughIsTriedAgain() throws {
        var scenario = Scenario { $0.localCacheEntries = 0 }
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 8, 5)])
        scenario.redisFails()
        #expect(scenario.replies(client) == [.change(changed: true, count: 8)])
        scenario.databaseHas([counter(post, 8, 5)])
        scenario.redisFails()
        #expect(scenario.core.repairs.untoldCount == 0)
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.selectCounters([post])])
        scenario.databaseHas([counter(post, 8, 5)])
        #expect(scenario.replies(client) == [.integer(8)])
        scenario.pass(ms: Limits.repairRetryMs)
        #expect(scenario.take().last == .selectCounters([post]))
        scenario.databaseHas([counter(post, 8, 5)])
        #expect(scenario.take() == [.writeThrough(counters: [counter(post, 8, 5)], recent: [])])
        scenario.wroteThrough()
        scenario.send(.count(post), on: client)
        #expect(scenario.take() == [.readCounters([post])])
    }

    @Test("Counters that Redis had no room for are gone from it, and nothing is left to repair")
    func countersThatRedisHadNoRoomForLeaveNothingToRepair() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 8, 5)])
        scenario.wroteThrough(refusal: "OOM")
        #expect(scenario.core.repairs.count == 0)
        #expect(!scenario.core.isRedisHealthy)
    }

    @Test("With too many untold the lane tells them before it goes on")
    func withTooManyUntoldTheLaneTellsThemBeforeItGoesOn() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, byHand: [.tend])
        scenario.core.repairs[0].note((0..<Limits.standard.repairsUntoldMax).map { Item(type: 1, id: Int64($0)) })
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        let lane = scenario.take().compactMap {
            if case .lane(_, .tend(let request)) = $0 { request.repairs.count } else { nil }
        }
        #expect(lane == [Limits.standard.repairsUntoldMax])
        #expect(scenario.commits.isEmpty)
    }

    @Test("If other hosts note more repairs than can be remembered, Redis is not read until some are mended")
    func withMoreRepairsThanCanBeRememberedRedisIsNotRead() {
        var scenario = Scenario(up: [.redis, .lane, .reader], byHand: [.repairs])
        var id: Int64 = 0
        var reads: [Action] = []
        while true {
            let actions = scenario.takeWithCalls()
            reads += actions.filter { if case .reader(_, .selectCounters) = $0 { true } else { false } }
            let passes = actions.compactMap { if case .reader(let call, .selectRepairs(_)) = $0 { call } else { nil } }
            guard let call = passes.first else { break }
            id += 1_024
            scenario.repairs(
                call: call, (0..<1_024).map { Item(type: 1, id: id - $0) },
                next: RepairCursor(notedBy: 5, typeNumber: 2, itemID: id))
        }
        #expect(scenario.core.repairs.count == Limits.standard.repairsMax)
        #expect(scenario.core.readableGeneration == nil)
        #expect(scenario.core.writableGeneration != nil)
        #expect(reads.count == 1, "one page at a time is read")
        // The pass waits where it is until there is room for another page, then it goes on there.
        var after: RepairCursor?
        var did = reads
        for _ in 0..<20 where after == nil {
            for action in did {
                switch action {
                case .reader(let call, .selectCounters(let items)):
                    scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
                case .redis(_, let call, .writeThrough(_, _, _)): scenario.wroteThrough(call: call)
                case .reader(_, .selectRepairs(let select)): after = select.after
                default: continue
                }
            }
            did = scenario.takeWithCalls()
        }
        #expect(after == RepairCursor(notedBy: 5, typeNumber: 2, itemID: id))
        #expect(scenario.core.readableGeneration == nil)
    }

    static func permit(at now: Int64) -> WritePermit {
        WritePermit(
            nodes: [NodePermit(generation: Scenario.generation, subscription: 1, identifiedAt: .ms(0), slotsWon: 0)],
            era: 0,
            askedAt: .ms(now))
    }

    static func rows(_ items: Item..., version: Int64 = 1) -> [RepairRow] {
        items.map { RepairRow(item: $0, version: version, notedBy: version) }
    }

    static func page(_ repairs: inout NodeRepairs, at now: Int64) throws -> (page: UInt64, items: [Item]) {
        let page = repairs.takePage(permit(at: now))
        return try #require(page)
    }

    /// The items of the next page; empty if there is no page.
    static func items(_ repairs: inout NodeRepairs, at now: Int64) -> [Item] {
        repairs.takePage(permit(at: now))?.items ?? []
    }

    static func toWrite(_ repairs: inout NodeRepairs) throws -> (page: UInt64, counters: [CounterState]) {
        let taken = repairs.takeToWrite(permit(at: 0))
        let write = try #require(taken)
        return (write.page, write.counters)
    }

    /// Reads the next page; PostgreSQL has these counters.
    static func read(_ repairs: inout NodeRepairs, _ counters: CounterState..., at now: Int64 = 0) {
        guard let (page, items) = repairs.takePage(permit(at: now)) else { return }
        #expect(Set(items) == Set(counters.map(\.item)))
        repairs.read(page, counters)
    }

    /// What the next page writes.
    static func written(_ repairs: inout NodeRepairs, at now: Int64 = 0) -> [CounterState] {
        repairs.takeToWrite(permit(at: now))?.counters ?? []
    }

    @Test("A counter that changes while its repair is on the way is repaired again, and told again")
    func aCounterThatChangesWhileItsRepairIsOnTheWayIsRepairedAgain() throws {
        var repairs = NodeRepairs()
        repairs.learn(Self.rows(post))
        Self.read(&repairs, counter(post, 1, 1))
        let (first, counters) = try Self.toWrite(&repairs)
        repairs.note([post])
        repairs.wrote(first, counters, now: .ms(0))
        #expect(repairs.untold.inOrder == [post])
        Self.read(&repairs, counter(post, 2, 2))
        let (second, again) = try Self.toWrite(&repairs)
        #expect(again == [counter(post, 2, 2)])
        repairs.wrote(second, again, now: .ms(0))
        #expect(repairs.takeMended(max: 10) == [MendedRow(item: post, version: 2, notedBy: 1)])
        #expect(repairs.untoldCount == 0)
    }

    @Test("Of several reads of one item only the last counts")
    func ofSeveralReadsOnlyTheLastCounts() throws {
        var repairs = NodeRepairs()
        repairs.note([post])
        let first = try Self.page(&repairs, at: 0)
        repairs.note([post])
        let second = try Self.page(&repairs, at: 0)
        #expect((first.items, second.items) == ([post], [post]))
        repairs.read(first.page, [counter(post, 1, 1)])
        #expect(Self.written(&repairs) == [])
        repairs.read(second.page, [counter(post, 2, 2)])
        #expect(Self.written(&repairs) == [counter(post, 2, 2)])
    }

    @Test("A row that is newer than the read under way has its item read again; a row that is not newer does not")
    func aRowNewerThanAnAnswerOnItsWayIsReadAgain() throws {
        var repairs = NodeRepairs()
        repairs.learn(Self.rows(post, version: 2))
        let first = try Self.page(&repairs, at: 0)
        repairs.learn(Self.rows(post, version: 2))
        #expect(Self.items(&repairs, at: 0).isEmpty)
        repairs.learn(Self.rows(post, version: 3))
        repairs.read(first.page, [counter(post, 2, 2)])
        #expect(Self.written(&repairs) == [])
        Self.read(&repairs, counter(post, 3, 3))
        #expect(Self.written(&repairs) == [counter(post, 3, 3)])
    }

    @Test("What was read too long ago is read again after a while, and holds up no other page")
    func whatWasReadTooLongAgoIsReadAgain() throws {
        var repairs = NodeRepairs()
        repairs.note([post])
        Self.read(&repairs, counter(post, 1, 1))
        let late = Limits.answerAgeMsMax + 1
        #expect(Self.written(&repairs, at: late) == [])
        // After a slow answer the others are told first.
        #expect(repairs.wakeAt == .ms(late + Limits.repairRetryMs))
        repairs.note([other])
        Self.read(&repairs, counter(other, 1, 1), at: late)
        #expect(Self.written(&repairs, at: late) == [counter(other, 1, 1)])
        #expect(Self.items(&repairs, at: late).isEmpty)
        #expect(Self.items(&repairs, at: late + Limits.repairRetryMs) == [post])
    }

    @Test("With many repairs no more pages are under way than the limit")
    func noMorePagesAreUnderWayThanTheLimit() {
        var repairs = NodeRepairs()
        repairs.note((1...20_000).map { Item(type: 0, id: Int64($0)) })
        var pages: [Repairs.PageNumber] = []
        while let page = repairs.takePage(Self.permit(at: 0)) { pages.append(page.page) }
        #expect(pages.count == Limits.repairPagesMax)
        repairs.readFailed(pages[1], now: .ms(0))
        #expect(!Self.items(&repairs, at: 0).isEmpty)
        #expect(Self.items(&repairs, at: 0).isEmpty)
    }

    @Test("Pages grow while Redis takes them quickly, and shrink where it does not, or where answers come too late")
    func pagesGrowAndShrink() throws {
        var repairs = NodeRepairs()
        repairs.note((1...20_000).map { Item(type: 0, id: Int64($0)) })
        func goThrough(writeMs: Int64) throws -> Int {
            let (page, items) = try Self.page(&repairs, at: 0)
            repairs.read(page, items.map { counter($0, 1, 1) })
            let write = try Self.toWrite(&repairs)
            repairs.wrote(write.page, write.counters, now: .ms(writeMs))
            return items.count
        }
        #expect(try (0..<5).map { _ in try goThrough(writeMs: 5) } == [256, 512, 1_024, 1_024, 1_024])
        let slow = Limits.repairWriteMsMax + 1
        #expect(try (0..<5).map { _ in try goThrough(writeMs: slow) } == [1_024, 512, 256, 256, 256])
        let (page, items) = try Self.page(&repairs, at: 0)
        repairs.read(page, items.map { counter($0, 1, 1) })
        #expect(Self.written(&repairs, at: Limits.answerAgeMsMax + 1) == [])
        let smaller = try Self.page(&repairs, at: 0)
        #expect(smaller.items.count == 128)
    }

    @Test("What another host has set is not set here, unless it is on its way; an older one says nothing")
    func whatAnotherHostHasSetIsNotSetHere() throws {
        var repairs = NodeRepairs()
        let third = Item(type: 0, id: 3)
        repairs.learn(Self.rows(post, other, third, version: 5))
        repairs.heard(counter(post, 4, 4))
        #expect(repairs.contains(post))
        repairs.heard(counter(post, 5, 5))
        #expect(!repairs.contains(post))
        let (page, items) = try Self.page(&repairs, at: 0)
        #expect(Set(items) == [other, third])
        repairs.read(page, [counter(other, 6, 6), counter(third, 6, 6)])
        repairs.heard(counter(third, 7, 7))
        let write = try Self.toWrite(&repairs)
        #expect(write.counters == [counter(other, 6, 6)])
        // The host hears its own message before the answer.
        repairs.heard(counter(other, 6, 6))
        repairs.wrote(write.page, write.counters, now: .ms(0))
        #expect(repairs.takeMended(max: 10).map(\.version) == [6])
        #expect((repairs.count, repairs.totals.done, repairs.totals.spared) == (0, 1, 2))
    }

    @Test("If no version of an item is known, what is heard of it proves nothing")
    func whatIsHeardOfAnItemWithoutAKnownVersionProvesNothing() {
        var repairs = NodeRepairs()
        repairs.note([post])
        repairs.note([counter(other, 5, 5)])
        repairs.heard(counter(post, 100, 100))
        repairs.heard(counter(other, 5, 5))
        #expect(repairs.contains(post))
        #expect(!repairs.contains(other))
        #expect(repairs.untold.inOrder == [post])
    }

    @Test("A row with a version that PostgreSQL has not reached is struck off as it was seen")
    func aRowWithAVersionThatPostgreSQLHasNotReachedIsStruckOff() throws {
        var repairs = NodeRepairs()
        let row = RepairRow(item: post, version: 9, notedBy: 70)
        repairs.learn([row])
        Self.read(&repairs, counter(post, 3, 3))
        // Noted again after PostgreSQL was asked.
        let again = RepairRow(item: post, version: 9, notedBy: 71)
        repairs.learn([again])
        let write = try Self.toWrite(&repairs)
        repairs.wrote(write.page, write.counters, now: .ms(0))
        let mended = repairs.takeMended(max: 10)
        #expect(mended == [MendedRow(item: post, version: 3, notedBy: 70)])
        #expect(mended[0].covers(row))
        #expect(!mended[0].covers(again))
        repairs.learn([again])
        #expect(repairs.contains(post))
    }

    @Test("A row that was struck off is not repaired again if an earlier pass had seen it")
    func aRowThatIsDeletedButWasSeenBeforeIsNotRepairedAgain() throws {
        var repairs = NodeRepairs()
        repairs.learn(Self.rows(post))
        Self.read(&repairs, counter(post, 1, 1))
        let write = try Self.toWrite(&repairs)
        repairs.wrote(write.page, write.counters, now: .ms(0))
        let mended = repairs.takeMended(max: 10)
        repairs.learn(Self.rows(post))
        #expect(repairs.count == 0)
        repairs.struck(mended, mayBeSeen: true)
        repairs.learn(Self.rows(post))
        #expect(repairs.count == 0)
        // A newer one is.
        repairs.learn(Self.rows(post, version: 2))
        #expect(repairs.count == 1)
        repairs.heard(counter(post, 2, 2))
        repairs.forgetStruckOff()
        // The row was passed over, since another host was at it.
        repairs.learn(Self.rows(post))
        #expect(repairs.count == 1)
    }

    @Test("A new marker settles what was known to be missing when its call was sent, and nothing that came later")
    func aNewMarkerSettlesWhatWasKnownToBeMissing() {
        var repairs = NodeRepairs()
        repairs.note([post])
        repairs.beginIdentifying()
        repairs.note([other])
        repairs.identified(isNew: false)
        #expect(repairs.count == 2)
        repairs.beginIdentifying()
        repairs.note([post])
        repairs.identified(isNew: true)
        #expect(repairs.untold.inOrder == [post])
        #expect(!repairs.contains(other))
        #expect(Self.items(&repairs, at: 0) == [post])
    }
}
