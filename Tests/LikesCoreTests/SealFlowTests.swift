import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What becomes of what strangers put into Redis or publish there.
@Suite struct SealFlowTests {
    private static let impossible = counter(post, 666, Int64.max)

    private func forged(_ counter: CounterState) -> SealedCounter {
        SealedCounter(counter: counter, seal: Seal(seconds: Scenario.seconds(.ms(1_000)), digest: 42))
    }

    // MARK: Messages

    @Test("A message that no host has sealed changes nothing, and is counted")
    func aMessageThatNoHostHasSealedChangesNothing() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        scenario.hear([forged(counter(post, 666, 6)), forged(Self.impossible)])
        #expect(scenario.core.repairs.count == 0)
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(5), .integer(5)])
        #expect(scenario.core.reports.statistics.forgedMessages == 2)
        #expect(scenario.core.reports.statistics.countersHeard == 0)
        // A message sealed by a host still counts.
        scenario.hear(counter(post, 6, 6))
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(6)])
    }

    @Test("A message about other data in Redis does not concern this data")
    func aMessageForOtherDataOfRedisIsNotOneForThis() {
        var scenario = Scenario()
        let sealed = scenario.sealed(counter(post, 6, 6), token: "bbbbbbbbbbbb")
        scenario.hear([sealed])
        #expect(scenario.core.reports.statistics.forgedMessages == 1)
    }

    @Test("An old message of a host that a stranger repeats makes no work")
    func whatAHostSaidLongAgoAndAStrangerRepeatsMakesNoWork() {
        var scenario = Scenario()
        let old = scenario.sealed(counter(post, 5, 5))
        let newer = scenario.sealed(counter(post, 6, 6))
        scenario.pass(ms: Limits.sealAgeMsMax + 1_000)
        scenario.hear([newer])
        scenario.hear([old])
        #expect(scenario.core.repairs.count == 0)
        #expect(scenario.core.reports.statistics.forgedMessages == 0)
    }

    @Test("An old message still replaces an older count here: a host may have stood still for long")
    func aMessageHeardLateStillMakesAnOlderCountHereNewer() throws {
        var scenario = Scenario({ $0.localCacheTTLMs = 600_000 })
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas([nil])
        scenario.databaseHas([counter(post, 5, 5)])
        let newer = scenario.sealed(counter(post, 6, 6))
        scenario.pass(ms: Limits.sealAgeMsMax + 1_000)
        scenario.hear([newer])
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(5), .integer(6)])
    }

    @Test("Before PostgreSQL has answered nobody is heard, and nobody is called a stranger")
    func beforePostgreSQLWasThereNobodyIsHeardOrCalledAStranger() {
        var scenario = Scenario(up: [.redis, .subscriber])
        scenario.hear(counter(post, 5, 5))
        #expect(
            scenario.core.reports.statistics.countersHeard == 0 && scenario.core.reports.statistics.forgedMessages == 0)
    }

    // MARK: Counters in Redis

    @Test("A counter that no host has sealed counts as missing")
    func aCounterThatNoHostHasSealedIsNone() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [forged(counter(post, 666, 9))])
        #expect(scenario.take().last == .selectCounters([post]))
        scenario.databaseHas([counter(post, 5, 5)])
        #expect(scenario.replies(client) == [.integer(5)])
        #expect(scenario.core.reports.statistics.forgedCounters == 1)
    }

    @Test("A counter that a host has sealed long ago is asked for anew, and told where PostgreSQL does not answer")
    func aCounterSealedLongAgoIsAskedForAnew() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        let old = scenario.sealed(counter(post, 4, 4))
        scenario.pass(ms: Limits.sealAgeMsMax + 1_000)
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [old])
        #expect(scenario.core.reports.statistics.agedCounters == 1)
        #expect(scenario.replies(client) == [])
        scenario.lose(.reader)
        #expect(scenario.replies(client) == [.integer(4)])
        // And it is believed as long as PostgreSQL can't be asked, but no longer.
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [old])
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(4), .integer(4)])
        scenario.connect(.reader)
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [old])
        #expect(scenario.replies(client) == [])
    }

    @Test("In the local cache a counter from Redis is fresh for 29 s after PostgreSQL was asked, whatever the TTL")
    func aCachedCounterFromRedisIsFreshFor29SecondsAfterPostgreSQLWasAsked() throws {
        var scenario = Scenario({ $0.localCacheTTLMs = 600_000 })
        let client = try scenario.open()
        let old = scenario.sealed(counter(post, 4, 4))
        let sealedAt = scenario.now
        scenario.pass(ms: 20_000)
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [old])
        // Two seconds less, because the clock is known only to the second.
        scenario.pass(ms: 6_000)
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [.integer(4), .integer(4)])
        scenario.pass(ms: Limits.sealedCacheMsMax - scenario.now.ms(since: sealedAt))
        scenario.send(.count(post), on: client)
        #expect(scenario.replies(client) == [])
    }

    @Test("A stranger's counter that looks newer than PostgreSQL's is removed, and the right one set again")
    func whatLooksNewerAndIsAStrangersIsTakenAway() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 6, 6)])
        let stranger = KeptCounter(
            item: post, counter: forged(Self.impossible), word: Array("9223372036854775807:x".utf8))
        _ = scenario.take()
        scenario.wroteThrough(kept: [stranger])
        let actions = scenario.take()
        #expect(actions.contains(.reply(client, .change(changed: true, count: 6))))
        #expect(actions.contains(.drop(Scenario.generation, [stranger])))
        scenario.dropped()
        #expect(scenario.core.repairs.contains(post, on: 0))
        #expect(scenario.core.alarms.databasesGoneBack == 0)
        // Not at once: the stranger may do it again and again. Others are told through PostgreSQL meanwhile.
        #expect(!actions.contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        scenario.pass(ms: Limits.repairRetryMs)
        #expect(scenario.take().contains(.selectCounters([post])))
        scenario.databaseHas([counter(post, 6, 6)])
        #expect(
            scenario.take().contains {
                if case .redis(_, _, .writeThrough(_, let set, _)) = $0 { set.count == 1 } else { false }
            })
    }

    @Test("A counter that Redis can't give in time is set anew: its value may be too large to be read")
    func whatRedisCannotBeAskedForInTimeIsSetAnew() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.take().contains(.readCounters([post])))
        scenario.pass(ms: scenario.core.configuration.redisCallMsMax)
        #expect(!scenario.core.redis.link.isUp)
        scenario.answer(scenario.takeWithCalls(), [counter(post, 5, 5)])
        #expect(scenario.core.repairs.contains(post, on: 0))
        scenario.pass(ms: Limits.reconnectMsMax)
        scenario.connect(.redis)
        scenario.answer(scenario.takeWithCalls(), [counter(post, 5, 5)])
        #expect(
            scenario.take().contains {
                if case .redis(_, _, .writeThrough(_, let set, _)) = $0 { set.count == 1 } else { false }
            })
    }

    @Test("If the connection to Redis ends during reads, the item read first is set anew; the later ones are not")
    func aConnectionThatEndsOverAReadHasWhatWasReadFirstSetAnew() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        #expect(scenario.take().contains(.readCounters([post])))
        scenario.send(.count(other), on: client)
        #expect(scenario.take().contains(.readCounters([other])))
        scenario.lose(.redis)
        #expect(scenario.core.repairs.contains(post, on: 0))
        #expect(!scenario.core.repairs.contains(other, on: 0))
    }

    // MARK: Markers

    @Test(
        "A marker that no host has made is replaced, whatever it claims",
        arguments: [
            { $0.era = 5 }, { $0.era = Generation.eraMax }, { $0.database.timeline += 1 },
            { $0 = $0.sealed(by: Scenario.secret(9)) },
        ] as [@Sendable (inout Generation) -> Void])
    func aMarkerThatNoHostHasMadeIsReplaced(change: @Sendable (inout Generation) -> Void) {
        var scenario = Scenario(byHand: [.identify])
        var generation = Scenario.generation
        generation.token = "bbbbbbbbbbbb"
        generation = generation.sealed(by: Scenario.secret)
        change(&generation)
        _ = scenario.take()
        scenario.found(generation.marker)
        #expect(scenario.core.coherence.trust.generation == nil)
        #expect(scenario.core.coherence.past.era == 0)
        #expect(scenario.core.lane.link.isUp && scenario.core.reader.link.isUp)
        #expect(scenario.core.reports.statistics.forgedMarkers == 1)
        let again = scenario.take().compactMap {
            if case .redis(_, _, .identify(let request)) = $0 { request.new } else { nil }
        }
        #expect(again.last?.instead == generation.marker)
        #expect(again.last?.generation(on: "run:repl").isSealed(by: Scenario.secret) == true)
    }

    @Test("A marker that was found before PostgreSQL answered is looked at again, and decides nothing until then")
    func aMarkerTakenBeforePostgreSQLWasThereIsLookedAtAgain() throws {
        var scenario = Scenario(up: [.redis, .subscriber], byHand: [.identify])
        var generation = Scenario.generation
        generation.era = 7
        _ = scenario.take()
        scenario.found(generation.marker)
        #expect(scenario.core.coherence.past.era == 0)
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.redisHas(sealed: [forged(counter(post, 666, 9))])
        #expect(scenario.replies(client) == [.integer(666)])
        scenario.connect(.reader)
        #expect(scenario.core.coherence.trust.generation == nil)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.take().contains { if case .redis(_, _, .identify) = $0 { true } else { false } })
    }

    // MARK: The clock

    @Test(
        "If PostgreSQL's clock was set back, older seals do not become recent when their time comes again",
        arguments: [true, false])
    func whereTheClockWasSetBackWhatWasSealedBeforeIsOfNoUse(isRedisThere: Bool) {
        var scenario = Scenario(byHand: [.survey])
        if !isRedisThere { scenario.lose(.redis) }
        scenario.pass(ms: Limits.surveyMs)
        _ = scenario.take()
        var found = scenario.usualSurvey()
        found.signOfLife = 0
        found.seals?.seconds = Scenario.seconds(scenario.now) - 3_600
        if isRedisThere { scenario.byHand.insert(.identify) }
        scenario.survey(found)
        #expect(scenario.core.coherence.trust.generation == nil)
        if !isRedisThere { scenario.connect(.redis) }
        #expect(scenario.core.coherence.trust.generation?.token != Scenario.generation.token)
        #expect(scenario.core.coherence.trust.disownedToken == Scenario.generation.token)
    }

    // MARK: The secret

    @Test("With another secret nothing that was cached is believed, and Redis is identified anew")
    func withAnotherSecretNothingThatWasCachedIsBelieved() throws {
        var scenario = Scenario(byHand: [.survey])
        let client = try scenario.open()
        scenario.send(.count(post), on: client)
        scenario.databaseHas([counter(post, 5, 5)])
        scenario.pass(ms: Limits.surveyMs)
        _ = scenario.take()
        var found = scenario.usualSurvey()
        found.signOfLife = 0
        found.seals?.secret = Scenario.secret(2)
        scenario.byHand.insert(.identify)
        scenario.survey(found)
        #expect(scenario.core.known.cache.count == 0)
        #expect(scenario.core.coherence.trust.generation == nil)
        #expect(scenario.take().contains { if case .redis(_, _, .identify) = $0 { true } else { false } })
        #expect(scenario.core.lane.link.isUp)
    }

    @Test("Where the secret is gone, new connections say what to do")
    func whereTheSecretIsGoneNewConnectionsSayWhatToDo() {
        var scenario = Scenario(byHand: [.survey])
        scenario.pass(ms: Limits.surveyMs)
        _ = scenario.take()
        var found = scenario.usualSurvey()
        found.seals = nil
        scenario.survey(found)
        #expect(!scenario.core.lane.link.isUp && !scenario.core.reader.link.isUp)
    }
}

extension Scenario {
    /// Redis has this text as its marker, whoever wrote it.
    fileprivate mutating func found(call: CallID? = nil, _ text: String) {
        let marker = FoundMarker(text: text, server: Scenario.generation.server)
        identified(call: call, marker)
    }
}
