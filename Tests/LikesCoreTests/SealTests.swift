import LikesProtocol
import Testing

@testable import LikesCore

/// Seals by themselves.
@Suite struct SealTests {
    /// The authors' own, for the key 00 01 02 … 0f and the bytes 00 01 02 … of so many.
    @Test(
        "SipHash-2-4 gives what its authors say.",
        arguments: [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5), (63, 0x958a_324c_eb06_4572),
        ] as [(UInt8, UInt64)])
    func sipHash(count: UInt8, hash: UInt64) throws {
        let secret = try #require(Secret(hex: "000102030405060708090a0b0c0d0e0f"))
        #expect(SipHash.hash(Array(0..<count), key: secret.key) == hash)
    }

    @Test("Four words hash as their 32 bytes do.")
    func words() throws {
        let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0f0e_0d0c_0b0a_0908)
        let bytes = (0..<UInt8(32)).map { $0 }
        let words = (0..<4).map { place in
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[place * 8 + $1]) << UInt64(8 * $1) }
        }
        #expect(SipHash.hash(words[0], words[1], words[2], words[3], key: key) == SipHash.hash(bytes, key: key))
    }

    @Test(
        "A secret is 32 lower-case hex digits, and nothing else.",
        arguments: [
            "", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0f0",
            "000102030405060708090A0b0c0d0e0f", "000102030405060708090g0b0c0d0e0f", "0001020304050607 8090a0b0c0d0e0f",
        ])
    func noSecrets(text: String) {
        #expect(Secret(hex: text) == nil)
    }

    @Test("A secret is not told.")
    func secretsAreNotTold() {
        #expect("\(SealFacts(secret: Script.secret(5), seconds: 1))".contains("05") == false)
        #expect(String(reflecting: Script.secret(5)).contains("05") == false)
    }

    @Test(
        "A seal reads as it was written.",
        arguments: [
            Seal(seconds: 0, digest: 0), Seal(seconds: Seal.secondsMax, digest: .max),
            Seal(seconds: 1_790_000_000, digest: 0x0123_4567_89AB_CDEF),
        ])
    func texts(seal: Seal) {
        #expect(seal.text.utf8.count == Seal.textBytes)
        #expect(Array(seal.text.utf8).withUnsafeBytes { Seal($0) } == seal)
    }

    // MARK: What is sealed

    private static func sealer(_ number: UInt8 = 1, at seconds: Int64 = 1_000) -> Sealer {
        var sealer = Sealer(.standard)
        _ = sealer.learn(Script.secret(number))
        _ = sealer.learn(seconds: seconds, askedAt: .ms(0), heardAt: .ms(0))
        return sealer
    }

    private static func isGenuine(_ sealed: SealedCounter, _ token: String, _ sealer: Sealer) -> Bool {
        var sealer = sealer
        return sealer.isGenuine(sealed, token: token)
    }

    private static let counter = CounterState(item: Item(type: 0, id: 456), count: 5, version: 9)

    @Test("A seal holds for what it was made for, and for nothing else.")
    func whatIsSealed() {
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

    @Test("A type is sealed by its name: hosts may number them otherwise.")
    func typesByName() throws {
        var sealer = Self.sealer()
        var other = Sealer(try ItemTypes(["comment", "post"]))
        _ = other.learn(Script.secret(1))
        var sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        sealed.counter.item.type = 1
        #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", other))
    }

    @Test("A version that no history reaches is nobody's.")
    func versionsMax() {
        var sealer = Self.sealer()
        var counter = Self.counter
        for (version, isGenuine) in [(Limits.versionMax, true), (Limits.versionMax + 1, false)] {
            counter.version = version
            let sealed = sealer.seal(counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
            #expect(Self.isGenuine(sealed, "aaaaaaaaaaaa", sealer) == isGenuine)
        }
    }

    @Test("Only who has the secret makes a marker.")
    func markers() throws {
        let unsealed = Generation(server: "a:b", database: Script.history, token: "aaaaaaaaaaaa")
        let sealed = unsealed.sealed(by: Script.secret(1))
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

    @Test("A seal is recent for 25 s of PostgreSQL's clock, whatever the answer to the question took.")
    func ages() {
        var sealer = Self.sealer()
        let sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        #expect(sealed.seal.seconds == 1_000)
        // The second may have been all but over.
        #expect(sealer.isRecent(sealed, now: .ms(24_000)))
        #expect(!sealer.isRecent(sealed, now: .ms(24_001)))
        // Asked four seconds before it was heard: it may be that much later at PostgreSQL.
        var slow = Sealer(.standard)
        _ = slow.learn(Script.secret(1))
        _ = slow.learn(seconds: 1_000, askedAt: .ms(0), heardAt: .ms(4_000))
        #expect(slow.isRecent(sealed, now: .ms(24_000)))
        #expect(!slow.isRecent(sealed, now: .ms(24_001)))
        #expect(slow.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(4_000)).seal.seconds == 1_000)
        #expect(!Sealer(.standard).isRecent(sealed, now: .ms(0)))
    }

    @Test("A seal from the future is another clock's.")
    func future() {
        var sealer = Self.sealer(1, at: 2_000)
        let sealed = sealer.seal(Self.counter, token: "aaaaaaaaaaaa", askedAt: .ms(0))
        #expect(Self.sealer(1, at: 1_995).isRecent(sealed, now: .ms(0)))
        #expect(!Self.sealer(1, at: 1_994).isRecent(sealed, now: .ms(0)))
    }

    @Test("What was known of the clock stays as long as it can be true, or gives way.")
    func clock() {
        var clock = DatabaseClock()
        _ = clock.learn(seconds: 10_000, askedAt: .ms(0), heardAt: .ms(100))
        // Says less, and nothing else.
        _ = clock.learn(seconds: 10_010, askedAt: .ms(10_000), heardAt: .ms(14_000))
        #expect(clock.earliest(.ms(20_000)) == 10_019)
        #expect(clock.isRecent(10_000, now: .ms(24_000)))
        // It was set back by an hour.
        _ = clock.learn(seconds: 10_000 - 3_600 + 20, askedAt: .ms(20_000), heardAt: .ms(20_000))
        #expect(clock.earliest(.ms(20_000)) == 10_000 - 3_600 + 20)
        #expect(!clock.isRecent(10_000, now: .ms(20_000)))
        // No time.
        _ = clock.learn(seconds: -1, askedAt: .ms(30_000), heardAt: .ms(30_000))
        #expect(clock.earliest(.ms(20_000)) == 10_000 - 3_600 + 20)
    }
}
