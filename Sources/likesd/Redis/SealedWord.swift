import LikesCore
import LikesProtocol

/// `version:seal`, as it stands behind a counter in messages, and behind the token in Redis.
extension SealedCounter {
    /// nil: the word is none.
    init?(item: Item, count: Int64, word: UnsafeRawBufferPointer) {
        let versionBytes = word.count - 1 - Seal.textBytes
        guard versionBytes > 0, word[versionBytes] == UInt8(ascii: ":"),
            let version = Decimal.parse(UnsafeRawBufferPointer(rebasing: word[..<versionBytes])),
            let seal = Seal(UnsafeRawBufferPointer(rebasing: word[(versionBytes + 1)...]))
        else { return nil }
        self.init(counter: CounterState(item: item, count: count, version: version), seal: seal)
    }
}
