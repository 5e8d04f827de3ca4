import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

extension PastTests {
    // MARK: One Redis, two databases; one database, two Redis

    @Test("Another database's marker is replaced once; if it comes back, Redis is left to that database")
    func anotherDatabasesMarkerIsReplacedOnceThenRedisIsLeftToIt() {
        var scenario = Scenario(up: [.subscriber, .lane, .reader], byHand: [.identify])
        let foreign = Generation(server: "run:repl", database: Self.restored, token: "bbbbbbbbbbbb")
        for round in 0...1 {
            scenario.connect(.redis)
            _ = scenario.take()
            scenario.identify(foreign)
            let actions = scenario.take()
            if round == 1 {
                #expect(actions.contains(.disconnect(.redis)))
                continue
            }
            guard case .redis(_, _, .identify(let request))? = actions.last, let token = request.new?.token else {
                Issue.record("no marker is made")
                return
            }
            scenario.identify(Generation(server: "run:repl", database: Scenario.identity, token: token))
            #expect(scenario.core.coherence.trust.generation?.token == token)
            scenario.lose(.redis)
            scenario.pass(ms: 1_000)
        }
        scenario.pass(ms: Limits.foreignPauseMs - 1)
        #expect(!scenario.take().contains(.connect(.redis)))
        scenario.pass(ms: 1)
        #expect(scenario.take().contains(.connect(.redis)))
    }

    @Test("Another database's marker counts as back only where this host had made its own and never used that database")
    func anotherDatabasesMarkerIsBackOnlyWhereThisHostMadeItsOwn() {
        func marker(_ server: String, _ tables: String) -> Generation {
            let database = DatabaseIdentity(system: "7", timeline: 1, tables: tables)
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
        // Restored once more: markers from before that are replaced on each server.
        identify(&trust, marker("one", "3"), isMade: true)
        #expect(!isBack(&trust, marker("two", "2")))
        identify(&trust, marker("two", "3"), isMade: true)
        #expect(isBack(&trust, marker("two", "2")))
    }

    @Test("Another database's marker that came back is replaced once its hosts have been silent for a while")
    func anotherDatabasesMarkerIsTakenOverOnceItsHostsAreSilent() {
        let own = Generation(server: "run:repl", database: Scenario.identity, token: "aaaaaaaaaaaa")
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

    @Test("While other hosts use other data, nobody believes Redis, and its data is new afterwards")
    func whereOtherHostsKeepToOtherDataRedisIsBelievedByNobody() throws {
        var (scenario, client) = try scenario()
        scenario.tokens = ["bbbbbbbbbbbb"]
        scenario.pass(ms: Limits.surveyMs)
        #expect(scenario.core.readableGeneration != nil, "two hosts may hear of a new generation one after the other")
        scenario.pass(ms: Limits.disputeConfirmMs)
        #expect(scenario.core.readableGeneration == nil)
        #expect(scenario.core.writableGeneration == nil)
        #expect(scenario.core.status(now: scenario.now) == "degraded")
        scenario.send(.count(post), on: client)
        #expect(scenario.take().contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        scenario.tokens = [Scenario.generation.token]
        scenario.byHand.insert(.identify)
        scenario.pass(ms: Limits.disputeConfirmMs)
        #expect(scenario.core.coherence.trust.dispute == nil)
        #expect(scenario.core.coherence.past.era == 1)
    }

    @Test("A host that made data elsewhere and came back has missed changes, even if no survey said so")
    func aHostThatMadeDataElsewhereAndCameBackHasMissedChanges() throws {
        var scenario = try scenario().0
        scenario.byHand.formUnion([.identify, .survey])
        func takeSurvey() throws -> SurveyRequest {
            let surveys = scenario.take().compactMap {
                if case .lane(_, .survey(let request)) = $0 { request } else { nil }
            }
            return try #require(surveys.last)
        }
        func answer(_ request: SurveyRequest) { scenario.survey(scenario.usualSurvey(request)) }
        func move(to generation: Generation?) {
            scenario.lose(.redis)
            scenario.pass(ms: 1_000)
            scenario.connect(.redis)
            _ = scenario.take()
            scenario.identify(generation)
        }
        scenario.since = 50
        move(to: nil)
        answer(try takeSurvey())
        guard case .redis(_, _, .identify(let request))? = scenario.take().last, let new = request.new else {
            Issue.record("no marker is made")
            return
        }
        scenario.identify(new.generation(on: "another:life"))
        #expect(scenario.core.coherence.trust.generation?.snapshot.least == 50)
        let overtaken = try takeSurvey()
        move(to: Scenario.generation)
        answer(overtaken)
        #expect(scenario.core.coherence.past.era == 0)
        answer(try takeSurvey())
        #expect(scenario.core.coherence.past.era == 1)
    }

    @Test("A host that starts does not read a Redis that others are in dispute about")
    func aHostThatStartsDoesNotReadARedisInDispute() {
        var scenario = Scenario(up: [], byHand: [])
        scenario.tokens = ["bbbbbbbbbbbb"]
        for backend in Backend.all(standbys: 0).reversed() { scenario.connect(backend) }
        #expect(scenario.core.readableGeneration == nil)
        scenario.tokens = []
        scenario.pass(ms: Limits.disputeConfirmMs)
        #expect(scenario.core.readableGeneration != nil)
    }

    @Test("A host that died before this one knew its data is in no dispute with it, whatever it used")
    func aHostThatDiedBeforeThisOneKnewItsDataIsInNoDispute() {
        var scenario = Scenario(up: [], byHand: [])
        (scenario.tokens, scenario.freshTokens) = (["bbbbbbbbbbbb"], [])
        for backend in Backend.all(standbys: 0).reversed() { scenario.connect(backend) }
        #expect(scenario.core.readableGeneration != nil)
        for _ in 0..<4 {
            scenario.pass(ms: Limits.surveyMs)
            #expect(scenario.core.readableGeneration != nil)
        }
        #expect(scenario.core.reports.statistics.redisDisputes == 0)
    }

    @Test("A host that named other data only once is in no dispute: it had not heard of the new data, or died")
    func aHostThatNamedOtherDataOnceIsInNoDispute() throws {
        var (scenario, _) = try scenario()
        scenario.tokens = ["bbbbbbbbbbbb"]
        scenario.pass(ms: Limits.surveyMs)
        scenario.freshTokens = []
        scenario.pass(ms: Limits.disputeConfirmMs + Limits.surveyMs + Limits.lateSignMs + Limits.disputeAskMs)
        scenario.freshTokens = nil
        scenario.pass(ms: Limits.surveyMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 0, "it has to be named twice, with time between")
        scenario.pass(ms: Limits.disputeConfirmMs + Limits.disputeAskMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Two tokens that were each named once are no dispute; one token that is named again is")
    func twoTokensThatWereEachNamedOnceAreNoDispute() throws {
        var (scenario, _) = try scenario()
        scenario.tokens = ["bbbbbbbbbbbb"]
        scenario.pass(ms: Limits.surveyMs)
        scenario.freshTokens = []
        scenario.pass(ms: Limits.disputeConfirmMs)
        // A marker was made anew meanwhile, of which this host has not heard yet.
        scenario.tokens = ["bbbbbbbbbbbb", "cccccccccccc"]
        scenario.freshTokens = ["cccccccccccc"]
        scenario.pass(ms: Limits.disputeAskMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 0)
        scenario.pass(ms: Limits.disputeConfirmMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Other data that hosts name once each, one after the other, is no dispute")
    func otherDataThatHostsNameOnceEachIsNoDispute() throws {
        var (scenario, _) = try scenario()
        for host in 1...4 as ClosedRange<Int64> {
            // Each wakes from a pause, and names what it used before it.
            (scenario.tokens, scenario.othersLane) = (["bbbbbbbbbbbb"], host << 32)
            scenario.pass(ms: Limits.disputeConfirmMs - Limits.disputeAskMs)
            scenario.tokens = []
            scenario.pass(ms: Limits.surveyMs)
        }
        #expect(scenario.core.reports.statistics.redisDisputes == 0)
    }

    @Test("A host that moves to another lane is known again, and so is what it names")
    func aHostThatMovesToAnotherLaneIsKnownAgain() throws {
        var (scenario, _) = try scenario()
        var random = Random(seed: 1)
        scenario.tokens = ["bbbbbbbbbbbb"]
        scenario.othersLane = LaneNumber.first(&random)
        scenario.pass(ms: Limits.surveyMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 0)
        scenario.othersLane = LaneNumber.next(after: scenario.othersLane, &random)
        scenario.pass(ms: Limits.disputeConfirmMs + Limits.disputeAskMs)
        #expect(scenario.core.reports.statistics.redisDisputes == 1)
    }

    @Test("What was written to another Redis since this one was filled costs one era, and no more")
    func whatWasWrittenToAnotherRedisCostsOneEraAndNoMore() throws {
        var (scenario, _) = try scenario()
        scenario.since = 900
        scenario.strayed = [800]
        for _ in 0..<3 {
            scenario.pass(ms: Limits.surveyMs)
            #expect(scenario.core.coherence.past.era == 1)
        }
    }

    @Test("Where hosts go on writing to another Redis, eras do not follow each other at once, and a dispute ends them")
    func whereHostsGoOnStrayingErasDoNotFollowAtOnce() throws {
        var (scenario, _) = try scenario()
        scenario.since = 700
        scenario.strayed = [800]
        scenario.pass(ms: Limits.surveyMs)
        scenario.strayed = [801]
        scenario.pass(ms: Limits.eraMsMin - 1)
        #expect(scenario.core.coherence.past.era == 1)
        scenario.pass(ms: 1)
        #expect(scenario.core.coherence.past.era == 2)
        scenario.strayed = [802]
        scenario.tokens = ["bbbbbbbbbbbb"]
        scenario.pass(ms: Limits.surveyMs)
        scenario.pass(ms: Limits.disputeConfirmMs)
        #expect(scenario.core.coherence.past.era == 2)
        #expect(scenario.core.reports.statistics.redisDisputes == 1)
    }

    @Test("Data that another host made after the straying changes had ended needs no other era; data made before does")
    func dataThatAnotherHostMadeAfterStrayingEndedNeedsNoOtherEra() throws {
        func eras(_ snapshot: DatabaseSnapshot) throws -> Int64 {
            var scenario = try scenario().0
            scenario.since = 700
            scenario.byHand.insert(.survey)
            scenario.pass(ms: Limits.surveyMs)
            // The second one is found so soon after the first one's era that this host may not begin another.
            for strayed: Int64 in [790, 800] {
                scenario.strayed = [strayed]
                var surveys: [(CallID, SurveyRequest)] = []
                for case .lane(let call, .survey(let request)) in scenario.takeWithCalls()
                where !request.tokens.isEmpty {
                    surveys.append((call, request))
                }
                let (call, request) = try #require(surveys.last)
                scenario.survey(call: call, scenario.usualSurvey(request))
                // Between the two a marker is made, after a survey.
                for case .lane(let call, .survey(let request)) in scenario.actions where request.tokens.isEmpty {
                    scenario.survey(call: call, scenario.usualSurvey(request))
                }
            }
            #expect(scenario.core.coherence.past.era == 1)
            scenario.strayed = []
            scenario.byHand.remove(.survey)
            scenario.byHand.insert(.identify)
            scenario.lose(.redis)
            scenario.pass(ms: 0)
            scenario.connect(.redis)
            let other = Generation(
                server: "run:repl", database: Scenario.identity, era: 2, snapshot: snapshot, token: "bbbbbbbbbbbb")
            _ = scenario.take()
            scenario.identify(other)
            scenario.pass(ms: 2 * Limits.eraMsMin)
            return scenario.core.coherence.past.era
        }
        #expect(try eras(DatabaseSnapshot(least: 700, next: 801, running: [700, 799])) == 2)
        #expect(try eras(DatabaseSnapshot(least: 700, next: 801, running: [700, 800])) == 3)
    }

    @Test("A batch that strayed costs only one era, even if more transactions run than a marker can name")
    func withMoreTransactionsThanAMarkerTellsOfStrayingCostsOneEra() throws {
        var scenario = try scenario().0
        scenario.since = 700
        scenario.strayed = [800]
        for _ in 0..<4 {
            scenario.pass(ms: Limits.surveyMs)
            #expect(scenario.core.coherence.past.era == 1)
        }
    }

    @Test("If a survey finds other item types than were learnt, they are learnt again on new connections")
    func itemTypesNotFoundAsLearntAreLearntOnNewConnections() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.byHand.insert(.survey)
        scenario.pass(ms: Limits.surveyMs)
        var found = scenario.usualSurvey()
        found.knowsTypes = false
        _ = scenario.take()
        scenario.survey(found)
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.reader)) && actions.contains(.disconnect(.lane)))
        // They may have the numbers from before.
        #expect(scenario.core.coherence.past.era == 0)
    }

    @Test("When a connection learns other numbers of the item types, what is cached is dropped")
    func otherNumbersOfItemTypesDropWhatIsCached() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.lose(.lane)
        scenario.step { core, turn in
            let facts = DatabaseFacts(identity: Scenario.identity, hasOtherTypes: true)
            core.databaseConnected(.lane, facts, &turn)
        }
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.known.cache.count == 0)
    }

    @Test("Data made later can be told from data made before, even while the least transaction goes on")
    func dataMadeLaterIsToldFromEarlierDataUnderALongTransaction() throws {
        func eras(next: Int64) throws -> Int64 {
            var scenario = try scenario().0
            scenario.latest = 700
            scenario.byHand.insert(.survey)
            for _ in 0..<2 {
                scenario.pass(ms: Limits.surveyMs)
                for case .lane(let call, .survey(let request)) in scenario.takeWithCalls() {
                    var found = scenario.usualSurvey(request)
                    found.snapshot = DatabaseSnapshot(least: 0, next: next, running: [0])
                    scenario.survey(call: call, found)
                }
            }
            return scenario.core.coherence.past.era
        }
        #expect(try eras(next: 700) == 1)
        // Said by a past that is over.
        #expect(try eras(next: 699) == 0)
    }

    @Test("A statement about transactions that are still to come says nothing of Redis' data")
    func whatWasSaidOfFutureTransactionsSaysNothingOfRedisData() throws {
        var (scenario, _) = try scenario()
        scenario.latest = 700
        scenario.since = 600
        scenario.pass(ms: Limits.surveyMs)
        #expect(scenario.core.coherence.past.era == 0)
    }

    @Test("Data from before some hosts used another Redis is dropped, even if all use the same again")
    func dataFromBeforeHostsUsedAnotherRedisIsDropped() throws {
        var (scenario, client) = try scenario()
        scenario.send(.count(post), on: client)
        scenario.redisHas([counter(post, 5, 5)])
        scenario.byHand.insert(.identify)
        scenario.latest = 700
        scenario.since = 800
        scenario.pass(ms: Limits.surveyMs)
        #expect(scenario.core.coherence.past.era == 1)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.readableGeneration == nil)
    }
}
