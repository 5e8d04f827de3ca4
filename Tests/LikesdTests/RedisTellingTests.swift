import LikesCore
import LikesProtocol
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// When hosts are told of counters, and of which, by a real Redis.
@Suite struct RedisTellingTests {
    private let server: RedisServer
    private let redis: RedisTester
    private let listener: RedisTester
    private let generation: Generation
    private let item = Item(type: 0, id: 1)
    private static let version = "{counter:post:1}:version"
    private static let seal = Seal(seconds: 1_790_000_000, digest: 0xFEDC_BA98_7654_3210)
    /// Longer than any test takes.
    private static let long: Int64 = 400_000

    init() throws {
        server = try RedisServer()
        redis = try server.connect()
        let new = IdentifyRequest.New(
            database: DatabaseIdentity(system: "7000000000000000001", timeline: 3), token: "aaaaaaaaaaaa",
            snapshot: DatabaseSnapshot(least: 5), instead: "")
        let made = try redis.perform(.identify(server: "run1:replid1", IdentifyRequest(new: new)))
        generation = try #require(made.marker?.generation)
        listener = try server.connect()
        try listener.run("SUBSCRIBE", "likesd:counters:0")
    }

    private func counter(_ count: Int64, _ version: Int64) -> SealedCounter {
        SealedCounter(counter: CounterState(item: item, count: count, version: version), seal: Self.seal)
    }

    /// `paceMs`: nil for a fill.
    private func set(_ counter: SealedCounter, paceMs: Int64?) throws -> [SealedCounter] {
        let replies = try redis.perform(.setCounters(generation, [counter], paceMs: paceMs))
        #expect(replies.failure == nil && replies.kept.isEmpty)
        return replies.untold
    }

    private func tell(_ counter: SealedCounter, paceMs: Int64 = 0) throws -> TellingOutcome? {
        let replies = try redis.perform(.tell(generation, [counter], paceMs: paceMs))
        #expect(replies.failure == nil && replies.outcomes.count == 1)
        return replies.outcomes.first
    }

    /// What was published since the last look.
    private func heard() throws -> [SealedCounter] {
        try redis.run("PUBLISH", "likesd:counters:0", "")
        var heard: [SealedCounter] = []
        while let message = try listener.message({ CounterMessage($1, types: .standard) }) { heard += message.counters }
        return heard
    }

    @Test("Of an item of which hosts were told a moment ago they are told later, once, of what Redis has then.")
    func ofAnItemOfWhichHostsWereToldAMomentAgoTheyAreToldLater() throws {
        #expect(try set(counter(1, 1), paceMs: Self.long) == [])
        #expect(try heard() == [counter(1, 1)])
        #expect(try set(counter(2, 2), paceMs: Self.long) == [counter(2, 2)])
        #expect(try set(counter(3, 3), paceMs: Self.long) == [counter(3, 3)])
        #expect(try heard() == [])
        #expect(try redis.run("GET", Self.version).dropLast(6) == "aaaaaaaaaaaa.3:\(Self.seal.text)!")

        #expect(try tell(counter(2, 2), paceMs: Self.long) == .early)
        #expect(try heard() == [])
        #expect(try tell(counter(2, 2)) == .told)
        #expect(try heard() == [counter(3, 3)])
        #expect(try redis.run("GET", Self.version).dropLast(6) == "aaaaaaaaaaaa.3:\(Self.seal.text):")
        #expect(try redis.run("TTL", Self.version) != "-1")
        #expect(try tell(counter(3, 3)) == .told)
        #expect(try heard() == [])
    }

    @Test("Without a message in the time between two they are told at once.")
    func withoutAMessageInTheTimeBetweenTwoTheyAreToldAtOnce() throws {
        _ = try set(counter(1, 1), paceMs: 0)
        #expect(try set(counter(2, 2), paceMs: 0) == [])
        #expect(try heard() == [counter(1, 1), counter(2, 2)])
    }

    @Test(
        "A time in the future, or none, counts as never.",
        arguments: ["future", "------", "x1e999", "0x12  ", "    - "])
    func aTimeInTheFutureCountsAsNever(_ told: String) throws {
        let time = try redis.run("TIME").split(separator: " ").compactMap { Int64($0) }
        let future = VersionValue.told(atMs: time[0] * 1_000 + 300_000, isUntold: false).dropFirst()
        let digits = told == "future" ? String(future) : told
        try redis.run("SET", Self.version, "aaaaaaaaaaaa.1:\(Self.seal.text):\(digits)")
        #expect(try set(counter(2, 2), paceMs: 20) == [])
        #expect(try heard() == [counter(2, 2)])
    }

    @Test("A fill tells nobody, and leaves it to others to tell what they owe.")
    func aFillLeavesItToOthersToTellWhatTheyOwe() throws {
        _ = try set(counter(1, 1), paceMs: nil)
        #expect(try redis.run("GET", Self.version) == "aaaaaaaaaaaa.1:\(Self.seal.text):------")
        #expect(try set(counter(2, 2), paceMs: Self.long) == [])
        #expect(try set(counter(3, 3), paceMs: Self.long) == [counter(3, 3)])
        _ = try heard()
        _ = try set(counter(4, 4), paceMs: nil)
        #expect(try heard() == [])
        #expect(try tell(counter(3, 3)) == .told)
        #expect(try heard() == [counter(4, 4)])
    }

    @Test("What was filled in newer, and never told, is told.")
    func whatWasFilledInNewerIsTold() throws {
        _ = try set(counter(5, 5), paceMs: nil)
        #expect(try tell(counter(3, 3), paceMs: Self.long) == .told)
        #expect(try heard() == [counter(5, 5)])
    }

    @Test(
        "What is lost, older, or nothing that likesd writes is gone, and nobody is told of it.",
        arguments: [
            ["DEL", version], ["SET", version, "bbbbbbbbbbbb.2:\(seal.text)!000000"],
            ["SET", version, "aaaaaaaaaaaa.1:\(seal.text)!000000"], ["SET", version, "aaaaaaaaaaaa.2"],
            ["SET", version, "aaaaaaaaaaaa.30:\(seal.text.dropLast()) !000000"], ["SET", version, ""],
            ["SET", version, String(repeating: "9", count: 100_000)], ["SET", "counter:post:1", "1 post:2"],
            ["LPUSH", "list", "x"],
        ])
    func whatIsLostOrOlderIsGone(_ words: [String]) throws {
        _ = try set(counter(1, 1), paceMs: 0)
        // A newer one is told as it stands in Redis.
        _ = try set(counter(3, 3), paceMs: Self.long)
        _ = try heard()
        switch words.count {
        case 2: try redis.run(words[0], words[1])
        default: try redis.run(words[0], words[1], words[2])
        }
        if words[0] == "LPUSH" { try redis.run("RENAME", "list", Self.version) }
        #expect(try tell(counter(2, 2)) == .gone)
        #expect(try heard() == [])
    }

    @Test("A count that somebody replaced is told as it was set.")
    func aCountThatSomebodyReplacedIsToldAsItWasSet() throws {
        _ = try set(counter(1, 1), paceMs: 0)
        _ = try set(counter(2, 2), paceMs: Self.long)
        try redis.run("SET", "counter:post:1", "99")
        _ = try heard()
        #expect(try tell(counter(2, 2)) == .told)
        #expect(try heard() == [counter(2, 2)])
    }

    @Test("Under another marker nobody is told.")
    func underAnotherMarkerNobodyIsTold() throws {
        _ = try set(counter(1, 1), paceMs: 0)
        _ = try set(counter(2, 2), paceMs: Self.long)
        _ = try heard()
        try redis.run("SET", "likesd:generation", "run2:replid2 - bbbbbbbbbbbb")
        let replies = try redis.perform(.tell(generation, [counter(2, 2)], paceMs: 0))
        #expect(replies.failure == .otherGeneration)
        #expect(try heard() == [])
    }

    @Test("Without room hosts are told all the same.")
    func withoutRoomHostsAreToldAllTheSame() throws {
        _ = try set(counter(1, 1), paceMs: 0)
        _ = try set(counter(2, 2), paceMs: Self.long)
        _ = try heard()
        try redis.run("CONFIG", "SET", "maxmemory", "1")
        #expect(try tell(counter(2, 2)) == .told)
        #expect(try heard() == [counter(2, 2)])
    }

    @Test("The outcomes of several slices come in the order of the counters.")
    func theOutcomesOfSeveralSlicesComeInTheOrderOfTheCounters() throws {
        let counters = (1...120).map { id in
            SealedCounter(
                counter: CounterState(item: Item(type: 0, id: id), count: 1, version: 1), seal: Self.seal)
        }
        _ = try redis.perform(.setCounters(generation, counters.filter { $0.counter.item.id % 60 != 0 }, paceMs: 20))
        let replies = try redis.perform(.tell(generation, counters, paceMs: 0))
        #expect(replies.failure == nil)
        #expect(
            zip(counters, replies.outcomes).allSatisfy { sealed, outcome in
                outcome == (sealed.counter.item.id % 60 == 0 ? .gone : .told)
            })
    }
}
