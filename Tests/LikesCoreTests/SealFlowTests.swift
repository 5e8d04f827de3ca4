import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// What strangers put into Redis, or say there, and what becomes of it.
@Suite struct SealFlowTests {
    private static let impossible = counter(post, 666, Int64.max)

    private func forged(_ counter: CounterState) -> SealedCounter {
        SealedCounter(counter: counter, seal: Seal(seconds: Script.seconds(.ms(1_000)), digest: 42))
    }

    // MARK: Messages

    @Test("A message that no host has sealed changes nothing, and is counted")
    func aMessageThatNoHostHasSealedChangesNothing() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        script.hear([forged(counter(post, 666, 6)), forged(Self.impossible)])
        #expect(script.core.repairs.count == 0)
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(5), .integer(5)])
        #expect(script.core.reports.statistics.forgedMessages == 2)
        #expect(script.core.reports.statistics.countersHeard == 0)
        // One of a host's still counts.
        script.hear(counter(post, 6, 6))
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(6)])
    }

    @Test("A message for other data of Redis' is not one for this")
    func aMessageForOtherDataOfRedisIsNotOneForThis() throws {
        var script = Script()
        let sealed = script.sealed(counter(post, 6, 6), token: "bbbbbbbbbbbb")
        script.hear([sealed])
        #expect(script.core.reports.statistics.forgedMessages == 1)
    }

    @Test("What a host said long ago, and a stranger repeats, makes no work")
    func whatAHostSaidLongAgoAndAStrangerRepeatsMakesNoWork() throws {
        var script = Script()
        let old = script.sealed(counter(post, 5, 5))
        let newer = script.sealed(counter(post, 6, 6))
        script.pass(ms: Limits.sealAgeMsMax + 1_000)
        script.hear([newer])
        script.hear([old])
        #expect(script.core.repairs.count == 0)
        #expect(script.core.reports.statistics.forgedMessages == 0)
    }

    @Test("It still makes an older count here newer: a host may have stood still for long")
    func aMessageHeardLateStillMakesAnOlderCountHereNewer() throws {
        var script = Script({ $0.localCacheTTLMs = 600_000 })
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        let newer = script.sealed(counter(post, 6, 6))
        script.pass(ms: Limits.sealAgeMsMax + 1_000)
        script.hear([newer])
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(5), .integer(6)])
    }

    @Test("Before PostgreSQL was there nobody is heard, and nobody is called a stranger")
    func beforePostgreSQLWasThereNobodyIsHeardOrCalledAStranger() throws {
        var script = Script(up: [.redis, .subscriber])
        script.hear(counter(post, 5, 5))
        #expect(script.core.reports.statistics.countersHeard == 0 && script.core.reports.statistics.forgedMessages == 0)
    }

    // MARK: Counters in Redis

    @Test("A counter that no host has sealed is none")
    func aCounterThatNoHostHasSealedIsNone() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, sealed: [forged(counter(post, 666, 9))])
        #expect(script.take().last == .selectCounters(2, [post]))
        script.databaseHas(2, [counter(post, 5, 5)])
        #expect(script.replies(client) == [.integer(5)])
        #expect(script.core.reports.statistics.forgedCounters == 1)
    }

    @Test("A counter that a host has sealed long ago is asked for anew, and told where PostgreSQL does not answer")
    func aCounterSealedLongAgoIsAskedForAnew() throws {
        var script = Script()
        let client = try script.open()
        let old = script.sealed(counter(post, 4, 4))
        script.pass(ms: Limits.sealAgeMsMax + 1_000)
        script.send(.count(post), on: client)
        let read = try script.read()
        script.redisHas(read, sealed: [old])
        #expect(script.core.reports.statistics.agedCounters == 1)
        #expect(script.replies(client) == [])
        script.lose(.reader)
        #expect(script.replies(client) == [.integer(4)])
        // And it is believed as long as PostgreSQL can't be asked, but no longer.
        script.send(.count(post), on: client)
        script.redisHas(try script.read(), sealed: [old])
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(4), .integer(4)])
        script.connect(.reader)
        script.send(.count(post), on: client)
        script.redisHas(try script.read(), sealed: [old])
        #expect(script.replies(client) == [])
    }

    @Test("In the local cache a counter from Redis is fresh for 29 s after PostgreSQL was asked, whatever the TTL")
    func aCachedCounterFromRedisIsFreshFor29SecondsAfterPostgreSQLWasAsked() throws {
        var script = Script({ $0.localCacheTTLMs = 600_000 })
        let client = try script.open()
        let old = script.sealed(counter(post, 4, 4))
        let sealedAt = script.now
        script.pass(ms: 20_000)
        script.send(.count(post), on: client)
        script.redisHas(try script.read(), sealed: [old])
        // Two seconds less, since the clock is known to the second.
        script.pass(ms: 6_000)
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [.integer(4), .integer(4)])
        script.pass(ms: Limits.sealedCacheMsMax - script.now.ms(since: sealedAt))
        script.send(.count(post), on: client)
        #expect(script.replies(client) == [])
    }

    @Test("What looks newer than PostgreSQL's, and is a stranger's, is taken away, and the right one set again")
    func whatLooksNewerAndIsAStrangersIsTakenAway() throws {
        var script = Script()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.admit(1, [.admitted(recent: false)])
        script.commit(2, changed: [true], [counter(post, 6, 6)])
        let stranger = KeptCounter(
            item: post, counter: forged(Self.impossible), word: Array("9223372036854775807:x".utf8))
        _ = script.take()
        script.wroteThrough(3, kept: [stranger])
        let actions = script.take()
        #expect(actions.contains(.reply(client, .change(changed: true, count: 6))))
        let drop = try #require(
            actions.compactMap { if case .redis(let call, .drop(_, [stranger])) = $0 { call } else { nil } }.last)
        script.dropped(drop)
        #expect(script.core.repairs.contains(post))
        #expect(script.core.alarms.databasesGoneBack == 0)
        // Not at once: the stranger may do it again and again. Others are told through PostgreSQL meanwhile.
        #expect(!actions.contains { if case .reader(_, .selectCounters) = $0 { true } else { false } })
        script.pass(ms: Limits.repairRetryMs)
        let asked = try #require(
            script.take().compactMap { if case .reader(let call, .selectCounters([post])) = $0 { call } else { nil } }
                .last)
        script.databaseHas(asked, [counter(post, 6, 6)])
        #expect(
            script.take().contains {
                if case .redis(_, .writeThrough(_, let set, _)) = $0 { set.count == 1 } else { false }
            })
    }

    @Test("What Redis can't be asked for in time is set there anew: one value may be too large to be read")
    func whatRedisCannotBeAskedForInTimeIsSetAnew() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        _ = try script.read()
        script.pass(ms: script.core.configuration.redisCallMsMax)
        #expect(!script.core.redis.link.isUp)
        script.answer(script.take(), [counter(post, 5, 5)])
        #expect(script.core.repairs.contains(post))
        script.pass(ms: Limits.reconnectMsMax)
        script.connect(.redis)
        script.answer(script.take(), [counter(post, 5, 5)])
        #expect(
            script.take().contains {
                if case .redis(_, .writeThrough(_, let set, _)) = $0 { set.count == 1 } else { false }
            })
    }

    @Test("A connection to Redis that ends over a read has what was read first set anew; what came later has its turn")
    func aConnectionThatEndsOverAReadHasWhatWasReadFirstSetAnew() throws {
        var script = Script()
        let client = try script.open()
        script.send(.count(post), on: client)
        _ = try script.read()
        script.send(.count(other), on: client)
        _ = try script.read()
        script.lose(.redis)
        #expect(script.core.repairs.contains(post))
        #expect(!script.core.repairs.contains(other))
    }

    // MARK: Markers

    @Test(
        "A marker that no host has made is replaced, whatever it claims",
        arguments: [
            { $0.era = 5 }, { $0.era = Generation.eraMax }, { $0.database.timeline += 1 },
            { $0 = $0.sealed(by: Script.secret(9)) },
        ] as [@Sendable (inout Generation) -> Void])
    func aMarkerThatNoHostHasMadeIsReplaced(change: @Sendable (inout Generation) -> Void) throws {
        var script = Script(byHand: [.identify])
        var claim = Script.generation
        claim.token = "bbbbbbbbbbbb"
        claim = claim.sealed(by: Script.secret)
        change(&claim)
        let call = try #require(
            script.take().compactMap { if case .redis(let call, .identify(_)) = $0 { call } else { nil } }.last)
        script.found(call, claim.marker)
        #expect(script.core.coherence.trust.generation == nil)
        #expect(script.core.coherence.past.era == 0)
        #expect(script.core.lane.link.isUp && script.core.reader.link.isUp)
        #expect(script.core.reports.statistics.forgedMarkers == 1)
        let again = script.take().compactMap {
            if case .redis(_, .identify(let request)) = $0 { request.new } else { nil }
        }
        #expect(again.last?.instead == claim.marker)
        #expect(again.last?.generation(on: "run:repl").isSealed(by: Script.secret) == true)
    }

    @Test("A marker that was taken before PostgreSQL was there is looked at again, and decides nothing before")
    func aMarkerTakenBeforePostgreSQLWasThereIsLookedAtAgain() throws {
        var script = Script(up: [.redis, .subscriber], byHand: [.identify])
        var claim = Script.generation
        claim.era = 7
        let call = try #require(
            script.take().compactMap { if case .redis(let call, .identify(_)) = $0 { call } else { nil } }.last)
        script.found(call, claim.marker)
        #expect(script.core.coherence.past.era == 0)
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(try script.read(), sealed: [forged(counter(post, 666, 9))])
        #expect(script.replies(client) == [.integer(666)])
        script.connect(.reader)
        #expect(script.core.coherence.trust.generation == nil)
        #expect(script.core.known.cache.count == 0)
        #expect(script.take().contains { if case .redis(_, .identify) = $0 { true } else { false } })
    }

    // MARK: The clock

    @Test(
        "Where PostgreSQL's clock was set back, what was sealed before is of no use when its time comes again",
        arguments: [true, false])
    func whereTheClockWasSetBackWhatWasSealedBeforeIsOfNoUse(isRedisThere: Bool) throws {
        var script = Script(byHand: [.survey])
        if !isRedisThere { script.lose(.redis) }
        script.pass(ms: Limits.surveyMs)
        let call = try #require(
            script.take().compactMap { if case .lane(let call, .survey(_)) = $0 { call } else { nil } }.last)
        var found = script.survey()
        found.beat = 0
        found.seals?.seconds = Script.seconds(script.now) - 3_600
        if isRedisThere { script.byHand.insert(.identify) }
        script.survey(call, found)
        #expect(script.core.coherence.trust.generation == nil)
        if !isRedisThere { script.connect(.redis) }
        #expect(script.core.coherence.trust.generation?.token != Script.generation.token)
        #expect(script.core.coherence.trust.disownedToken == Script.generation.token)
    }

    // MARK: The secret

    @Test("With another secret nothing that was cached is believed, and Redis is identified anew")
    func withAnotherSecretNothingThatWasCachedIsBelieved() throws {
        var script = Script(byHand: [.survey])
        let client = try script.open()
        script.send(.count(post), on: client)
        script.redisHas(1, [nil])
        script.databaseHas(2, [counter(post, 5, 5)])
        script.pass(ms: Limits.surveyMs)
        let call = try #require(
            script.take().compactMap { if case .lane(let call, .survey(_)) = $0 { call } else { nil } }.last)
        var found = script.survey()
        found.beat = 0
        found.seals?.secret = Script.secret(2)
        script.byHand.insert(.identify)
        script.survey(call, found)
        #expect(script.core.known.cache.count == 0)
        #expect(script.core.coherence.trust.generation == nil)
        #expect(script.take().contains { if case .redis(_, .identify) = $0 { true } else { false } })
        #expect(script.core.lane.link.isUp)
    }

    @Test("Where the secret is gone, new connections say what to do")
    func whereTheSecretIsGoneNewConnectionsSayWhatToDo() throws {
        var script = Script(byHand: [.survey])
        script.pass(ms: Limits.surveyMs)
        let call = try #require(
            script.take().compactMap { if case .lane(let call, .survey(_)) = $0 { call } else { nil } }.last)
        var found = script.survey()
        found.seals = nil
        script.survey(call, found)
        #expect(!script.core.lane.link.isUp && !script.core.reader.link.isUp)
    }
}

extension Script {
    /// The call of the last read of Redis.
    fileprivate mutating func read() throws -> CallID {
        let calls = take().compactMap { action in
            if case .redis(let call, .readCounters(_, let items)) = action, !items.isEmpty { call } else { nil }
        }
        return try #require(calls.last)
    }

    /// This stands as the marker, whoever wrote it.
    fileprivate mutating func found(_ call: CallID, _ text: String) {
        let marker = FoundMarker(text: text, server: Script.generation.server)
        identified(call, marker)
    }
}
