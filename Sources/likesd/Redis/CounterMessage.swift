import LikesCore
import LikesProtocol

/// What a host wrote through, as all hosts are told: `TOKEN item count version item count version …`.
struct CounterMessage {
    var token: String
    var counters: [CounterState]

    /// Entries that are none, or of types not configured here, are passed over, as are those beyond
    /// `EdgeLimits.countersPerMessage`. nil: no token.
    init?(_ payload: UnsafeRawBufferPointer, types: ItemTypes) {
        var words = Words(rest: payload)
        guard let token = words.next(), !token.isEmpty else { return nil }
        self.token = String(decoding: token, as: UTF8.self)
        counters = []
        for _ in 0..<EdgeLimits.countersPerMessage {
            guard let item = words.next(), let count = words.next(), let version = words.next() else { return }
            guard let item = CounterMessage.item(item, types), let count = RedisReply.count(count),
                let version = RedisReply.wholeNumber(version)
            else { continue }
            counters.append(CounterState(item: item, count: count, version: version))
        }
    }

    private static func item(_ text: UnsafeRawBufferPointer, _ types: ItemTypes) -> Item? {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
            let type = types.index(of: UnsafeRawBufferPointer(rebasing: text[..<colon])),
            let id = RedisReply.wholeNumber(UnsafeRawBufferPointer(rebasing: text[(colon + 1)...]))
        else { return nil }
        return Item(type: type, id: id)
    }

    /// Parted by single spaces.
    private struct Words {
        var rest: UnsafeRawBufferPointer?

        mutating func next() -> UnsafeRawBufferPointer? {
            guard let text = rest else { return nil }
            guard let space = text.firstIndex(of: UInt8(ascii: " ")) else {
                rest = nil
                return text
            }
            rest = UnsafeRawBufferPointer(rebasing: text[(space + 1)...])
            return UnsafeRawBufferPointer(rebasing: text[..<space])
        }
    }
}
