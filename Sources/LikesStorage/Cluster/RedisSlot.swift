import LikesProtocol

/// The slots of a Redis Cluster. Each key belongs to one of them: by its CRC16, or by that of what stands between its
/// first braces, if anything does.
package enum RedisSlot {
    package static let count = 16_384

    package static func of(key: some Collection<UInt8>) -> Int {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return slot(of: key) }
        let rest = key[key.index(after: open)...]
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")), close != rest.startIndex else {
            return slot(of: key)
        }
        return slot(of: rest[..<close])
    }

    private static func slot(of bytes: some Sequence<UInt8>) -> Int {
        var crc = CRC16()
        for byte in bytes { crc.add(byte) }
        return crc.slot
    }

    /// A short text that belongs to the slot, for a key that has to be on that slot's node.
    package static func tag(of slot: Int) -> String {
        precondition((0..<count).contains(slot), "no slot of Redis")
        // One number in 16,384 belongs to it, so a search over many more than that ends.
        for number in 0... where self.slot(of: String(number).utf8) == slot { return String(number) }
        preconditionFailure("the numbers do not end")
    }
}

/// CRC-16/XMODEM (polynomial 0x1021, from 0), as the specification of Redis Cluster names it for keys.
struct CRC16 {
    private(set) var value: UInt16 = 0

    var slot: Int { Int(value) % RedisSlot.count }

    mutating func add(_ byte: UInt8) {
        value = value << 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: value >> 8) ^ byte)]
    }

    mutating func add(_ text: StaticString) {
        text.withUTF8Buffer { for byte in $0 { add(byte) } }
    }

    /// The decimal digits of a number, as keys have them.
    mutating func add(decimal number: Int64) {
        if number < 0 { add(UInt8(ascii: "-")) }
        var divisor: UInt64 = 1
        while number.magnitude / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            add(UInt8(ascii: "0") + UInt8(number.magnitude / divisor % 10))
            divisor /= 10
        }
    }

    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { value, _ in value & 0x8000 != 0 ? value << 1 ^ 0x1021 : value << 1 }
    }
}

/// Finds the slots of likesd's keys without writing the keys.
package struct KeySlots: Sendable {
    /// What each type's keys begin with, already taken in.
    private let ofTypes: [CRC16]
    private let rate: CRC16
    private let recentLikes: CRC16

    package init(_ types: ItemTypes) {
        ofTypes = types.names.map { name in
            var crc = CRC16()
            crc.add(RedisKeys.counter.prefix)
            for byte in name.utf8 { crc.add(byte) }
            crc.add(UInt8(ascii: ":"))
            return crc
        }
        var crc = CRC16()
        crc.add(RedisKeys.rate.prefix)
        rate = crc
        crc = CRC16()
        crc.add(RedisKeys.recentLikes.prefix)
        recentLikes = crc
    }

    /// Of the item's count and version.
    package func of(_ item: Item) -> Int {
        var crc = ofTypes[Int(item.type)]
        crc.add(decimal: item.id)
        return crc.slot
    }

    /// Of the user's rate.
    package func ofRate(user: Int64) -> Int {
        var crc = rate
        crc.add(decimal: user)
        crc.add(RedisKeys.rate.suffix)
        return crc.slot
    }

    /// Of the user's recent likes.
    package func ofRecentLikes(user: Int64) -> Int {
        var crc = recentLikes
        crc.add(decimal: user)
        crc.add(RedisKeys.recentLikes.suffix)
        return crc.slot
    }
}
