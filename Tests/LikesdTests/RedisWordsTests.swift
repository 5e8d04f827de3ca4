import LikesCore
import LikesProtocol
import LikesStorage
import Testing

@testable import likesd

/// What Redis says, as it is understood.
@Suite struct RedisWordsTests {
    private func message(_ text: String) -> CounterMessage? {
        CounterMessage(Array(text.utf8)[...], types: .standard)
    }

    private static let seal = Seal(seconds: 1_790_000_000, digest: 0xFEDC_BA98_7654_3210)

    @Test("Entries that are none, or of types not configured here, are passed over; the others hold.")
    func entriesThatAreNoneArePassedOverAndTheOthersHold() {
        let seal = Self.seal.text
        let good = SealedCounter(
            counter: CounterState(item: Item(type: 1, id: 7), count: 3, version: 9), seal: Self.seal)
        let entry = "reel:7 3 9:\(seal)"
        #expect(message("abc \(entry)")?.counters == [good])
        #expect(message("abc \(entry)")?.token == "abc")
        for bad in [
            "story:1 2 3:\(seal)", "post: 2 3:\(seal)", "post 2 3:\(seal)", "post:x 2 3:\(seal)",
            "post:1 - 3:\(seal)", "post:1 --2 3:\(seal)", "post:1 2 -3:\(seal)", "post:1 2 x:\(seal)",
            "post:1  3:\(seal)", "post:9223372036854775808 2 3:\(seal)", "post:1 2 3", "post:1 2 :\(seal)",
            "post:1 2 3:\(seal.dropLast())", "post:1 2 3:\(seal)A", "post:1 2 3\(seal)", "post:1 2 \(seal)",
            "post:1 2 3:\(seal.dropLast())+", "post:1 2 3:\(seal.dropLast())\u{e9}",
        ] {
            #expect(message("abc \(bad) \(entry)")?.counters == [good], "\(bad)")
        }
        #expect(message("abc \(entry) post:1 2")?.counters == [good])
        #expect(message("abc")?.counters == [])
        #expect(message("") == nil)
        #expect(message(" \(entry)") == nil)
    }

    @Test("Of a message without end only so many entries are taken.")
    func ofAMessageWithoutEndOnlySoManyEntriesAreTaken() {
        let many = (1...EdgeLimits.countersPerMessage + 9).map { "post:\($0) 1 1:\(Self.seal.text)" }
            .joined(separator: " ")
        #expect(message("abc \(many)")?.counters.count == EdgeLimits.countersPerMessage)
    }

    @Test(
        "A verdict that no script gives is a misfit.", arguments: [(-Int64.max, true), (1, true)])
    func aVerdictThatNoScriptGivesIsAMisfit(number: Int64, isTaken: Bool) throws {
        let entry = AdmissionEntry(pair: Pair(user: 1, item: Item(type: 0, id: 1)), kind: .like)
        let slice = RedisJob.admit([entry]).slices(deadlineMs: 0)[0]
        var answer = RedisReplies(slicesLeft: 1)
        var reader = ReplyReader(limits: EdgeLimits.redisReply)
        reader.append("*1\r\n:\(number)\r\n".utf8)
        answer.take(try #require(try reader.next()), of: slice)
        #expect((answer.failure == nil) == isTaken)
    }

    private static let generation = Generation(
        server: "a:b", database: DatabaseIdentity(system: "1", timeline: 1), token: "abc")
    private static let two = [1, 2].map { id in
        SealedCounter(
            counter: CounterState(item: Item(type: 0, id: id), count: 1, version: 1), seal: Seal(seconds: 1, digest: 1))
    }

    /// The reply to a job of one slice.
    private func replies(_ text: String, to job: RedisJob) throws -> RedisReplies {
        var replies = RedisReplies(slicesLeft: 1)
        var reader = ReplyReader(limits: EdgeLimits.redisReply)
        reader.append(text.split(separator: " ").map { "\($0)\r\n" }.joined().utf8)
        replies.take(try #require(try reader.next()), of: job.slices(deadlineMs: 0)[0])
        return replies
    }

    @Test(
        "A report names the untold first, then what Redis kept; any other is a misfit.",
        arguments: [
            ("*2 :1 :2", [2], 0), ("*3 :2 :1 :2", [1, 2], 0), ("*4 :0 :1 $1 5 $1 x", [], 1),
            ("*5 :1 :2 :1 $1 5 $1 x", [2], 1), ("*2 :1 :3", nil, 0), ("*2 :1 :0", nil, 0), ("*2 :2 :1", nil, 0),
            ("*1 :1", nil, 0), ("*3 :0 :1 $1 5", nil, 0), ("*4 :0 :3 $1 5 $1 x", nil, 0), ("*2 :-1 :1", nil, 0),
            ("*4 :3 :1 :2 :1", nil, 0), ("*0", nil, 0), ("*1 $1 x", nil, 0),
        ] as [(String, [Int64]?, Int)])
    func aReportNamesTheUntoldFirstThenWhatRedisKept(text: String, untold: [Int64]?, keptCount: Int) throws {
        let found = try replies(text, to: .setCounters(Self.generation, Self.two, paceMs: 20))
        #expect((found.failure == nil) == (untold != nil))
        guard let untold else { return }
        #expect(found.untold.map(\.counter.item.id) == untold && found.kept.count == keptCount)
    }

    @Test(
        "An outcome that no script gives is a misfit.",
        arguments: [("*2 :1 :-1", true), ("*2 :0 :1", true), ("*2 :1 :2", false), ("*1 :1", false), (":1", false)])
    func anOutcomeThatNoScriptGivesIsAMisfit(text: String, isTaken: Bool) throws {
        let found = try replies(text, to: .tell(Self.generation, Self.two, paceMs: 20))
        #expect((found.failure == nil) == isTaken)
    }

    @Test("Redis' clock is read with every third beat.")
    func redisClockIsReadWithEveryThirdBeat() {
        var clock = RedisClock()
        #expect((0..<7).map { _ in clock.isToBeRead() } == [false, false, true, false, false, true, false])
    }

    @Test("A refusal that a script tells of reads the same wherever in the script it came up.")
    func aRefusalReadsTheSameWhereverInTheScriptItCameUp() throws {
        let counter = SealedCounter(
            counter: CounterState(item: Item(type: 0, id: 1), count: 1, version: 1), seal: Seal(seconds: 1, digest: 1))
        let generation = Generation(
            server: "a:b", database: DatabaseIdentity(system: "1", timeline: 1), token: "abc")
        let slice = RedisJob.setCounters(generation, [counter], paceMs: 20).slices(deadlineMs: 0)[0]
        for words in ["OOM no room", "OOM no room script: 1f, on @user_script:7."] {
            var answer = RedisReplies(slicesLeft: 1)
            var reader = ReplyReader(limits: EdgeLimits.redisReply)
            reader.append("$\(words.utf8.count)\r\n\(words)\r\n".utf8)
            answer.take(try #require(try reader.next()), of: slice)
            #expect(answer.refusal == "OOM no room")
            #expect(answer.failure == nil)
        }
    }

    @Test(
        "What is no time is not taken for one.",
        arguments: [
            (1_700_000_000, 999_999, 1_700_000_000_999_999), (.max, 0, nil), (9_223_372_036_855, 0, nil),
            (1, .max, nil), (1, 1_000_000, nil), (-1, 0, nil),
        ] as [(Int64, Int64, Int64?)])
    func whatIsNoTimeIsNotTakenForOne(seconds: Int64, rest: Int64, time: Int64?) {
        #expect(RedisClock.time(seconds: seconds, microseconds: rest) == time)
    }

    @Test("A server's life is told apart, and a replica known, by what INFO says.")
    func aServersLifeIsToldApartAndAReplicaIsKnown() {
        var facts = RedisServerFacts()
        #expect(facts.name == nil)
        facts.take("# Server\r\nredis_version:7.0.15\r\nrun_id:aa\r\n")
        #expect(facts.name == nil)
        facts.take("# Replication\r\nrole:master\r\nmaster_replid:bb\r\n")
        #expect(facts.name == "aa:bb")
        #expect(facts.isPrimary == true)
        facts.take("role:slave\r\n")
        #expect(facts.isPrimary == false)
    }

    @Test(
        "A server older than the commands the scripts use is known by its version.",
        arguments: [
            ("6.0.16", true), ("5.0.7", true), ("6.2.0", false), ("7.0.15", false), ("8.0", false), ("6", true),
        ])
    func aServerOlderThanTheCommandsOfTheScriptsIsKnownByItsVersion(version: String, isTooOld: Bool) {
        var facts = RedisServerFacts()
        #expect(!facts.isTooOld)
        facts.take("# Server\r\nredis_version:\(version)\r\n")
        #expect(facts.isTooOld == isTooOld)
    }

    @Test("Redis' time is never taken for later than it is, and follows a clock that was set.")
    func redisTimeIsNeverTakenForLaterThanItIs() {
        var clock = RedisClock()
        let second: Int64 = 1_000_000
        // Redis is 100 s ahead; it looked at its clock at 10.2 s.
        clock.learn(110 * second + 200_000, askedAt: .ms(10_000), heardAt: .ms(10_500))
        #expect(clock.deadlineMs(.ms(20_000), plus: 0) == 119_700)
        // A quicker answer says more.
        clock.learn(130 * second, askedAt: .ms(30_000), heardAt: .ms(30_001))
        #expect(clock.deadlineMs(.ms(40_000), plus: 100) == 140_099)
        // A slow one leaves it.
        clock.learn(150 * second, askedAt: .ms(49_500), heardAt: .ms(50_500))
        #expect(clock.deadlineMs(.ms(60_000), plus: 100) == 160_099)
        // The clock was set back by 50 s, then on again.
        clock.learn(120 * second, askedAt: .ms(70_000), heardAt: .ms(70_002))
        #expect(clock.deadlineMs(.ms(80_000), plus: 100) == 130_098)
        clock.learn(190 * second, askedAt: .ms(90_000), heardAt: .ms(90_000))
        #expect(clock.deadlineMs(.ms(90_000), plus: 100) == 190_100)
    }
}
