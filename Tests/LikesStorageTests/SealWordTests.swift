import Testing

@testable import LikesStorage

/// What seals are made of.
@Suite struct SealWordTests {
    /// The authors' own, for the key 00 01 02 … 0f and the bytes 00 01 02 … of so many.
    @Test(
        "SipHash-2-4 gives what its authors say.",
        arguments: [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5), (63, 0x958a_324c_eb06_4572),
        ] as [(UInt8, UInt64)])
    func sipHashGivesWhatItsAuthorsSay(count: UInt8, hash: UInt64) throws {
        let secret = try #require(Secret(hex: "000102030405060708090a0b0c0d0e0f"))
        #expect(SipHash.hash(Array(0..<count), key: secret.key) == hash)
    }

    @Test("Four words hash as their 32 bytes do.")
    func fourWordsHashAsTheir32BytesDo() throws {
        let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0f0e_0d0c_0b0a_0908)
        let bytes = (0..<UInt8(32)).map { $0 }
        let words = (0..<4).map { place in
            bytes[(place * 8)..<(place * 8 + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        #expect(SipHash.hash(words[0], words[1], words[2], words[3], key: key) == SipHash.hash(bytes, key: key))
    }

    @Test(
        "A secret is 32 lower-case hex digits, and nothing else.",
        arguments: [
            "", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0f0",
            "000102030405060708090A0b0c0d0e0f", "000102030405060708090g0b0c0d0e0f", "0001020304050607 8090a0b0c0d0e0f",
        ])
    func aSecretIs32LowerCaseHexDigits(text: String) {
        #expect(Secret(hex: text) == nil)
    }

    @Test(
        "A seal reads as it was written.",
        arguments: [
            Seal(seconds: 0, digest: 0), Seal(seconds: Seal.secondsMax, digest: .max),
            Seal(seconds: 1_790_000_000, digest: 0x0123_4567_89AB_CDEF),
        ])
    func aSealReadsAsItWasWritten(seal: Seal) {
        #expect(seal.text.utf8.count == Seal.textBytes)
        #expect(Array(seal.text.utf8).withUnsafeBytes { Seal($0) } == seal)
    }
}
