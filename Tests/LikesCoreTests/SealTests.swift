import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

/// Seals, without a core.
@Suite struct SealTests {
    @Test("A secret is not told")
    func aSecretIsNotTold() {
        #expect("\(SealFacts(secret: Scenario.secret(5), seconds: 1))".contains("05") == false)
        #expect(String(reflecting: Scenario.secret(5)).contains("05") == false)
    }

    // MARK: What is sealed

    private static func sealer(_ number: UInt8 = 1, at seconds: Int64 = 1_000) -> Sealer {
        var sealer = Sealer(.standard)
        _ = sealer.learn(Scenario.secret(number))
        _ = sealer.learn(seconds: seconds, askedAt: .ms(0), heardAt: .ms(0))
        return sealer
    }

    private static func isGenuine(_ sealed: SealedCounter, _ token: String, _ sealer: Sealer) -> Bool {
        var sealer = sealer
        return sealer.isGenuine(sealed, token: token)
    }

    private static let counter = CounterState(item: Item(type: 0, id: 456), count: 5, version: 9)

    @Test("A seal holds for what it was made for, and for nothing else")
    func aSealHoldsForWhatItWasMadeForAndForNothingElse() {
        var sealer = Self.sealer()
        let sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(2_500))
        #expect(sealed.seal.seconds == 1_002)
        #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", sealer))
        #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", Self.sealer()))
        let changes: [(inout SealedCounter) -> Void] = [
            { $0.counter.count += 1 }, { $0.counter.version += 1 }, { $0.counter.item.id += 1 },
            { $0.counter.item.type = 1 }, { $0.seal.seconds += 1 }, { $0.seal.digest ^= 1 },
        ]
        for change in changes {
            var forged = sealed
            change(&forged)
            #expect(!Self.isGenuine(forged, "aaaaaaaaaaaa", sealer), "\(forged)")
        }
        #expect(!Self.isGenuine(sealed, "bbbbbbbbbbbb", sealer))
        #expect(!Self.isGenuine(sealed, "aaaaaaaaaaaa", Self.sealer(2)))
    }

    @Test("A type is sealed by its name, because hosts may number types differently")
    func aTypeIsSealedByItsName() throws {
        var sealer = Self.sealer()
        var other = Sealer(try ItemTypes(["comment", "post"]))
        _ = other.learn(Scenario.secret(1))
        var sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        sealed.counter.item.type = 1
        #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", other))
    }

    @Test("A version that no history can reach is never genuine")
    func aVersionThatNoHistoryReachesIsNobodys() {
        var sealer = Self.sealer()
        var counter = Self.counter
        for (version, isGenuine) in [(CounterState.versionMax, true), (CounterState.versionMax + 1, false)] {
            counter.version = version
            let sealed = sealer.seal(counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
            #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", sealer) == isGenuine)
        }
    }

    @Test("Only a host with the secret can make a marker")
    func onlyWhoHasTheSecretMakesAMarker() {
        let unsealed = Generation(server: "a:b", database: Scenario.identity, token: "aaaaaaaaaaaa")
        let sealed = unsealed.sealed(by: Scenario.secret(1))
        #expect(Generation(marker: sealed.marker) == sealed)
        #expect(Self.sealer().isGenuine(sealed))
        #expect(!Self.sealer().isGenuine(unsealed))
        #expect(!Self.sealer(2).isGenuine(sealed))
        var forged = sealed
        forged.era += 1
        #expect(!Self.sealer().isGenuine(forged))
        #expect(Sealer(.standard).isGenuine(unsealed), "nobody knows better")
    }

    // MARK: The clock

    @Test("A seal is recent for 25 s of PostgreSQL's clock, however long the answer about the clock took")
    func aSealIsRecentFor25SecondsOfPostgreSQLsClock() {
        var sealer = Self.sealer()
        let sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        #expect(sealed.seal.seconds == 1_000)
        // The second may have been almost over.
        #expect(sealer.isRecent(sealed, now: .ms(24_000)))
        #expect(!sealer.isRecent(sealed, now: .ms(24_001)))
        // The answer took four seconds, so PostgreSQL's clock may be that much ahead.
        var slow = Sealer(.standard)
        _ = slow.learn(Scenario.secret(1))
        _ = slow.learn(seconds: 1_000, askedAt: .ms(0), heardAt: .ms(4_000))
        #expect(slow.isRecent(sealed, now: .ms(24_000)))
        #expect(!slow.isRecent(sealed, now: .ms(24_001)))
        #expect(slow.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(4_000)).seal.seconds == 1_000)
        #expect(!Sealer(.standard).isRecent(sealed, now: .ms(0)))
    }

    @Test("A seal from the future comes from another clock")
    func aSealFromTheFutureIsAnotherClocks() {
        var sealer = Self.sealer(1, at: 2_000)
        let sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        #expect(Self.sealer(1, at: 1_995).isRecent(sealed, now: .ms(0)))
        #expect(!Self.sealer(1, at: 1_994).isRecent(sealed, now: .ms(0)))
    }

    @Test("What is known of the clock holds as long as it can be true, then it is replaced")
    func whatWasKnownOfTheClockStaysAsLongAsItCanBeTrue() {
        var clock = DatabaseClock()
        _ = clock.learn(seconds: 10_000, askedAt: .ms(0), heardAt: .ms(100))
        // This is less exact, and contradicts nothing.
        _ = clock.learn(seconds: 10_010, askedAt: .ms(10_000), heardAt: .ms(14_000))
        #expect(clock.secondBegun(at: .ms(20_000)) == 10_019)
        #expect(clock.isRecent(10_000, now: .ms(24_000)))
        // It was set back by an hour.
        _ = clock.learn(seconds: 10_000 - 3_600 + 20, askedAt: .ms(20_000), heardAt: .ms(20_000))
        #expect(clock.secondBegun(at: .ms(20_000)) == 10_000 - 3_600 + 20)
        #expect(!clock.isRecent(10_000, now: .ms(20_000)))
        // This is no time.
        _ = clock.learn(seconds: -1, askedAt: .ms(30_000), heardAt: .ms(30_000))
        #expect(clock.secondBegun(at: .ms(20_000)) == 10_000 - 3_600 + 20)
    }
}
