import LikesProtocol

/// What only hosts of one database know: it stands in PostgreSQL, and never goes to Redis.
package struct Secret: Hashable, Sendable, CustomStringConvertible {
    let key: SipHash.Key

    /// 32 lower-case hex digits; nil: it is none.
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

    /// Of a text of another purpose than any other's.
    func hash(_ purpose: String, _ text: String) -> UInt64 { SipHash.hash(Array("\(purpose) \(text)".utf8), key: key) }

    /// By which the counters of a type are sealed for data of this token: so a seal is of four words alone. Two digests
    /// of a keyed hash make a key that tells nothing of the secret.
    package func counterKey(token: String, type: String) -> CounterKey {
        let text = "\(token) \(type)"
        return CounterKey(key: SipHash.Key(low: hash("counter-low", text), high: hash("counter-high", text)))
    }
}

/// Seals the counters of one type in Redis' data of one token.
package struct CounterKey: Sendable {
    fileprivate var key: SipHash.Key

    package func digest(_ counter: CounterState, seconds: Int64) -> UInt64 {
        SipHash.hash(
            UInt64(bitPattern: counter.item.id), UInt64(bitPattern: counter.count),
            UInt64(bitPattern: counter.version), UInt64(bitPattern: seconds), key: key)
    }

    /// Whether it was sealed with this key, whatever type its item has here; a version that no history reaches was
    /// sealed by nobody.
    package func hasSealed(_ sealed: SealedCounter) -> Bool {
        sealed.counter.version <= CounterState.versionMax
            && digest(sealed.counter, seconds: sealed.seal.seconds) == sealed.seal.digest
    }
}

/// Stands beside a counter in Redis and in messages: proves that a host of likesd's had it from PostgreSQL, and not
/// before when.
package struct Seal: Hashable, Sendable {
    /// By PostgreSQL's clock, in seconds since 1970: it was the newest count of the item at that moment, or is newer.
    package var seconds: Int64
    package var digest: UInt64

    /// Characters of `text`: 36 bits of time, 64 of the digest, 6 bits each.
    package static let textBytes = 17
    private static let secondsBytes = 6
    /// More than any clock shows.
    package static let secondsMax: Int64 = 1 << 36 - 1

    package init(seconds: Int64, digest: UInt64) {
        self.seconds = seconds
        self.digest = digest
    }

    /// nil: it is none.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard text.count == Seal.textBytes else { return nil }
        var words: (seconds: UInt64, digest: UInt64) = (0, 0)
        // Of all letters: what is more than 6 bits is no letter's value.
        var all: UInt8 = 0
        Seal.values.withUnsafeBufferPointer { values in
            for place in 0..<Seal.secondsBytes {
                let value = values[Int(text[place])]
                all |= value
                words.seconds = words.seconds << 6 | UInt64(value & 63)
            }
            // The first letter of 11 has 4 bits.
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
    /// The place of each letter, 64 for none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 64, count: 256)
        for (place, letter) in letters.enumerated() { values[Int(letter)] = UInt8(place) }
        return values
    }()
}

/// A counter as it stands in Redis, or in a message: whoever put it there.
package struct SealedCounter: Hashable, Sendable {
    package var counter: CounterState
    package var seal: Seal
    package init(counter: CounterState, seal: Seal) {
        self.counter = counter
        self.seal = seal
    }

    /// `word`: `version:seal`, as it stands behind a counter in messages, and behind the token in Redis. nil: it is
    /// none. Redis compares versions as they are written, so one that no host writes so is none: with zeros in front an
    /// old one would look newer.
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

/// What Redis kept instead of a counter that was to be set there, because it looks newer.
package struct KeptCounter: Hashable, Sendable {
    package var item: Item
    /// nil: it is none.
    package var counter: SealedCounter?
    /// The bytes that stand behind the token and a colon, where the version is: of any kind.
    package var word: [UInt8]
    package init(item: Item, counter: SealedCounter?, word: [UInt8]) {
        self.item = item
        self.counter = counter
        self.word = word
    }
}
