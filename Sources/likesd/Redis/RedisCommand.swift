import LikesProtocol
import LikesStorage

/// One command in RESP, in a reused buffer.
struct RedisCommand {
    private(set) var bytes: [UInt8] = []
    /// The configured types' names, in their order.
    private let typeNames: [[UInt8]]

    init(types: ItemTypes) { typeNames = types.names.map { Array($0.utf8) } }

    /// Begins a command of this many words, including its name.
    mutating func begin(words: Int) {
        bytes.removeAll(keepingCapacity: true)
        header(UInt8(ascii: "*"), words)
    }

    mutating func word(_ text: StaticString) {
        header(UInt8(ascii: "$"), text.utf8CodeUnitCount)
        raw(text)
        lineEnd()
    }

    mutating func word(_ text: some Collection<UInt8>) {
        header(UInt8(ascii: "$"), text.count)
        bytes.append(contentsOf: text)
        lineEnd()
    }

    mutating func word(_ number: Int64) { word("", number, "") }

    /// A user's key, as in `rate:123:likes`.
    mutating func word(_ key: RedisKey, _ user: Int64) { word(key.prefix, user, key.suffix) }

    mutating func word(_ item: Item) { word("", item, "") }

    /// An item's key, as in `{counter:post:456}:version`.
    mutating func word(_ key: RedisKey, _ item: Item) { word(key.prefix, item, key.suffix) }

    private mutating func word(_ prefix: StaticString, _ number: Int64, _ suffix: StaticString) {
        let width = RedisCommand.width(number)
        header(UInt8(ascii: "$"), prefix.utf8CodeUnitCount + width + suffix.utf8CodeUnitCount)
        raw(prefix)
        decimal(number, width: width)
        raw(suffix)
        lineEnd()
    }

    private mutating func word(_ prefix: StaticString, _ item: Item, _ suffix: StaticString) {
        let name = typeNames[Int(item.type)]
        let width = RedisCommand.width(item.id)
        header(UInt8(ascii: "$"), prefix.utf8CodeUnitCount + name.count + 1 + width + suffix.utf8CodeUnitCount)
        raw(prefix)
        bytes.append(contentsOf: name)
        bytes.append(UInt8(ascii: ":"))
        decimal(item.id, width: width)
        raw(suffix)
        lineEnd()
    }

    /// `version:seal`, as it follows a counter in messages, and the token in Redis.
    mutating func word(sealed: SealedCounter) {
        let width = RedisCommand.width(sealed.counter.version)
        header(UInt8(ascii: "$"), width + 1 + Seal.textBytes)
        decimal(sealed.counter.version, width: width)
        bytes.append(UInt8(ascii: ":"))
        sealed.seal.append(to: &bytes)
        lineEnd()
    }

    /// A number on the host's own channel, which its subscriber hears again.
    mutating func beat(_ number: UInt64, on channels: RedisChannels) {
        begin(words: 3)
        word("PUBLISH")
        word(channels.host)
        word(String(number).utf8)
    }

    private mutating func header(_ kind: UInt8, _ count: Int) {
        bytes.append(kind)
        decimal(Int64(count), width: RedisCommand.width(Int64(count)))
        lineEnd()
    }

    private mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func lineEnd() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Bytes of a number, including its sign: a count that was too low before an unlike is negative.
    private static func width(_ number: Int64) -> Int {
        var width = number < 0 ? 2 : 1
        var rest = number.magnitude / 10
        while rest > 0 {
            width += 1
            rest /= 10
        }
        return width
    }

    private mutating func decimal(_ number: Int64, width: Int) {
        let start = bytes.count
        for _ in 0..<width { bytes.append(UInt8(ascii: "-")) }
        let first = number < 0 ? start + 1 : start
        var rest = number.magnitude
        var place = start + width
        while place > first {
            place -= 1
            bytes[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
