import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// A database that goes back, another database, and hosts that do not use the same Redis (`PastTests+Redis`).
@Suite struct PastTests {
    static let restored = DatabaseIdentity(system: "7", timeline: 1, tables: "1")

    func scenario(
        byHand: Set<Scenario.Housekeeping> = [], localCacheTTLMs: Int64? = nil
    ) throws -> (Scenario, ConnectionID) {
        var scenario = Scenario(
            {
                $0.rateLimitRequests = 0
                if let localCacheTTLMs { $0.localCacheTTLMs = localCacheTTLMs }
            }, byHand: byHand)
        let client = try scenario.open()
        _ = scenario.take()
        return (scenario, client)
    }

    func identifications(_ scenario: inout Scenario) -> [IdentifyRequest] {
        scenario.take().compactMap { if case .redis(_, _, .identify(let request)) = $0 { request } else { nil } }
    }

    // MARK: The first version that contradicts

    @Test("A commit below a version that was known before it drops what is cached, and the next COUNT asks PostgreSQL")
    func aCommitBelowAKnownVersionDropsWhatIsCached() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        _ = scenario.take()
        scenario.pass(ms: 10)
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.pass(ms: 1)
        _ = scenario.take()
        scenario.byHand.insert(.identify)
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        let actions = scenario.take()
        #expect(actions.contains(.reply(client, .change(changed: true, count: 1))))
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.reports.statistics.databasesGoneBack == 1)
        scenario.send(.count(post), on: client)
        #expect(scenario.take().contains(.selectCounters([post])))
        scenario.databaseHas([counter(post, 1, 1)])
        #expect(scenario.replies(client) == [.integer(1)])
    }

    @Test("While it is too soon for another era, Redis is not read until that era begins")
    func whereItIsTooSoonForAnotherEraRedisIsNotReadUntilItBegins() throws {
        var (scenario, client) = try scenario()
        let other = Item(type: 1, id: 77)
        func contradict(version: Int64) {
            scenario.send(.like(ann), on: client)
            scenario.admit([.admitted(recent: false)])
            scenario.commit(changed: [true], [counter(post, version, version)])
        }
        scenario.hear(counter(post, 9, 9))
        scenario.pass(ms: 1)
        contradict(version: 5)
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.readableGeneration != nil)
        scenario.hear(counter(post, 5, 5), token: try #require(scenario.core.coherence.trust.token))
        scenario.pass(ms: 1)
        contradict(version: 2)
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.readableGeneration == nil)
        _ = scenario.take()
        scenario.send(.count(other), on: client)
        #expect(scenario.take().contains(.selectCounters([other])))
        scenario.pass(ms: Limits.eraMsMin + Limits.surveyMs)
        #expect(scenario.core.coherence.past.era == 2)
        #expect(scenario.core.coherence.past.owedReason == nil)
    }

    @Test("A version that was heard of while the batch was on the wire contradicts nothing")
    func aVersionHeardOfWhileTheBatchWasOnTheWireContradictsNothing() throws {
        var (scenario, client) = try scenario()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.pass(ms: 1)
        scenario.hear(counter(post, 7, 7))
        scenario.pass(ms: 1)
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        #expect(scenario.core.coherence.past.era == 0)
    }

    @Test("If PostgreSQL gives another count at a known version, that replaces the cached one")
    func anotherCountAtTheSameVersionReplacesTheCachedOne() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.pass(ms: 1)
        scenario.commit(changed: [true], [counter(post, 2, 5)])
        scenario.wroteThrough()
        _ = scenario.take()
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(2)])
        #expect(scenario.core.coherence.past.era == 0)
    }

    @Test("What Redis kept as newer is compared with PostgreSQL, and can prove that the database went back")
    func whatRedisKeptAsNewerIsComparedWithPostgreSQL() throws {
        for (version, era) in [(9, 0), (4, 1)] as [(Int64, Int64)] {
            var (scenario, client) = try scenario()
            scenario.send(.like(ann), on: client)
            scenario.admit([.admitted(recent: false)])
            scenario.commit(changed: [true], [counter(post, 1, 1)])
            scenario.wroteThrough(newer: [counter(post, 0, 9)])
            #expect(scenario.take().contains(.selectCounters([post])))
            scenario.pass(ms: Limits.eraMsMin)
            scenario.databaseHas([counter(post, version, version)])
            #expect(scenario.core.coherence.past.era == era)
        }
    }

    @Test("A count that came with a duplicate like is compared with what was known, and with Redis")
    func aCountThatCameWithADuplicateIsComparedWithWhatWasKnown() throws {
        for isKnown in [true, false] {
            var (scenario, client) = try scenario()
            if isKnown { scenario.hear(counter(post, 5, 5)) }
            scenario.pass(ms: 1)
            scenario.send(.like(ann), on: client)
            scenario.admit([.admitted(recent: true)])
            #expect(scenario.take().contains(.selectPairs([ann])))
            scenario.byHand.insert(.fill)
            scenario.pairs([PairState(liked: true, counter: counter(post, 1, 1))])
            let actions = scenario.take()
            #expect(actions.contains(.reply(client, .change(changed: false, count: 1))))
            if isKnown {
                #expect(scenario.core.coherence.past.era == 1)
                continue
            }
            // Redis is asked to take it, and says that it has a newer one.
            #expect(actions.contains(.fill(counters: [counter(post, 1, 1)])))
            scenario.filled(newer: [counter(post, 0, 5)])
            #expect(scenario.take().contains(.selectCounters([post])))
            scenario.databaseHas([counter(post, 1, 1)])
            #expect(scenario.core.coherence.past.era == 1)
        }
    }

    @Test("A count that came with a duplicate like and is known already is not put into Redis again")
    func aKnownCountThatCameWithADuplicateIsNotPutIntoRedisAgain() throws {
        var (scenario, client) = try scenario()
        scenario.hear(counter(post, 5, 5))
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: true)])
        scenario.byHand.insert(.fill)
        scenario.pairs([PairState(liked: true, counter: counter(post, 5, 5))])
        #expect(!scenario.take().contains { if case .redis(_, _, .fill) = $0 { true } else { false } })
        #expect(scenario.core.coherence.past.era == 0)
    }

    @Test("A database whose transactions are behind those of Redis' data has gone back")
    func aDatabaseWhoseTransactionsAreBehindRedisDataHasGoneBack() {
        var scenario = Scenario(up: [.subscriber, .lane, .reader], byHand: [.identify])
        scenario.connect(.redis)
        _ = scenario.take()
        scenario.since = 600
        scenario.identify(
            Generation(
                server: "run:repl", database: Scenario.identity, snapshot: DatabaseSnapshot(least: 700),
                token: "bbbbbbbbbbbb"))
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.coherence.trust.generation == nil)
    }

    @Test("After a marker of the last era another one can be made, and the data of the first is not believed")
    func aMarkerOfTheLastEraIsNoEnd() {
        var scenario = Scenario(up: [.subscriber, .lane, .reader], byHand: [.identify])
        scenario.connect(.redis)
        let last = Generation(
            server: "run:repl", database: Scenario.identity, era: Generation.eraMax, token: "bbbbbbbbbbbb"
        ).sealed(by: Scenario.secret)
        _ = scenario.take()
        scenario.identify(last)
        #expect(scenario.core.coherence.trust.generation == last)
        scenario.step { core, turn in core.goBack("test", &turn) }
        #expect(scenario.core.coherence.past.era == Generation.eraMax)
        _ = scenario.take()
        scenario.identify(last)
        let made = identifications(&scenario).compactMap(\.new).last
        #expect(made?.era == Generation.eraMax && made?.instead == last.marker)
    }

    @Test("In the last era other data counts as later: what was cached is dropped")
    func inTheLastEraOtherDataIsALaterOne() throws {
        var (scenario, client) = try scenario(byHand: [.identify])
        func identify(_ token: String) {
            scenario.lose(.redis)
            scenario.pass(ms: 1_000)
            scenario.connect(.redis)
            let last = Generation(server: "run:repl", database: Scenario.identity, era: Generation.eraMax, token: token)
            _ = scenario.take()
            scenario.identify(last)
        }
        identify("bbbbbbbbbbbb")
        scenario.send(.count(post), on: client)
        scenario.answer(scenario.takeWithCalls(), [counter(post, 5, 5)], token: "bbbbbbbbbbbb")
        #expect(scenario.core.known.cache.count == 1)
        identify("bbbbbbbbbbbb")
        #expect(scenario.core.known.cache.count == 1)
        identify("cccccccccccc")
        #expect(scenario.core.known.cache.count == 0)
    }

    @Test("A marker is made only once the database was looked at again: it may be this host that is behind")
    func aMarkerIsMadeOnlyAfterTheDatabaseWasLookedAtAgain() {
        var scenario = Scenario(byHand: [.identify, .survey])
        _ = scenario.take()
        scenario.identify(nil)
        #expect(scenario.core.coherence.trust.unfit == "")
        #expect(identifications(&scenario).isEmpty)
        var found = scenario.usualSurvey()
        found.snapshot = DatabaseSnapshot(least: 700)
        scenario.survey(found)
        let request = identifications(&scenario).last
        #expect(request?.new?.snapshot.least == 700)
        #expect(request?.new?.token.count == 12)
    }

    @Test("A database that lacks one of this host's signs of life has gone back")
    func aDatabaseThatLacksASignOfLifeOfThisHostHasGoneBack() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.byHand.insert(.survey)
        for era in 0...1 as ClosedRange<Int64> {
            scenario.pass(ms: Limits.surveyMs)
            let sent = scenario.take().compactMap {
                if case .lane(_, .survey(let request)) = $0 { request } else { nil }
            }
            let request = try #require(sent.last)
            var found = scenario.usualSurvey(request)
            if era == 1 { found.signOfLife -= 1 }
            scenario.survey(found)
            #expect(scenario.core.coherence.past.era == era)
        }
        #expect(scenario.core.known.cache.count == 0)
    }

    @Test("Tables that were made anew are another database: what is cached is dropped, and connections are made anew")
    func tablesThatWereMadeAnewAreAnotherDatabase() throws {
        var (scenario, client) = try scenario()
        scenario.byHand.insert(.survey)
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.pass(ms: Limits.surveyMs)
        _ = scenario.take()
        var found = scenario.usualSurvey()
        found.identity = Self.restored
        scenario.survey(found)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.coherence.past.identity == Self.restored)
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
    }

    @Test("A host that finds its lane fenced off learns the tables anew: they may have been restored")
    func aHostThatFindsItsLaneClosedLearnsTheTablesAnew() throws {
        var (scenario, client) = try scenario()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.fenceOff()
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
    }

    // MARK: Another host knows more

    @Test("A marker of a later era is taken over, and what is cached is dropped")
    func aMarkerOfALaterEraIsTakenOverAndWhatIsCachedIsDropped() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.byHand.insert(.identify)
        scenario.lose(.redis)
        scenario.connect(.redis)
        _ = scenario.take()
        scenario.identify(Generation(server: "run:repl", database: Scenario.identity, era: 2, token: "bbbbbbbbbbbb"))
        #expect(scenario.core.coherence.past.era == 2)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.coherence.trust.generation?.token == "bbbbbbbbbbbb")
    }

    @Test("A server is left, and not used again, if other hosts saw another promoted over it")
    func aServerThatHostsSawAnotherPromotedOverIsLeft() {
        var scenario = Scenario(up: [.subscriber, .lane, .reader], byHand: [.identify])
        scenario.connect(.redis)
        _ = scenario.take()
        let promoted = DatabaseIdentity(system: "7", timeline: 2)
        scenario.identify(Generation(server: "run:repl", database: promoted, token: "bbbbbbbbbbbb"))
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.lane)) && actions.contains(.disconnect(.reader)))
        scenario.connect(.lane)
        #expect(scenario.take().contains(.disconnect(.lane)))
        // The most likely advice comes first.
        let advice = "next: name the promoted server in DATABASE_URL"
        #expect(scenario.core.healthMessage(now: scenario.now).hasPrefix(advice))
        scenario.connect(.lane, promoted)
        #expect(scenario.core.lane.link.isUp)
    }

    @Test("A lane's row that lacks a committed batch proves that the database went back")
    func aLanesRowThatLacksACommittedBatchProvesThatTheDatabaseWentBack() throws {
        for (batch, era) in [(1, 0), (0, 1)] as [(Int64, Int64)] {
            var (scenario, client) = try scenario()
            scenario.send(.like(ann), on: client)
            scenario.admit([.admitted(recent: false)])
            scenario.commit(changed: [true], [counter(post, 1, 1)])
            scenario.byHand.insert(.fence)
            scenario.lose(.lane)
            scenario.connect(.lane)
            _ = scenario.take()
            scenario.fence(LaneState(epoch: 2, batch: batch, changed: []))
            #expect(scenario.core.coherence.past.era == era)
        }
    }

    // MARK: The lane's row

    @Test("After so many batches the lane gets another number, and the row of the old number is deleted")
    func afterSoManyBatchesTheLaneGetsAnotherNumber() throws {
        var (scenario, client) = try scenario()
        let former = scenario.core.lane.row.lane
        for batch in 1...Int64(Limits.standard.batchesPerLane) {
            scenario.send(.like(Pair(user: batch, item: post)), on: client)
            scenario.admit([.admitted(recent: false)])
            if batch == Int64(Limits.standard.batchesPerLane) { scenario.byHand.insert(.fence) }
            scenario.commit(changed: [true], [counter(post, batch, batch)])
            scenario.wroteThrough()
        }
        scenario.pass(ms: 1)
        let request = scenario.take().compactMap { if case .lane(_, .fence(let request)) = $0 { request } else { nil } }
            .last
        #expect(request?.former == former)
        #expect(request?.lane != former)
    }
}
