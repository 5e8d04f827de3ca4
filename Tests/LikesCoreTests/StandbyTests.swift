import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct StandbyTests {
    static let third = Item(type: 0, id: 3)

    /// A host with one standby that has everything up to position 100, which the primary had just now. Redis lacks all
    /// counts.
    struct Host {
        var scenario: Scenario
        let client: ConnectionID
        /// Where the primary's log ends.
        var position: Int64 = 100

        init(ttlMs: Int64 = 1_000, cacheEntries: Int = 1_000, standbys: Int = 1) throws {
            scenario = Scenario {
                $0.localCacheTTLMs = ttlMs
                $0.localCacheEntries = cacheEntries
                $0.databaseReplicaURLs = Array(repeating: "postgresql:///likes", count: standbys)
            }
            client = try scenario.open()
            // The first count is read from the primary, which shows that counts are read.
            miss(other)
            scenario.databaseHas([counter(other, 1, 1)])
            learn()
            for place in 0..<standbys { prove(place) }
            _ = scenario.take()
        }

        var lane: LaneFence { scenario.core.lane.row.fence ?? LaneFence(lane: 0, epoch: 0) }

        /// A COUNT of an item that Redis lacks.
        mutating func miss(_ item: Item) {
            scenario.send(.count(item), on: client)
            scenario.redisHas([nil])
        }

        /// The primary answers where its log ends.
        mutating func learn(epoch: Int64? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
            scenario.answer(
                nil, .positionSelected(position, epoch: epoch ?? lane.epoch), sourceLocation: sourceLocation)
        }

        /// The standby answers that it has replayed this much.
        mutating func answer(
            _ counters: [CounterState], at position: Int64? = nil, epoch: Int64? = nil, signOfLife: Int64? = .max,
            of place: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let log = ReplayedLog(
                position: position ?? self.position, epoch: epoch ?? lane.epoch, signOfLife: signOfLife)
            scenario.answer(nil, .countersSelected(log, counters), of: place, sourceLocation: sourceLocation)
        }

        mutating func prove(_ place: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) {
            answer([], of: place, sourceLocation: sourceLocation)
        }

        /// What is asked of PostgreSQL and answered to clients, without what is asked again from time to time.
        mutating func take() -> [Action] {
            scenario.take().filter { action in
                switch action {
                case .reader(_, .selectCounters), .reply: true
                case .standby(_, _, .selectCounters(let items, _)): !items.isEmpty
                default: false
                }
            }
        }

        /// Time passes. The primary is asked for its position again, and answers; so does the standby if it is probed.
        mutating func pass(ms: Int64) {
            scenario.pass(ms: ms)
            for action in scenario.takeWithCalls() {
                switch action {
                case .reader(_, .selectPosition): learn()
                default: continue
                }
            }
        }
    }

    @Test("A count that the caches lack is read from a standby that has proven to be fresh, and Redis is not filled")
    func aCountIsReadFromAStandbyThatIsProvenFresh() throws {
        var host = try Host()
        host.miss(post)
        #expect(host.scenario.take().suffix(1) == [.askStandby([post], lane: host.lane.lane)])
        host.answer([counter(post, 5, 9)])
        #expect(host.scenario.take() == [.reply(host.client, .integer(5))])
        // It is fresh in the local cache.
        host.scenario.send(.count(post), on: host.client)
        #expect(host.scenario.take() == [.reply(host.client, .integer(5))])
    }

    @Test("It is fresh in the local cache for the TTL from the moment that the primary was asked for its position")
    func aStandbysCountIsFreshFromTheMomentOfItsProof() throws {
        var host = try Host()
        host.scenario.pass(ms: 60)
        host.miss(post)
        host.answer([counter(post, 5, 9)])
        _ = host.take()
        host.scenario.pass(ms: 930)
        host.scenario.send(.count(post), on: host.client)
        #expect(host.take() == [.reply(host.client, .integer(5))])
        host.scenario.pass(ms: 20)
        host.scenario.send(.count(post), on: host.client)
        #expect(host.take() == [])
    }

    @Test("What a standby cannot prove is read from the primary")
    func whatAStandbyCannotProveIsReadFromThePrimary() throws {
        for (position, epoch): (Int64, Int64?) in [(99, nil), (100, 7), (1_000_000, 7)] {
            var host = try Host()
            host.miss(post)
            host.answer([counter(post, 5, 9)], at: position, epoch: epoch)
            #expect(host.take() == [.askStandby([post], lane: host.lane.lane), .selectCounters([post])])
            host.scenario.databaseHas([counter(post, 6, 10)])
            #expect(host.take() == [.reply(host.client, .integer(6))])
            // It has to prove that it is fresh before it is asked again.
            host.miss(Self.third)
            #expect(host.take() == [.selectCounters([Self.third])])
        }
    }

    @Test("A position is worth nothing if the reader is at another server than the lane")
    func aPositionOfAnotherServerIsWorthNothing() throws {
        var host = try Host()
        host.scenario.lose(.reader)
        host.scenario.connect(.reader)
        host.miss(post)
        _ = host.scenario.take()
        host.learn(epoch: host.lane.epoch + 1)
        #expect(host.scenario.take() == [])
    }

    @Test("After the lane's connection was lost, a standby has to have the new epoch")
    func aStandbyHasToHaveTheNewEpoch() throws {
        var host = try Host()
        let former = host.lane.epoch
        host.scenario.lose(.lane)
        host.scenario.connect(.lane)
        #expect(host.lane.epoch != former)
        host.miss(post)
        #expect(host.take() == [.selectCounters([post])])
        host.learn()
        host.pass(ms: 100)
        // It follows the server of before.
        host.answer([], at: 1_000_000, epoch: former)
        host.scenario.databaseHas([counter(post, 6, 10)])
        _ = host.take()
        host.miss(Self.third)
        #expect(host.take() == [.selectCounters([Self.third])])
    }

    @Test("A lane takes a number that no other past has, once a survey has told whether the database went back")
    func aLaneTakesANumberThatNoOtherPastHas() throws {
        var host = try Host()
        let former = host.lane
        host.scenario.byHand = [.survey]
        host.scenario.lose(.lane)
        host.scenario.connect(.lane)
        #expect(host.lane.lane == former.lane)
        host.miss(post)
        let done = host.scenario.take()
        #expect(done.contains(.selectCounters([post])))
        #expect(!done.contains(.selectPosition(lane: former.lane)), "a standby of another past may have this epoch")
        var found = host.scenario.usualSurvey()
        found.signOfLife = .max
        host.scenario.survey(found)
        #expect(host.lane.lane != former.lane)
        #expect(host.scenario.take().contains(.selectPosition(lane: host.lane.lane)))
    }

    @Test("A standby that has not the host's last sign of life replays another log, and proves nothing")
    func aStandbyWithoutTheLastSignOfLifeProvesNothing() throws {
        for (isThere, isProven) in [(false, false), (true, true)] {
            var host = try Host(ttlMs: 300)
            host.scenario.pass(ms: Limits.surveyMs)
            let last = host.scenario.core.lane.row.signOfLifeKept
            #expect(last > 0)
            host.miss(Self.third)
            host.scenario.databaseHas([counter(Self.third, 1, 1)])
            host.learn()
            _ = host.scenario.take()
            host.answer([], signOfLife: last)
            // What the primary said before it had the sign of life is too old by then.
            for _ in 0..<4 { host.pass(ms: 100) }
            host.miss(post)
            #expect(host.take().suffix(1) == [.askStandby([post], lane: host.lane.lane)])
            host.answer([counter(post, 5, 9)], signOfLife: isThere ? last : last - 1)
            #expect(host.take() == [isProven ? .reply(host.client, .integer(5)) : .selectCounters([post])])
        }
    }

    @Test("A host that keeps no counts is answered by a standby all the same, one item apart from another")
    func aHostThatKeepsNoCountsIsAnsweredByAStandby() throws {
        var host = try Host(cacheEntries: 0)
        for id: Int64 in 10..<20 {
            let item = Item(type: 0, id: id)
            host.miss(item)
            host.answer([counter(item, 5, 9)])
            #expect(host.take().suffix(1) == [.reply(host.client, .integer(5))])
        }
    }

    @Test("A count older than one that was heard of is read from the primary")
    func aCountOlderThanOneThatWasHeardOfIsReadFromThePrimary() throws {
        var host = try Host()
        host.scenario.hear(counter(post, 7, 10))
        host.miss(post)
        host.answer([counter(post, 5, 9)])
        #expect(host.take() == [.askStandby([post], lane: host.lane.lane), .selectCounters([post])])
    }

    @Test("The host's own like is in its next COUNT, whatever the standby answers")
    func theHostsOwnLikeIsInItsNextCount() throws {
        var host = try Host(cacheEntries: 0)
        host.scenario.send(.like(ann), on: host.client)
        host.scenario.admit([.admitted(recent: false)])
        host.scenario.commit(changed: [true], [counter(post, 6, 10)])
        host.scenario.wroteThrough()
        _ = host.take()
        host.scenario.pass(ms: 10)
        host.miss(post)
        host.answer([counter(post, 5, 9)])
        #expect(host.take() == [.askStandby([post], lane: host.lane.lane), .selectCounters([post])])
    }

    @Test("A count that was answered and left the cache is not followed by an older one")
    func aCountThatLeftTheCacheIsNotFollowedByAnOlderOne() throws {
        var host = try Host(cacheEntries: 1)
        host.pass(ms: 100)
        host.miss(post)
        // The standby has more than it can prove.
        host.answer([counter(post, 8, 12)])
        host.position = 200
        host.pass(ms: 100)
        host.miss(Self.third)
        host.answer([counter(Self.third, 1, 1)])
        host.miss(post)
        _ = host.take()
        // It proves only the moment before, as another standby might that is further behind.
        host.answer([counter(post, 5, 9)], at: 150)
        #expect(host.take() == [.selectCounters([post])])
    }

    @Test("A count told with a change that changed nothing is not followed by an older one")
    func aCountToldWithAnUnchangedChangeIsNotFollowedByAnOlderOne() throws {
        var host = try Host()
        host.scenario.lose(.redis)
        host.scenario.send(.like(ann), on: host.client)
        host.scenario.commit(changed: [false], [])
        _ = host.scenario.take()
        host.scenario.databaseHas([counter(post, 7, 11)])
        #expect(host.take() == [.reply(host.client, .change(changed: false, count: 7))])
        host.scenario.send(.count(post), on: host.client)
        #expect(host.take() == [.askStandby([post], lane: host.lane.lane)])
        host.answer([counter(post, 6, 10)])
        #expect(host.take() == [.selectCounters([post])])
    }

    @Test("What counts as known of another past proves nothing of the present one")
    func positionsOfAnotherPastProveNothing() throws {
        var host = try Host()
        host.scenario.step { core, turn in core.goBack("for a test", &turn) }
        host.miss(post)
        #expect(host.take() == [.selectCounters([post])])
    }

    @Test("Several standbys share the calls")
    func severalStandbysShareTheCalls() throws {
        var host = try Host(standbys: 2)
        let items = (1...2).map { Item(type: 0, id: $0) }
        for item in items { host.miss(item) }
        let lane = host.lane.lane
        #expect(
            host.take() == [
                .askStandby(place: 0, [items[0]], lane: lane), .askStandby(place: 1, [items[1]], lane: lane),
            ])
    }

    @Test("The primary is asked for its position only while counts are read from PostgreSQL")
    func aPositionIsAskedForOnlyWhileCountsAreRead() throws {
        var host = try Host()
        var asked = 0
        for _ in 0..<100 {
            host.scenario.pass(ms: 100)
            for case .reader(_, .selectPosition) in host.scenario.take() {
                asked += 1
                host.learn()
            }
        }
        #expect((1...11).contains(asked))
    }

    @Test("A standby's count is not put into Redis when the primary answers an older one")
    func aStandbysCountIsNotPutIntoRedis() throws {
        var host = try Host()
        host.scenario.byHand = [.fill]
        host.scenario.pass(ms: 10)
        host.miss(post)
        // The primary does not show this commit yet: it waits for another standby.
        host.answer([counter(post, 8, 12)])
        _ = host.take()
        host.scenario.pass(ms: 2_000)
        host.miss(post)
        _ = host.take()
        host.scenario.databaseHas([counter(post, 7, 11)])
        // No count goes back, and this is no sign that the database did.
        #expect(host.scenario.take() == [.reply(host.client, .integer(8))])
        #expect(host.scenario.core.alarms.databasesGoneBack == 0)
    }

    @Test("Pairs, and the counts that changes owe, are asked of the primary alone")
    func pairsAreAskedOfThePrimaryAlone() throws {
        var host = try Host()
        host.scenario.send(.liked(ann), on: host.client)
        #expect(host.scenario.take() == [.selectPairs([ann])])
    }
}
