import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

extension PastTests {
    // MARK: One Redis, two databases; one database, two Redis

    @Test("Another database's marker is replaced once; where it is back, Redis is left to the other")
    func anotherDatabasesMarkerIsReplacedOnceThenRedisIsLeftToIt() throws {
        var script = Script(up: [.subscriber, .lane, .reader], byHand: [.identify])
        let foreign = Generation(server: "run:repl", database: Self.restored, token: "bbbbbbbbbbbb")
        for round in 0...1 {
            script.connect(.redis)
            guard let look = lastIdentify(script.take()) else {
                Issue.record("no look at the marker")
                return
            }
            script.identify(look, foreign)
            let actions = script.take()
            if round == 1 {
                #expect(actions.contains(.disconnect(.redis)))
                continue
            }
            guard let make = lastIdentify(actions) else {
                Issue.record("no marker is made")
                return
            }
            guard case .redis(_, .identify(let request))? = actions.last, let token = request.new?.token else {
                Issue.record("no marker is made")
                return
            }
            script.identify(make, Generation(server: "run:repl", database: Script.history, token: token))
            #expect(script.core.coherence.trust.generation?.token == token)
            script.lose(.redis)
            script.pass(ms: 1_000)
        }
        script.pass(ms: Limits.foreignHoldMs - 1)
        #expect(!script.take().contains(.connect(.redis)))
        script.pass(ms: 1)
        #expect(script.take().contains(.connect(.redis)))
    }

    @Test("Another database's marker is back only where this host made its own, and was never at that database")
    func anotherDatabasesMarkerIsBackOnlyWhereThisHostMadeItsOwn() {
        func marker(_ server: String, _ tables: String) -> Generation {
            let database = DatabaseHistory(system: "7", timeline: 1, tables: tables)
            return Generation(server: server, database: database, token: "\(server)-\(tables)")
        }
        func identify(_ trust: inout Trust, _ found: Generation, isMade: Bool) {
            trust.identified(found, isMade: isMade, now: .ms(0))
        }
        func isBack(_ trust: inout Trust, _ found: Generation) -> Bool { trust.isBack(found, now: .ms(0)) }
        var trust = Trust(now: .ms(0))
        // This host was behind: the database was restored, as others had seen already.
        #expect(!isBack(&trust, marker("one", "2")))
        identify(&trust, marker("one", "2"), isMade: false)
        identify(&trust, marker("two", "2"), isMade: true)
        #expect(!isBack(&trust, marker("one", "2")))
        // Restored once more: markers of the past before are replaced on each server.
        identify(&trust, marker("one", "3"), isMade: true)
        #expect(!isBack(&trust, marker("two", "2")))
        identify(&trust, marker("two", "3"), isMade: true)
        #expect(isBack(&trust, marker("two", "2")))
    }

    @Test("Another database's marker that is back is taken over once nothing has spoken for its hosts for a while")
    func anotherDatabasesMarkerIsTakenOverOnceItsHostsAreSilent() {
        let own = Generation(server: "run:repl", database: Script.history, token: "aaaaaaaaaaaa")
        var foreign = Generation(server: "run:repl", database: Self.restored, token: "bbbbbbbbbbbb")
        var trust = Trust(now: .ms(0))
        func isBack(at moment: Int64) -> Bool { trust.isBack(foreign, now: .ms(moment)) }
        #expect(!isBack(at: 0))
        trust.identified(own, isMade: true, now: .ms(0))
        foreign.token = "cccccccccccc"
        #expect(isBack(at: 1_000))
        #expect(isBack(at: Limits.foreignMemoryMs))
        trust.heard(foreign: "cccccccccccc", now: .ms(Limits.foreignMemoryMs))
        #expect(isBack(at: 2 * Limits.foreignMemoryMs - 1))
        foreign.token = "dddddddddddd"
        #expect(isBack(at: 2 * Limits.foreignMemoryMs - 1), "a host has made it anew")
        #expect(isBack(at: 3 * Limits.foreignMemoryMs - 2))
        #expect(!isBack(at: 3 * Limits.foreignMemoryMs - 1))
    }

    @Test("Where other hosts keep to other data, Redis is believed by nobody, and its data is new afterwards")
    func whereOtherHostsKeepToOtherDataRedisIsBelievedByNobody() throws {
        var (script, client) = try script()
        script.generations = ["bbbbbbbbbbbb"]
        script.pass(ms: Limits.surveyMs)
        #expect(script.core.readableGeneration != nil, "two hosts may hear of a new generation one after the other")
        script.pass(ms: Limits.disputeConfirmMs)
        #expect(script.core.readableGeneration == nil)
        #expect(script.core.writableGeneration == nil)
        #expect(script.core.status(now: script.now) == "degraded")
        script.send(.count(post), on: client)
        #expect(script.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        script.generations = [Script.generation.token]
        script.byHand.insert(.identify)
        script.pass(ms: Limits.disputeConfirmMs)
        #expect(script.core.coherence.trust.disputedIn == nil)
        #expect(script.core.coherence.past.era == 1)
    }

    @Test("A host that made data elsewhere and came back has missed changes, though no survey has told of it")
    func aHostThatMadeDataElsewhereAndCameBackHasMissedChanges() throws {
        var script = try script().0
        script.byHand.formUnion([.identify, .survey])
        func takeSurvey() throws -> (CallID, SurveyRequest) {
            let surveys = script.take().compactMap {
                if case .lane(let call, .survey(let request)) = $0 { (call, request) } else { nil }
            }
            return try #require(surveys.last)
        }
        func answer(_ survey: (call: CallID, request: SurveyRequest)) {
            script.survey(survey.call, script.survey(survey.request))
        }
        func move(to generation: Generation?) throws {
            script.lose(.redis)
            script.pass(ms: 1_000)
            script.connect(.redis)
            script.identify(try #require(lastIdentify(script.take())), generation)
        }
        script.since = 50
        try move(to: nil)
        answer(try takeSurvey())
        guard case .redis(let make, .identify(let request))? = script.take().last, let new = request.new else {
            Issue.record("no marker is made")
            return
        }
        script.identify(make, new.generation(on: "another:life"))
        #expect(script.core.coherence.trust.generation?.snapshot.least == 50)
        let overtaken = try takeSurvey()
        try move(to: Script.generation)
        answer(overtaken)
        #expect(script.core.coherence.past.era == 0)
        answer(try takeSurvey())
        #expect(script.core.coherence.past.era == 1)
    }

    @Test("A host that starts does not read a Redis that others are in dispute about")
    func aHostThatStartsDoesNotReadARedisInDispute() throws {
        var script = Script(up: [], byHand: [])
        script.generations = ["bbbbbbbbbbbb"]
        for backend in Backend.allCases.reversed() { script.connect(backend) }
        #expect(script.core.readableGeneration == nil)
        script.generations = []
        script.pass(ms: Limits.disputeConfirmMs)
        #expect(script.core.readableGeneration != nil)
    }

    @Test("A host that died before this one knew its data is in no dispute with it, whatever it used")
    func aHostThatDiedBeforeThisOneKnewItsDataIsInNoDispute() throws {
        var script = Script(up: [], byHand: [])
        (script.generations, script.freshGenerations) = (["bbbbbbbbbbbb"], [])
        for backend in Backend.allCases.reversed() { script.connect(backend) }
        #expect(script.core.readableGeneration != nil)
        for _ in 0..<4 {
            script.pass(ms: Limits.surveyMs)
            #expect(script.core.readableGeneration != nil)
        }
        #expect(script.core.reports.statistics.redisDisputes == 0)
    }

    @Test("A host that named other data once, and not again, had not heard of the new one, or died")
    func aHostThatNamedOtherDataOnceIsInNoDispute() throws {
        var (script, _) = try script()
        script.generations = ["bbbbbbbbbbbb"]
        script.pass(ms: Limits.surveyMs)
        script.freshGenerations = []
        script.pass(ms: Limits.disputeConfirmMs + Limits.surveyMs + Limits.lateSignMs + Limits.disputeAskMs)
        script.freshGenerations = nil
        script.pass(ms: Limits.surveyMs)
        #expect(script.core.reports.statistics.redisDisputes == 0, "it has to be named twice, with time between")
        script.pass(ms: Limits.disputeConfirmMs + Limits.disputeAskMs)
        #expect(script.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Two tokens that were each named once are no dispute: it is one that is named again")
    func twoTokensThatWereEachNamedOnceAreNoDispute() throws {
        var (script, _) = try script()
        script.generations = ["bbbbbbbbbbbb"]
        script.pass(ms: Limits.surveyMs)
        script.freshGenerations = []
        script.pass(ms: Limits.disputeConfirmMs)
        // A marker was made anew meanwhile, of which this host has not heard yet.
        script.generations = ["bbbbbbbbbbbb", "cccccccccccc"]
        script.freshGenerations = ["cccccccccccc"]
        script.pass(ms: Limits.disputeAskMs)
        #expect(script.core.reports.statistics.redisDisputes == 0)
        script.pass(ms: Limits.disputeConfirmMs)
        #expect(script.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Another host's sign of life counts from when this host knew its own data, or was asked for a second one")
    func anotherHostsSignOfLifeCountsFromWhenThisHostKnewItsData() throws {
        var script = try script().0
        script.byHand.insert(.survey)
        func asked() throws -> (CallID, Int64) {
            let surveys = script.take().compactMap {
                if case .lane(let call, .survey(let request)) = $0 { (call, request.freshMs) } else { nil }
            }
            return try #require(surveys.last)
        }
        script.pass(ms: Limits.surveyMs)
        let (first, firstMs) = try asked()
        #expect(firstMs >= Limits.surveyMs)
        script.generations = ["bbbbbbbbbbbb"]
        script.survey(first, script.survey(SurveyRequest(lane: 1, generation: "", beat: 2, freshMs: 0)))
        script.pass(ms: Limits.disputeAskMs)
        let (second, secondMs) = try asked()
        #expect(secondMs == 0, "it may not have heard of this host's data yet")
        script.byHand.remove(.survey)
        script.survey(second, script.survey(SurveyRequest(lane: 1, generation: "", beat: 3, freshMs: 0)))
        script.freshGenerations = []
        script.pass(ms: Limits.disputeConfirmMs)
        script.byHand.insert(.survey)
        script.pass(ms: Limits.disputeAskMs)
        #expect(try asked().1 > 0)
    }

    @Test("What was written to another Redis since this one was filled costs one era, and no more")
    func whatWasWrittenToAnotherRedisCostsOneEraAndNoMore() throws {
        var (script, _) = try script()
        script.since = 900
        script.strayed = [800]
        for _ in 0..<3 {
            script.pass(ms: Limits.surveyMs)
            #expect(script.core.coherence.past.era == 1)
        }
    }

    @Test("Where hosts go on writing to another Redis, eras do not follow each other at once, and a dispute ends them")
    func whereHostsGoOnStrayingErasDoNotFollowAtOnce() throws {
        var (script, _) = try script()
        script.since = 700
        script.strayed = [800]
        script.pass(ms: Limits.surveyMs)
        script.strayed = [801]
        script.pass(ms: Limits.eraMsMin - 1)
        #expect(script.core.coherence.past.era == 1)
        script.pass(ms: 1)
        #expect(script.core.coherence.past.era == 2)
        script.strayed = [802]
        script.generations = ["bbbbbbbbbbbb"]
        script.pass(ms: Limits.surveyMs)
        script.pass(ms: Limits.disputeConfirmMs)
        #expect(script.core.coherence.past.era == 2)
        #expect(script.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Data that another host made when what strayed had ended needs no other era; made before, it does")
    func dataThatAnotherHostMadeAfterStrayingEndedNeedsNoOtherEra() throws {
        func eras(_ snapshot: DatabaseSnapshot) throws -> Int64 {
            var script = try script().0
            script.since = 700
            script.byHand.insert(.survey)
            script.pass(ms: Limits.surveyMs)
            // The second one is found too soon after the first one's era for another one of this host's own.
            for strayed: Int64 in [790, 800] {
                script.strayed = [strayed]
                var surveys: [(CallID, SurveyRequest)] = []
                for case .lane(let call, .survey(let request)) in script.take() where !request.generation.isEmpty {
                    surveys.append((call, request))
                }
                let (call, request) = try #require(surveys.last)
                script.survey(call, script.survey(request))
                // Between the two a marker is made, after a survey.
                for case .lane(let call, .survey(let request)) in script.actions where request.generation.isEmpty {
                    script.survey(call, script.survey(request))
                }
            }
            #expect(script.core.coherence.past.era == 1)
            script.strayed = []
            script.byHand.remove(.survey)
            script.byHand.insert(.identify)
            script.lose(.redis)
            script.pass(ms: 0)
            script.connect(.redis)
            let other = Generation(
                server: "run:repl", database: Script.history, era: 2, snapshot: snapshot, token: "bbbbbbbbbbbb")
            script.identify(try #require(lastIdentify(script.take())), other)
            script.pass(ms: 2 * Limits.eraMsMin)
            return script.core.coherence.past.era
        }
        #expect(try eras(DatabaseSnapshot(least: 700, next: 801, running: [700, 799])) == 2)
        #expect(try eras(DatabaseSnapshot(least: 700, next: 801, running: [700, 800])) == 3)
    }

    @Test("Where more transactions run than a marker tells of, a batch that strayed costs one era all the same")
    func withMoreTransactionsThanAMarkerTellsOfStrayingCostsOneEra() throws {
        var script = try script().0
        script.since = 700
        script.strayed = [800]
        for _ in 0..<4 {
            script.pass(ms: Limits.surveyMs)
            #expect(script.core.coherence.past.era == 1)
        }
    }

    @Test("Item types that a survey does not find as they were learnt are learnt on new connections")
    func itemTypesNotFoundAsLearntAreLearntOnNewConnections() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.byHand.insert(.survey)
        script.pass(ms: Limits.surveyMs)
        var found = script.survey()
        found.knowsTypes = false
        script.survey(try #require(lastSurvey(script.take())), found)
        let actions = script.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
        // They may have the numbers from before.
        #expect(script.core.coherence.past.era == 0)
    }

    @Test("Other numbers of item types, whenever a connection learns them, drop what is cached")
    func otherNumbersOfItemTypesDropWhatIsCached() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.lose(.lane)
        script.step { core, turn in
            let facts = DatabaseFacts(history: Script.history, hasOtherTypes: true)
            core.databaseConnected(.lane, facts, &turn)
        }
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.known.cache.count == 0)
    }

    @Test("Data made later is told from data made before also while the least transaction goes on")
    func dataMadeLaterIsToldFromEarlierDataUnderALongTransaction() throws {
        func eras(next: Int64) throws -> Int64 {
            var script = try script().0
            script.latest = 700
            script.byHand.insert(.survey)
            for _ in 0..<2 {
                script.pass(ms: Limits.surveyMs)
                for case .lane(let call, .survey(let request)) in script.take() {
                    var found = script.survey(request)
                    found.snapshot = DatabaseSnapshot(least: 0, next: next, running: [0])
                    script.survey(call, found)
                }
            }
            return script.core.coherence.past.era
        }
        #expect(try eras(next: 700) == 1)
        // Said by a past that is over.
        #expect(try eras(next: 699) == 0)
    }

    @Test("What was said of transactions that are still to come says nothing of Redis' data")
    func whatWasSaidOfFutureTransactionsSaysNothingOfRedisData() throws {
        var (script, _) = try script()
        script.latest = 700
        script.since = 600
        script.pass(ms: Limits.surveyMs)
        #expect(script.core.coherence.past.era == 0)
    }

    @Test("Data from before hosts used another Redis is dropped, though all are back and use the same")
    func dataFromBeforeHostsUsedAnotherRedisIsDropped() throws {
        var (script, client) = try script()
        script.send(.count(post), on: client)
        script.redisHas(1, [counter(post, 5, 5)])
        script.byHand.insert(.identify)
        script.latest = 700
        script.since = 800
        script.pass(ms: Limits.surveyMs)
        #expect(script.core.coherence.past.era == 1)
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.readableGeneration == nil)
    }
}
