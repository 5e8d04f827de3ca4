import LikesProtocol

/// Known only to the hosts of one database: PostgreSQL holds it, and it never goes to Redis.
package struct Secret: Hashable, Sendable, CustomStringConvertible {
    let key: SipHash.Key

    /// 32 lower-case hex digits; nil if the text is not a secret.
    package init?(hex: some StringProtocol) {
        let digits = Array(hex.utf8)
        guard digits.count == 32 else { return nil }
        var words: [UInt64] = [0, 0]
        for (place, digit) in digits.enumerated() {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            words[place / 16] = words[place / 16] << 4 | UInt64(value)
        }
        key = SipHash.Key(low: words[0].byteSwapped, high: words[1].byteSwapped)
    }

    package var description: String { "(secret)" }

    /// Hashes a text for one purpose. Different purposes give different hashes.
    func hash(_ purpose: String, _ text: String) -> UInt64 { SipHash.hash(Array("\(purpose) \(text)".utf8), key: key) }

    /// The key that seals the counters of a type in the data of this token. With it, a seal covers only four words. Two
    /// digests of a keyed hash make a key that reveals nothing about the secret.
    package func counterKey(token: String, type: String) -> CounterKey {
        let text = "\(token) \(type)"
        return CounterKey(key: SipHash.Key(low: hash("counter-low", text), high: hash("counter-high", text)))
    }
}

/// Seals the counters of one type in the Redis data of one token.
package struct CounterKey: Sendable {
    fileprivate var key: SipHash.Key

    package func digest(_ counter: CounterState, seconds: Int64) -> UInt64 {
        SipHash.hash(
            UInt64(bitPattern: counter.item.id), UInt64(bitPattern: counter.count),
            UInt64(bitPattern: counter.version), UInt64(bitPattern: seconds), key: key)
    }

    /// Whether the counter was sealed with this key, whatever type its item has here. A version that no history reaches
    /// was sealed by nobody.
    package func hasSealed(_ sealed: SealedCounter) -> Bool {
        sealed.counter.version <= CounterState.versionMax
            && digest(sealed.counter, seconds: sealed.seal.seconds) == sealed.seal.digest
    }
}

/// Accompanies a counter in Redis and in messages. It proves that a host of likesd read the counter from PostgreSQL,
/// and no earlier than a given time.
package struct Seal: Hashable, Sendable {
    /// By PostgreSQL's clock, in seconds since 1970. At that moment this was the item's newest count, or a later one.
    package var seconds: Int64
    package var digest: UInt64

    /// Characters of `text`: 36 bits of time and 64 of the digest, 6 bits each.
    package static let textBytes = 17
    private static let secondsBytes = 6
    /// Beyond what any clock shows.
    package static let secondsMax: Int64 = 1 << 36 - 1

    package init(seconds: Int64, digest: UInt64) {
        self.seconds = seconds
        self.digest = digest
    }

    /// nil: not a seal.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard text.count == Seal.textBytes else { return nil }
        var words: (seconds: UInt64, digest: UInt64) = (0, 0)
        // The values of all letters, or-ed: more than 6 bits mean that one was not a letter.
        var all: UInt8 = 0
        Seal.values.withUnsafeBufferPointer { values in
            for place in 0..<Seal.secondsBytes {
                let value = values[Int(text[place])]
                all |= value
                words.seconds = words.seconds << 6 | UInt64(value & 63)
            }
            // The first of 11 letters has 4 bits.
            let first = values[Int(text[Seal.secondsBytes])]
            all |= first < 16 ? first : 64
            words.digest = UInt64(first & 63)
            for place in (Seal.secondsBytes + 1)..<Seal.textBytes {
                let value = values[Int(text[place])]
                all |= value
                words.digest = words.digest << 6 | UInt64(value & 63)
            }
        }
        guard all < 64 else { return nil }
        self.init(seconds: Int64(words.seconds), digest: words.digest)
    }

    package var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes `text`.
    package func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: Seal.blank)
        bytes.withUnsafeMutableBufferPointer { bytes in
            Seal.letters.withUnsafeBufferPointer { letters in
                var rest = UInt64(bitPattern: seconds)
                for place in stride(from: start + Seal.secondsBytes - 1, through: start, by: -1) {
                    bytes[place] = letters[Int(rest & 63)]
                    rest >>= 6
                }
                rest = digest
                for place in stride(from: start + Seal.textBytes - 1, to: start + Seal.secondsBytes - 1, by: -1) {
                    bytes[place] = letters[Int(rest & 63)]
                    rest >>= 6
                }
            }
        }
    }

    private static let blank = [UInt8](repeating: 0, count: textBytes)
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// The value of each letter; 64 for a byte that is not one.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 64, count: 256)
        for (place, letter) in letters.enumerated() { values[Int(letter)] = UInt8(place) }
        return values
    }()
}

/// A counter as it stands in Redis, or in a message, whoever put it there.
package struct SealedCounter: Hashable, Sendable {
    package var counter: CounterState
    package var seal: Seal
    package init(counter: CounterState, seal: Seal) {
        self.counter = counter
        self.seal = seal
    }

    /// `word`: `version:seal`, as it follows a counter in messages. nil: not a valid one. Redis
    /// compares versions as text, so a version in a form that no host writes is invalid: leading zeros would make an
    /// old version look newer.
    package init?(item: Item, count: Int64, word: UnsafeRawBufferPointer) {
        let versionBytes = word.count - 1 - Seal.textBytes
        guard versionBytes > 0, versionBytes == 1 || word[0] != UInt8(ascii: "0"),
            word[versionBytes] == UInt8(ascii: ":"),
            let version = Decimal.parse(UnsafeRawBufferPointer(rebasing: word[..<versionBytes])),
            let seal = Seal(UnsafeRawBufferPointer(rebasing: word[(versionBytes + 1)...]))
        else { return nil }
        self.init(counter: CounterState(item: item, count: count, version: version), seal: seal)
    }
}

/// What Redis kept instead of a counter to be set, because it looks newer.
package struct KeptCounter: Hashable, Sendable {
    package var item: Item
    /// nil: not a counter.
    package var counter: SealedCounter?
    /// The bytes where version and seal should be, between the token's separator and TOLD. They may be anything.
    package var word: [UInt8]
    package init(item: Item, counter: SealedCounter?, word: [UInt8]) {
        self.item = item
        self.counter = counter
        self.word = word
    }
}
