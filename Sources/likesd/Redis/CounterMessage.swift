import Glibc
import LikesProtocol
import LikesStorage

/// What a host wrote through, as all hosts are told: `TOKEN item count version:seal item count version:seal …`.
struct CounterMessage {
    var token: String
    var counters: [SealedCounter]

    /// Skips invalid entries, those of types not configured here, and those beyond `EdgeLimits.countersPerMessage`.
    /// nil: no token.
    init?(_ payload: ArraySlice<UInt8>, types: ItemTypes) {
        let parsed = payload.withUnsafeBytes { Self.parsed($0, types) }
        guard let parsed else { return nil }
        self = parsed
    }

    private init(token: String) {
        self.token = token
        counters = []
    }

    private static func parsed(_ payload: UnsafeRawBufferPointer, _ types: ItemTypes) -> CounterMessage? {
        var words = Words(rest: payload)
        guard let token = words.next(), !token.isEmpty else { return nil }
        var message = CounterMessage(token: String(decoding: token, as: UTF8.self))
        for _ in 0..<EdgeLimits.countersPerMessage {
            guard let item = words.next(), let count = words.next(), let version = words.next() else {
                return message
            }
            guard let item = CounterMessage.item(item, types), let count = Decimal.parseSigned(count),
                let sealed = SealedCounter(item: item, count: count, word: version)
            else { continue }
            message.counters.append(sealed)
        }
        return message
    }

    private static func item(_ text: UnsafeRawBufferPointer, _ types: ItemTypes) -> Item? {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
            let type = types.index(of: UnsafeRawBufferPointer(rebasing: text[..<colon])),
            let id = Decimal.parse(UnsafeRawBufferPointer(rebasing: text[(colon + 1)...]))
        else { return nil }
        return Item(type: type, id: id)
    }

    /// Separated by single spaces.
    private struct Words {
        var rest: UnsafeRawBufferPointer?

        mutating func next() -> UnsafeRawBufferPointer? {
            guard let text = rest else { return nil }
            guard let start = text.baseAddress, let end = memchr(start, Int32(UInt8(ascii: " ")), text.count) else {
                rest = nil
                return text
            }
            let space = UnsafeRawPointer(end) - start
            rest = UnsafeRawBufferPointer(rebasing: text[(space + 1)...])
            return UnsafeRawBufferPointer(rebasing: text[..<space])
        }
    }
}
