import LikesCore
import LikesProtocol
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// The scripts as they are sent, run by a real Redis.
@Suite struct RedisScriptTests {
    private static let server = "run1:replid1"
    private static let identity = DatabaseIdentity(system: "7000000000000000001", timeline: 3)

    private let server: RedisServer
    private let redis: RedisTester
    private let generation: Generation

    init() throws {
        server = try RedisServer()
        redis = try server.connect()
        let made = try redis.perform(Self.identify("aaaaaaaaaaaa", insteadOf: ""))
        generation = try #require(made.marker?.generation)
    }

    /// Makes a marker with this token in place of the one given.
    private static func identify(
        _ token: String, era: Int64 = 0, insteadOf found: String, server: String = server
    ) -> RedisJob {
        let new = IdentifyRequest.New(
            database: identity, era: era, token: token, snapshot: DatabaseSnapshot(least: 5), instead: found)
        return .identify(server: server, IdentifyRequest(new: new))
    }

    private static let find = RedisJob.identify(server: server, IdentifyRequest(new: nil))

    private func set(
        _ counters: [SealedCounter], in given: Generation? = nil, paceMs: Int64? = nil, deadlineMs: Int64 = .max
    ) throws -> RedisReplies {
        try redis.perform(
            .setCounters(given ?? generation, counters, paceMs: paceMs), deadlineMs: deadlineMs)
    }

    private func read(_ items: [Item]) throws -> [SealedCounter?] {
        let answer = try redis.perform(.readCounters(generation, items))
        #expect(answer.failure == nil)
        return answer.counters
    }

    private func counter(_ id: Int64, _ count: Int64, _ version: Int64) -> SealedCounter {
        SealedCounter(
            counter: CounterState(item: Item(type: 0, id: id), count: count, version: version), seal: Self.seal)
    }

    private static let seal = Seal(seconds: 1_790_000_000, digest: 0xFEDC_BA98_7654_3210)

    // MARK: The marker

    @Test("Hosts that identify at once end with the marker of the first.")
    func hostsThatIdentifyAtOnceEndWithTheMarkerOfTheFirst() throws {
        #expect(
            generation
                == Generation(
                    server: Self.server, database: Self.identity, snapshot: DatabaseSnapshot(least: 5),
                    token: "aaaaaaaaaaaa"))
        let other = try server.connect()
        let second = try other.perform(Self.identify("bbbbbbbbbbbb", insteadOf: ""))
        #expect(second.marker == FoundMarker(text: generation.marker, server: Self.server))
        #expect(try redis.run("GET", "likesd:generation") == generation.marker)
    }

    @Test("A marker gives way to one that is made instead of it, and to no other.")
    func aMarkerGivesWayToOneMadeInsteadOfItAndToNoOther() throws {
        let second = try redis.perform(Self.identify("bbbbbbbbbbbb", era: 1, insteadOf: generation.marker))
        #expect(second.marker?.generation?.token == "bbbbbbbbbbbb" && second.marker?.generation?.era == 1)
        let behind = try redis.perform(Self.identify("cccccccccccc", era: 2, insteadOf: generation.marker))
        #expect(behind.marker == second.marker)
        #expect(try redis.perform(Self.find).marker == second.marker)
    }

    @Test("Finding the marker makes none.")
    func findingTheMarkerMakesNone() throws {
        try redis.run("FLUSHALL")
        #expect(try redis.perform(Self.find).marker == FoundMarker(text: "", server: Self.server))
        #expect(try redis.run("EXISTS", "likesd:generation") == "0")
    }

    @Test("A marker of another life is told from this one's.")
    func aMarkerOfAnotherLifeIsToldFromThisOnes() throws {
        let later = RedisJob.identify(server: "run2:replid1", IdentifyRequest(new: nil))
        #expect(try redis.perform(Self.find).marker?.isOfThisLife == true)
        let found = try #require(try redis.perform(later).marker)
        #expect(found.generation == generation && !found.isOfThisLife)
    }

    @Test("What Redis kept because it was newer is told.")
    func whatRedisKeptBecauseItWasNewerIsTold() throws {
        _ = try set((1...120).map { counter($0, 1, 5) })
        let answer = try set((1...120).map { counter($0, 2, $0 % 60 == 0 ? 4 : 6) })
        #expect(answer.failure == nil && answer.kept.map(\.counter) == [counter(60, 1, 5), counter(120, 1, 5)])
    }

    @Test(
        "What is no marker is told as it stands, or as none, and gives way.",
        arguments: [
            ["SET", "x y"], ["SET", "run1:replid1 7000000000000000001:3:0 0 5:5: a b c"], ["SET", ""], ["LPUSH", "x"],
            ["SET", "run1:replid1 7000000000000000001:3:0 1000000000 5:5: aaaaaaaaaaaa -"],
            ["SET", "run1:replid1 7000000000000000001:3:0 9223372036854775808 5:5: aaaaaaaaaaaa -"],
            ["SET", "run1:replid1 7000000000000000001:3:0 +0 05:5: aaaaaaaaaaaa -"],
            ["SET", "run1:replid1 \u{301}7000000000000000001:3:0 0 5:5: aaaaaaaaaaaa -"],
            ["SET", String(repeating: "x", count: 100_000)],
        ])
    func whatIsNoMarkerIsToldAsItStandsAndGivesWay(_ words: [String]) throws {
        try redis.run("DEL", "likesd:generation")
        try redis.run(words[0], "likesd:generation", words[1])
        let found = try #require(try redis.perform(Self.find).marker)
        #expect(found.generation == nil && found.text.utf8.count < 1_000)
        let own = try redis.perform(Self.identify("bbbbbbbbbbbb", insteadOf: found.text))
        #expect(own.marker?.generation?.token == "bbbbbbbbbbbb")
    }

    @Test("A marker is made even where memory is short.")
    func aMarkerIsMadeEvenWhereMemoryIsShort() throws {
        try redis.run("FLUSHALL")
        try redis.run("CONFIG", "SET", "maxmemory", "1")
        let made = try redis.perform(Self.identify("bbbbbbbbbbbb", insteadOf: ""))
        #expect(made.marker?.generation?.token == "bbbbbbbbbbbb")
        #expect(made.failure == nil)
    }

    @Test(
        "What looks newer stays, whoever put it there, and is told as it is; it is dropped where it is that still.",
        arguments: [
            ("99999999999999999999", "5", false), ("800:xxxxxxxxxxxxxxxxx", "5", false),
            ("8:\(seal.text)", "x", false), ("8:\(seal.text)", "", false), ("8:\(seal.text)", "5", true),
            ("9223372036854775807:\(seal.text)", "-5", true), ("9223372036854775808:\(seal.text)", "5", false),
        ])
    func whatLooksNewerStaysAndIsToldAsItIs(word: String, count: String, isCounter: Bool) throws {
        try redis.run("SET", "counter:post:1", count)
        try redis.run("SET", "{counter:post:1}:version", "aaaaaaaaaaaa.\(word):------")
        let answer = try set([counter(2, 1, 1), counter(1, 3, 7)], paceMs: 20)
        let kept = try #require(answer.kept.first)
        #expect(answer.failure == nil && answer.kept.count == 1)
        #expect(kept.item == Item(type: 0, id: 1) && kept.word.elementsEqual(word.utf8))
        #expect((kept.counter != nil) == isCounter)
        #expect(try redis.run("GET", "counter:post:1") == count)

        try redis.run("SET", "{counter:post:1}:version", "aaaaaaaaaaaa.\(word)0:------")
        #expect(try redis.perform(.drop(generation, [kept])).failure == nil)
        #expect(try redis.run("EXISTS", "counter:post:1", "{counter:post:1}:version") == "2")
        try redis.run("SET", "{counter:post:1}:version", "aaaaaaaaaaaa.\(word):------")
        #expect(try redis.perform(.drop(generation, [kept])).failure == nil)
        #expect(try redis.run("EXISTS", "counter:post:1", "{counter:post:1}:version") == "0")
    }

    @Test("What is far longer than any version gives way.")
    func whatIsFarLongerThanAnyVersionGivesWay() throws {
        try redis.run("SET", "{counter:post:1}:version", "aaaaaaaaaaaa.9" + String(repeating: "9", count: 1_000_000))
        let answer = try set([counter(1, 3, 7)])
        #expect(answer.failure == nil && answer.kept.isEmpty)
        #expect(try read([Item(type: 0, id: 1)]) == [counter(1, 3, 7)])
    }

    // MARK: Counters

    @Test("Counters come back as they were set, over several slices, with their TTL.")
    func countersComeBackAsTheyWereSetWithTheirTTL() throws {
        let counters = (1...1_030).map { counter(Int64($0), Int64($0) * 3, Int64($0) * 7) }
        let answer = try set(counters)
        #expect(answer.failure == nil && answer.refusal == nil)
        #expect(try read(counters.map(\.counter.item)) == counters)
        #expect(try redis.run("GET", "counter:post:5") == "15")
        #expect(try redis.run("GET", "{counter:post:5}:version") == "aaaaaaaaaaaa.35:\(Self.seal.text):------")
        let ttl = try #require(Int(try redis.run("TTL", "counter:post:5")))
        #expect((3_590...3_600).contains(ttl))
    }

    @Test("A count below 0 is set, read and told like any other.")
    func aCountBelowZeroIsSetReadAndToldLikeAnyOther() throws {
        let listener = try server.connect()
        try listener.run("SUBSCRIBE", "likesd:counters:0")
        let counters = [counter(1, -1, 3), counter(2, -.max, 4), counter(3, -10, 5)]
        #expect(try set(counters, paceMs: 20).failure == nil)
        #expect(try read(counters.map(\.counter.item)) == counters)
        #expect(try redis.run("GET", "counter:post:3") == "-10")
        #expect(try listener.message { CounterMessage($1, types: .standard) }?.counters == counters)
    }

    @Test(
        "A newer version stays, any other gives way.",
        arguments: [
            (7, 8, true), (7, 7, true), (8, 7, false), (10, 9, false), (9, 10, true),
            (9_007_199_254_740_993, 9_007_199_254_740_992, false),
            (Int64.max, Int64.max - 1, false), (Int64.max - 1, Int64.max, true),
        ] as [(Int64, Int64, Bool)])
    func aNewerVersionStaysAndAnyOtherGivesWay(old: Int64, new: Int64, isSet: Bool) throws {
        _ = try set([counter(1, 100, old)])
        _ = try set([counter(1, 200, new)])
        #expect(try read([Item(type: 0, id: 1)]) == [isSet ? counter(1, 200, new) : counter(1, 100, old)])
    }

    @Test("A version of another marker, and what is no version, count as none.")
    func aVersionOfAnotherMarkerCountsAsNone() throws {
        let item = Item(type: 0, id: 1)
        for version in ["bbbbbbbbbbbb.9", "9", "aaaaaaaaaaaa.", "aaaaaaaaaaaa.x", "aaaaaaaaaaaa.9", "aaaaaaaaaaaa:9"] {
            try redis.run("SET", "counter:post:1", "5")
            try redis.run("SET", "{counter:post:1}:version", version)
            #expect(try read([item]) == [nil])
            _ = try set([counter(1, 6, 3)])
            #expect(try read([item]) == [counter(1, 6, 3)])
        }
    }

    @Test("Keys of other types are no counters, and give way.")
    func keysOfOtherTypesAreNoCountersAndGiveWay() throws {
        try redis.run("LPUSH", "counter:post:1", "x")
        try redis.run("SADD", "{counter:post:1}:version", "x")
        #expect(try read([Item(type: 0, id: 1)]) == [nil])
        #expect(try set([counter(1, 6, 3)]).failure == nil)
        #expect(try read([Item(type: 0, id: 1)]) == [counter(1, 6, 3)])
    }

    @Test("What Redis comes to after the deadline is not done.")
    func whatRedisReachesAfterTheDeadlineIsNotDone() throws {
        let time = try redis.run("TIME").split(separator: " ").compactMap { Int64($0) }
        let nowMs = time[0] * 1_000 + time[1] / 1_000
        #expect(try set([counter(1, 6, 3)], deadlineMs: nowMs - 1).failure == .late)
        #expect(try read([Item(type: 0, id: 1)]) == [nil])
        #expect(try set([counter(1, 6, 3)], deadlineMs: nowMs + 60_000).failure == nil)
    }

    @Test("Under another marker, or none, nothing is set and nothing read.")
    func underAnotherMarkerNothingIsSetAndNothingRead() throws {
        _ = try set([counter(1, 6, 3)])
        try redis.run("SET", "likesd:generation", "run2:replid2 - bbbbbbbbbbbb")
        #expect(try set([counter(1, 7, 4)]).failure == .otherGeneration)
        #expect(try redis.perform(.readCounters(generation, [Item(type: 0, id: 1)])).failure == .otherGeneration)
        try redis.run("FLUSHALL")
        #expect(try set([counter(1, 7, 4)]).failure == .otherGeneration)
        #expect(try redis.perform(.readCounters(generation, [Item(type: 0, id: 1)])).failure == .otherGeneration)
        #expect(try redis.run("EXISTS", "counter:post:1") == "0")
    }

    @Test("Without room for new counters the old ones are dropped, and nothing else is let in.")
    func withoutRoomForNewCountersTheOldOnesAreDropped() throws {
        _ = try set([counter(1, 6, 3), counter(2, 6, 9)])
        try redis.run("CONFIG", "SET", "maxmemory", "1")
        let answer = try set([counter(1, 7, 4), counter(2, 5, 8), counter(3, 1, 1)])
        #expect(answer.failure == nil)
        #expect(answer.refusal?.hasPrefix("OOM") == true)
        try redis.run("CONFIG", "SET", "maxmemory", "0")
        #expect(try read([1, 2, 3].map { Item(type: 0, id: $0) }) == [nil, counter(2, 6, 9), nil])
        #expect(try redis.run("EXISTS", "counter:post:1", "{counter:post:1}:version", "counter:post:3") == "0")
    }

    @Test("Recent likes that find no room are no failure of the write-through.")
    func recentLikesThatFindNoRoomAreNoFailureOfTheWriteThrough() throws {
        try redis.run("CONFIG", "SET", "maxmemory", "1")
        let like = RecentLike(pair: Pair(user: 5, item: Item(type: 1, id: 9)), add: true)
        let answer = try redis.perform(.keepRecent([like]))
        #expect(answer.failure == nil)
        #expect(answer.refusal?.hasPrefix("OOM") == true)
        #expect(try redis.run("EXISTS", "recent_likes:5") == "0")
    }

    // MARK: Telling

    @Test("What Redis took of a write-through is told to all hosts, one message for each slice; a fill to none.")
    func whatRedisTookOfAWriteThroughIsToldToAllHosts() throws {
        let listener = try server.connect()
        try listener.run("SUBSCRIBE", "likesd:counters:0")
        _ = try set([counter(9, 9, 9)], paceMs: nil)
        _ = try set([counter(1, 100, 8)])
        let counters = (1...70).map { counter(Int64($0), 5, 7) }
        _ = try set(counters, paceMs: 20)
        var heard: [SealedCounter] = []
        for _ in 0..<2 {
            let message = try listener.message { CounterMessage($1, types: .standard) }
            #expect(message?.token == generation.token)
            heard += message?.counters ?? []
        }
        // Of two Redis had a newer one.
        #expect(heard == counters.filter { $0.counter.item.id != 1 && $0.counter.item.id != 9 })
        #expect(try read([Item(type: 0, id: 1)]) == [counter(1, 100, 8)])
    }

    @Test("A beat is heard on the host's own channel.")
    func aBeatIsHeardOnTheHostsOwnChannel() throws {
        let listener = try server.connect()
        try listener.run("SUBSCRIBE", "likesd:host:abc")
        try redis.beat(41)
        #expect(try listener.message { $1.withUnsafeBytes { Decimal.parse($0) } } == 41)
    }

    // MARK: Admission and recent likes

    @Test("The rate has a window that is never extended, and says how long to wait.")
    func theRateHasAWindowThatIsNeverExtended() throws {
        let pair = Pair(user: 5, item: Item(type: 1, id: 9))
        let entries = Array(repeating: AdmissionEntry(pair: pair, kind: .like), count: 101)
        let answer = try redis.perform(.admit(entries))
        #expect(answer.verdicts.prefix(100).allSatisfy { $0 == .admitted(recent: false) })
        #expect(answer.verdicts.last == .limited(retrySeconds: 60))
        try redis.run("PERSIST", "rate:5:likes")
        _ = try redis.perform(.admit([entries[0]]))
        #expect(try redis.run("TTL", "rate:5:likes") == "60")
        // As of a window that was longer before.
        try redis.run("EXPIRE", "rate:5:likes", "86400")
        #expect(try redis.perform(.admit([entries[0]])).verdicts == [.limited(retrySeconds: 60)])
        #expect(try redis.run("TTL", "rate:5:likes") == "60")
    }

    @Test("A recent like is hinted at until it is taken back.")
    func aRecentLikeIsHintedAtUntilItIsTakenBack() throws {
        let pair = Pair(user: 5, item: Item(type: 1, id: 9))
        let like = AdmissionEntry(pair: pair, kind: .like)
        _ = try redis.perform(.keepRecent([RecentLike(pair: pair, add: true)]))
        #expect(try redis.run("SMEMBERS", "recent_likes:5") == "reel:9")
        #expect(try redis.perform(.admit([like])).verdicts == [.admitted(recent: true)])
        _ = try redis.perform(.keepRecent([RecentLike(pair: pair, add: false)]))
        #expect(try redis.perform(.admit([like])).verdicts == [.admitted(recent: false)])
    }
}
