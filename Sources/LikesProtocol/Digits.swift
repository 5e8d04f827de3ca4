/// Decimal digits, eight at a time.
enum Digits {
    /// Bytes in front of the digits that must be readable: the first few digits are read together with the bytes before
    /// them.
    static let bytesBefore = 7
    /// That many digits always fit a `UInt64`.
    static let countMax = 19

    /// The number in the `count` bytes from `start`. They are 1 … `countMax` bytes, all in `bytes`, as are the
    /// `bytesBefore` bytes in front of them. nil if one is not a digit, or the number is 2^63 or more.
    static func parse(_ bytes: UnsafeRawBufferPointer, from start: Int, count: Int) -> Int64? {
        assert(count > 0 && count <= countMax && start >= bytesBefore && start + count <= bytes.count)
        var value: UInt64 = 0
        var position = start
        let odd = count % 8
        if odd != 0 {
            let foreign = UInt64.max >> UInt64(odd * 8)
            let word = bytes.littleEndian(at: start + odd - 8)
            guard let number = number(word & ~foreign | zeros & foreign) else { return nil }
            value = number
            position += odd
        }
        while position < start + count {
            guard let number = number(bytes.littleEndian(at: position)) else { return nil }
            value = value &* 100_000_000 &+ number
            position += 8
        }
        return Int64(exactly: value)
    }

    private static let zeros: UInt64 = 0x3030_3030_3030_3030

    /// The number in eight bytes: neighbours are joined to pairs, pairs to fours, fours to the whole.
    private static func number(_ word: UInt64) -> UInt64? {
        let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        // '0' … '9' are 0x30 … 0x39, and stay below 0x40 with 6 added. No other byte does both.
        guard word & high == zeros, (word &+ 0x0606_0606_0606_0606) & high == zeros else { return nil }
        let digits = word &- zeros
        let pairs = digits &* 10 &+ digits >> 8
        let low = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let top = (pairs >> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (low &+ top) >> 32
    }
}

extension UnsafeRawBufferPointer {
    /// The number whose bytes start at `position`, in big-endian order, as a hexadecimal literal reads.
    func bigEndian<Number: FixedWidthInteger & BitwiseCopyable>(at position: Int, as type: Number.Type) -> Number {
        Number(bigEndian: loadUnaligned(fromByteOffset: position, as: type))
    }

    /// The number whose eight bytes start at `position`, in little-endian order.
    func littleEndian(at position: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }
}
