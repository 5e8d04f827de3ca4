import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// A database that goes back, one that is another's, and hosts that do not use the same Redis (`PastTests+Redis`).
@Suite struct PastTests {
    static let restored = DatabaseHistory(system: "7", timeline: 1, tables: "1")

    func script(
        byHand: Set<Script.Housekeeping> = [], localCacheTTLMs: Int64? = nil
    ) throws -> (Script, ConnectionID) {
        var script = Script(
            {
                $0.rateLimitRequests = 0
                if let localCacheTTLMs { $0.localCacheTTLMs = localCacheTTLMs }
            }, byHand: byHand)
        let client = try script.open()
        _ = script.take()
        return (script, client)
    }

    func identifications(_ script: inout Script) -> [IdentifyRequest] {
        script.take().compactMap { if case .redis(_, .identify(let request)) = $0 { request } else { nil } }
    }

    /// The last call of its kind.
    func call(_ actions: [Action], _ pick: (Action) -> CallID?) -> CallID? { actions.compactMap(pick).last }

    func lastIdentify(_ actions: [Action]) -> CallID? {
        call(actions) { if case .redis(let call, .identify(_)) = $0 { call } else { nil } }
    }

    func lastSurvey(_ actions: [Action]) -> CallID? {
        call(actions) { if case .lane(let call, .survey(_)) = $0 { call } else { nil } }
    }

    // MARK: The first version that contradicts

    @Test("A commit below a version that was known before it drops what is cached, and the next COUNT asks PostgreSQL")
    func aCommitBelowAKnownVersionDropsWhatIsCached() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        _ = script.take()
        script.pass(ms: 10)
        script.send(.like(ann), on: client)
        script.admit(2, [.admitted(recent: false)])
        script.pass(ms: 1)
        _ = script.take()
        script.byHand.insert(.identify)
        script.commit(3, changed: [true], [counter(post, 1, 1)])
        let actions = script.take()
        #expect(actions.contains(.reply(client, .change(changed: true, count: 1))))
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.reports.statistics.databasesGoneBack == 1)
        script.send(.count(post), on: client)
        guard
            let select = call(
                script.take(), { if case .reader(let call, .selectCounters([post])) = $0 { call } else { nil } })
        else {
            Issue.record("PostgreSQL was not asked")
            return
        }
        script.databaseHas(select, [counter(post, 1, 1)])
        #expect(script.replies(client) == [.integer(1)])
    }

    @Test("Where it is too soon for another era, Redis is not read until that has begun")
    func whereItIsTooSoonForAnotherEraRedisIsNotReadUntilItBegins() throws {
        var (script, client) = try script()
        let other = Item(type: 1, id: 77)
        func contradict(version: Int64) throws {
            script.send(.like(ann), on: client)
            let admit = try #require(
                call(script.take()) { if case .redis(let call, .admit(_)) = $0 { call } else { nil } })
            script.admit(admit, [.admitted(recent: false)])
            let commit = try #require(
                call(script.take()) { if case .lane(let call, .commit(_)) = $0 { call } else { nil } })
            script.commit(commit, changed: [true], [counter(post, version, version)])
        }
        script.hear(counter(post, 9, 9))
        script.pass(ms: 1)
        try contradict(version: 5)
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.readableGeneration != nil)
        script.hear(counter(post, 5, 5), token: try #require(script.core.coherence.trust.token))
        script.pass(ms: 1)
        try contradict(version: 2)
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.readableGeneration == nil)
        _ = script.take()
        script.send(.count(other), on: client)
        let asked = call(script.take()) {
            if case .reader(let call, .selectCounters([other])) = $0 { call } else { nil }
        }
        #expect(asked != nil)
        script.pass(ms: Limits.eraMsMin + Limits.surveyMs)
        #expect(script.core.coherence.past.era == 2)
        #expect(script.core.coherence.past.owedReason == nil)
    }

    @Test("A version that was heard of while the batch was on the wire contradicts nothing")
    func aVersionHeardOfWhileTheBatchWasOnTheWireContradictsNothing() throws {
        var (script, client) = try script()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.pass(ms: 1)
        script.hear(counter(post, 7, 7))
        script.pass(ms: 1)
        script.commit(2, changed: [true], [counter(post, 6, 6)])
        #expect(script.core.coherence.past.era == 0)
    }

    @Test("A count that PostgreSQL gives at a known version stands in place of the one that was cached")
    func anotherCountAtTheSameVersionReplacesTheCachedOne() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.send(.like(ann), on: client)
        script.admit(2, [.admitted(recent: false)])
        script.pass(ms: 1)
        script.commit(3, changed: [true], [counter(post, 2, 5)])
        script.wroteThrough(4)
        _ = script.take()
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(2)])
        #expect(script.core.coherence.past.era == 0)
    }

    @Test("What Redis kept because it was newer is held against PostgreSQL, and proves a past that is over")
    func whatRedisKeptAsNewerIsHeldAgainstPostgreSQL() throws {
        for (version, era) in [(9, 0), (4, 1)] as [(Int64, Int64)] {
            var (script, client) = try script()
            script.send(.like(ann), on: client)
            script.admit(1, [.admitted(recent: false)])
            script.commit(2, changed: [true], [counter(post, 1, 1)])
            script.wroteThrough(3, newer: [counter(post, 0, 9)])
            guard
                let select = call(
                    script.take(), { if case .reader(let call, .selectCounters([post])) = $0 { call } else { nil } })
            else {
                Issue.record("PostgreSQL was not asked")
                return
            }
            script.pass(ms: Limits.eraMsMin)
            script.databaseHas(select, [counter(post, version, version)])
            #expect(script.core.coherence.past.era == era)
        }
    }

    @Test("A count that came with a duplicate like is held against what was known, and against Redis")
    func aCountThatCameWithADuplicateIsHeldAgainstWhatWasKnown() throws {
        for isKnown in [true, false] {
            var (script, client) = try script()
            if isKnown { script.hear(counter(post, 5, 5)) }
            script.pass(ms: 1)
            script.send(.like(ann), on: client)
            script.admit(1, [.admitted(recent: true)])
            let pairs = call(script.take()) {
                if case .reader(let call, .selectPairs([ann])) = $0 { call } else { nil }
            }
            script.byHand.insert(.fill)
            script.pairs(try #require(pairs), [PairState(liked: true, counter: counter(post, 1, 1))])
            let actions = script.take()
            #expect(actions.contains(.reply(client, .change(changed: false, count: 1))))
            if isKnown {
                #expect(script.core.coherence.past.era == 1)
                continue
            }
            // Redis is asked to take it, and says that it has a newer one.
            let fill = call(actions) {
                if case .redis(let call, .fill(_, [unsealed(counter(post, 1, 1))])) = $0 { call } else { nil }
            }
            script.filled(try #require(fill), newer: [counter(post, 0, 5)])
            let doubt = call(script.take()) {
                if case .reader(let call, .selectCounters([post])) = $0 { call } else { nil }
            }
            script.databaseHas(try #require(doubt), [counter(post, 1, 1)])
            #expect(script.core.coherence.past.era == 1)
        }
    }

    @Test("A count that came with a duplicate like and is known already is not put into Redis again")
    func aKnownCountThatCameWithADuplicateIsNotPutIntoRedisAgain() throws {
        var (script, client) = try script()
        script.hear(counter(post, 5, 5))
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: true)])
        script.byHand.insert(.fill)
        script.pairs(2, [PairState(liked: true, counter: counter(post, 5, 5))])
        #expect(!script.take().contains { if case .redis(_, .fill) = $0 { true } else { false } })
        #expect(script.core.coherence.past.era == 0)
    }

    @Test("A database whose transactions are behind those of Redis' data has gone back")
    func aDatabaseWhoseTransactionsAreBehindRedisDataHasGoneBack() throws {
        var script = Script(up: [.subscriber, .lane, .reader], byHand: [.identify])
        script.connect(.redis)
        let look = try #require(lastIdentify(script.take()))
        script.since = 600
        script.identify(
            look,
            Generation(
                server: "run:repl", database: Script.history, snapshot: DatabaseSnapshot(least: 700),
                token: "bbbbbbbbbbbb"))
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.coherence.trust.generation == nil)
    }

    @Test("A marker of the last era is no end: what it was made for is not believed, and another is made")
    func aMarkerOfTheLastEraIsNoEnd() throws {
        var script = Script(up: [.subscriber, .lane, .reader], byHand: [.identify])
        script.connect(.redis)
        let last = Generation(
            server: "run:repl", database: Script.history, era: Generation.eraMax, token: "bbbbbbbbbbbb"
        ).sealed(by: Script.secret)
        script.identify(try #require(lastIdentify(script.take())), last)
        #expect(script.core.coherence.trust.generation == last)
        script.step { core, turn in core.goBack("test", &turn) }
        #expect(script.core.coherence.past.era == Generation.eraMax)
        script.identify(try #require(lastIdentify(script.take())), last)
        let made = identifications(&script).compactMap(\.new).last
        #expect(made?.era == Generation.eraMax && made?.instead == last.marker)
    }

    @Test("In the last era other data is a later one: what was cached is dropped")
    func inTheLastEraOtherDataIsALaterOne() throws {
        var (script, client) = try script(byHand: [.identify])
        func identify(_ token: String) throws {
            script.lose(.redis)
            script.pass(ms: 1_000)
            script.connect(.redis)
            let last = Generation(server: "run:repl", database: Script.history, era: Generation.eraMax, token: token)
            script.identify(try #require(lastIdentify(script.take())), last)
        }
        try identify("bbbbbbbbbbbb")
        script.send(.count(post), on: client)
        script.answer(script.take(), [counter(post, 5, 5)], token: "bbbbbbbbbbbb")
        #expect(script.core.known.cache.count == 1)
        try identify("bbbbbbbbbbbb")
        #expect(script.core.known.cache.count == 1)
        try identify("cccccccccccc")
        #expect(script.core.known.cache.count == 0)
    }

    @Test("A marker is made only once the database was looked at again: it may be this host that is behind")
    func aMarkerIsMadeOnlyAfterTheDatabaseWasLookedAtAgain() throws {
        var script = Script(byHand: [.identify, .survey])
        let actions = script.take()
        guard let look = lastIdentify(actions), let survey = lastSurvey(actions) else {
            Issue.record("neither the marker nor the database was looked at")
            return
        }
        script.identify(look, nil)
        #expect(script.core.coherence.trust.unfit == "")
        #expect(identifications(&script).isEmpty)
        var found = script.survey()
        found.snapshot = DatabaseSnapshot(least: 700)
        script.survey(survey, found)
        let request = identifications(&script).last
        #expect(request?.new?.snapshot.least == 700)
        #expect(request?.new?.token.count == 12)
    }

    @Test("A database that lacks a sign of life of this host's has gone back")
    func aDatabaseThatLacksASignOfLifeOfThisHostHasGoneBack() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.byHand.insert(.survey)
        for era in 0...1 as ClosedRange<Int64> {
            script.pass(ms: Limits.surveyMs)
            let sent = script.take().compactMap {
                if case .lane(let call, .survey(let request)) = $0 { (call, request) } else { nil }
            }
            let (call, request) = try #require(sent.last)
            var found = script.survey(request)
            if era == 1 { found.beat -= 1 }
            script.survey(call, found)
            #expect(script.core.coherence.past.era == era)
        }
        #expect(script.core.known.cache.count == 0)
    }

    @Test("Tables that were made anew are another database: what is cached is dropped, and connections are made anew")
    func tablesThatWereMadeAnewAreAnotherDatabase() throws {
        var (script, client) = try script()
        script.byHand.insert(.survey)
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.pass(ms: Limits.surveyMs)
        guard let survey = lastSurvey(script.take()) else {
            Issue.record("no survey")
            return
        }
        var found = script.survey()
        found.history = Self.restored
        script.survey(survey, found)
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.coherence.past.history == Self.restored)
        let actions = script.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
    }

    @Test("Who finds its lane closed may be at restored tables: what the connections learnt of them is learnt anew")
    func aHostThatFindsItsLaneClosedLearnsTheTablesAnew() throws {
        var (script, client) = try script()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.fenceOff(2)
        let actions = script.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
    }

    // MARK: Another host knows more

    @Test("A marker of a later era is taken over, and what is cached is dropped")
    func aMarkerOfALaterEraIsTakenOverAndWhatIsCachedIsDropped() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.byHand.insert(.identify)
        script.lose(.redis)
        script.connect(.redis)
        guard let look = lastIdentify(script.take()) else {
            Issue.record("no look at the marker")
            return
        }
        script.identify(look, Generation(server: "run:repl", database: Script.history, era: 2, token: "bbbbbbbbbbbb"))
        #expect(script.core.coherence.past.era == 2)
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.coherence.trust.generation?.token == "bbbbbbbbbbbb")
    }

    @Test("A server that hosts saw another promoted over is left, and not taken again")
    func aServerThatHostsSawAnotherPromotedOverIsLeft() throws {
        var script = Script(up: [.subscriber, .lane, .reader], byHand: [.identify])
        script.connect(.redis)
        guard let look = lastIdentify(script.take()) else {
            Issue.record("no look at the marker")
            return
        }
        let promoted = DatabaseHistory(system: "7", timeline: 2)
        script.identify(look, Generation(server: "run:repl", database: promoted, token: "bbbbbbbbbbbb"))
        let actions = script.take()
        #expect(actions.contains(.disconnect(.lane)) && actions.contains(.disconnect(.reader)))
        script.connect(.lane)
        #expect(script.take().contains(.disconnect(.lane)))
        // What is most likely comes first.
        let advice = "next: name the promoted server in DATABASE_URL"
        #expect(script.core.healthMessage(now: script.now).hasPrefix(advice))
        script.connect(.lane, promoted)
        #expect(script.core.lane.link.isUp)
    }

    @Test("A lane's row that lacks a committed batch proves that the database went back")
    func aLanesRowThatLacksACommittedBatchProvesThatTheDatabaseWentBack() throws {
        for (batch, era) in [(1, 0), (0, 1)] as [(Int64, Int64)] {
            var (script, client) = try script()
            script.send(.like(ann), on: client)
            script.admit(1, [.admitted(recent: false)])
            script.commit(2, changed: [true], [counter(post, 1, 1)])
            script.byHand.insert(.fence)
            script.lose(.lane)
            script.connect(.lane)
            let fence = call(script.take()) { if case .lane(let call, .fence(_)) = $0 { call } else { nil } }
            script.fence(try #require(fence), LaneState(epoch: 2, batch: batch, changed: []))
            #expect(script.core.coherence.past.era == era)
        }
    }

    // MARK: The lane's row

    @Test("After so many batches the lane gets another number, and its row goes with the former one")
    func afterSoManyBatchesTheLaneGetsAnotherNumber() throws {
        var (script, client) = try script()
        let former = script.core.lane.row.lane
        for batch in 1...Int64(Limits.standard.batchesPerLane) {
            script.send(.like(Pair(user: batch, item: post)), on: client)
            let admission = call(script.take()) { if case .redis(let call, .admit(_)) = $0 { call } else { nil } }
            script.admit(try #require(admission), [.admitted(recent: false)])
            let commit = call(script.take()) { if case .lane(let call, .commit(_)) = $0 { call } else { nil } }
            if batch == Int64(Limits.standard.batchesPerLane) { script.byHand.insert(.fence) }
            script.commit(try #require(commit), changed: [true], [counter(post, batch, batch)])
            let written = call(script.actions) {
                if case .redis(let call, .writeThrough(_, _, _)) = $0 { call } else { nil }
            }
            script.wroteThrough(try #require(written))
        }
        script.pass(ms: 1)
        let request = script.take().compactMap { if case .lane(_, .fence(let request)) = $0 { request } else { nil } }
            .last
        #expect(request?.former == former)
        #expect(request?.lane != former)
    }
}
