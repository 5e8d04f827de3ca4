/// Every verb that likesd knows. The raw value is the upper-case name, its bytes in big-endian order, so that a verb is
/// recognised by comparing one word.
package enum Verb: UInt64, CaseIterable, Sendable {
    case like = 0x4C_49_4B_45
    case unlike = 0x55_4E_4C_49_4B_45
    case count = 0x43_4F_55_4E_54
    case mcount = 0x4D_43_4F_55_4E_54
    case liked = 0x4C_49_4B_45_44
    case mliked = 0x4D_4C_49_4B_45_44
    case likes = 0x4C_49_4B_45_53
    case likers = 0x4C_49_4B_45_52_53
    case health = 0x48_45_41_4C_54_48
    case info = 0x49_4E_46_4F
    case metrics = 0x4D_45_54_52_49_43_53
    case reload = 0x52_45_4C_4F_41_44
    case ping = 0x50_49_4E_47
    case echo = 0x45_43_48_4F
    case quit = 0x51_55_49_54
    case reset = 0x52_45_53_45_54
    case hello = 0x48_45_4C_4C_4F
    case client = 0x43_4C_49_45_4E_54
    case command = 0x43_4F_4D_4D_41_4E_44
    case select = 0x53_45_4C_45_43_54
    case config = 0x43_4F_4E_46_49_47

    /// The longest name: one byte of the word stays free.
    static let nameBytesMax = 7

    /// The verb of that name, in upper or lower case; nil if there is none.
    package init?(_ name: UnsafeRawBufferPointer) {
        guard name.count <= Verb.nameBytesMax else { return nil }
        var word: UInt64 = 0
        for byte in name {
            let upper = byte & 0xDF
            // Only letters: a leading NUL would vanish in the word.
            guard upper >= UInt8(ascii: "A"), upper <= UInt8(ascii: "Z") else { return nil }
            word = word << 8 | UInt64(upper)
        }
        self.init(rawValue: word)
    }

    /// The name in upper case.
    package var name: String {
        var word = rawValue.bigEndian
        return withUnsafeBytes(of: &word) { bytes in
            String(decoding: bytes.drop { $0 == 0 }, as: UTF8.self)
        }
    }
}
