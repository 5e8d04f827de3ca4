import LikesProtocol
import Testing

@testable import LikesCore

// Standbys that are slow, behind, or standbys no more.
extension StandbyTests {
    @Test("While a standby is slow and counts wait, the loop sleeps")
    func whileAStandbyIsSlowTheLoopSleeps() throws {
        var host = try Host()
        host.miss(post)
        host.scenario.pass(ms: Limits.standbySlowMs)
        for id: Int64 in 20..<40 { host.miss(Item(type: 0, id: id)) }
        #expect(host.scenario.core.reads.hasForDatabase)
        #expect(host.scenario.core.nextTick.map { $0 > host.scenario.now } ?? true)
    }

    @Test("A standby that takes writes is left, and its items are read from the primary")
    func aStandbyThatTakesWritesIsLeft() throws {
        var host = try Host()
        host.miss(post)
        _ = host.take()
        host.scenario.answer(
            nil, .countersSelected(nil, [counter(post, 5, 9)]), of: 0, sourceLocation: #_sourceLocation)
        let done = host.scenario.take()
        #expect(done.contains(.disconnect(.standby(0))))
        #expect(done.contains(.selectCounters([post])))
        host.scenario.databaseHas([counter(post, 5, 9)])
        #expect(host.take() == [.reply(host.client, .integer(5))])
        host.scenario.pass(ms: Limits.standbyRetryMs - 1)
        #expect(!host.scenario.take().contains(.connect(.standby(0))))
        host.scenario.pass(ms: 10)
        #expect(host.scenario.take().contains(.connect(.standby(0))))
    }

    @Test("HEALTH speaks of a standby that stays behind until it is fresh again")
    func healthSpeaksOfAStandbyThatStaysBehind() throws {
        var host = try Host()
        func ask(at position: Int64) {
            host.scenario.pass(ms: 400)
            host.miss(Item(type: 0, id: host.scenario.now.microseconds))
            // An answer may bring the next call.
            while case let actions = host.scenario.takeWithCalls(), !actions.isEmpty {
                for action in actions {
                    switch action {
                    case .reader(_, .selectPosition): host.learn()
                    case .reader(let call, .selectCounters(let items)):
                        host.scenario.databaseHas(call: call, items.map { counter($0, 1, 1) })
                    case .standby(_, _, .selectCounters(let items, _)):
                        host.answer(items.map { counter($0, 1, 1) }, at: position)
                    default: continue
                    }
                }
            }
        }
        var isShown: Bool { host.scenario.core.healthMessage(now: host.scenario.now).contains("too far behind") }
        for _ in 0..<100 { ask(at: 50) }
        #expect(isShown)
        #expect(
            host.scenario.core.metricsText(now: host.scenario.now).contains("likesd_standby_fresh{standby=\"1\"} 0"))
        for _ in 0..<3 { ask(at: 100) }
        #expect(!isShown)
    }

    @Test("A standby that was promoted is no trouble; a primary named as one is")
    func aPromotedStandbyIsNoTrouble() throws {
        var host = try Host()
        host.miss(post)
        host.scenario.answer(
            nil, .countersSelected(nil, [counter(post, 5, 9)]), of: 0, sourceLocation: #_sourceLocation)
        #expect(host.scenario.core.healthMessage(now: host.scenario.now) == "")
        var other = Scenario(
            { $0.databaseReplicaURLs = ["postgresql:///likes"] }, up: [.redis, .subscriber, .lane, .reader])
        other.step { core, turn in
            core.databaseConnected(.standby(0), DatabaseFacts(identity: Scenario.identity), &turn)
        }
        #expect(other.core.healthMessage(now: other.now).contains("it takes writes"))
    }

    @Test("Nobody waits long for a standby: others ask the primary soon, and then those whom it did not answer")
    func nobodyWaitsLongForAStandby() throws {
        var host = try Host()
        host.miss(post)
        #expect(host.take() == [.askStandby([post], lane: host.lane.lane)])
        host.scenario.pass(ms: Limits.standbySlowMs)
        host.miss(Self.third)
        #expect(host.take() == [.selectCounters([Self.third])])
        host.scenario.pass(ms: Limits.standbyCallMsMax)
        let done = host.scenario.take()
        #expect(done.contains(.disconnect(.standby(0))))
        #expect(done.contains(.selectCounters([post])))
    }
}
