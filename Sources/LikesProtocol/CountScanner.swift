/// COUNT and MCOUNT as clients write them, read in one pass: whole RESP arrays, well-formed, with items of the
/// configured types. Everything else, wrong, inline or not there to its end, is not recognised here and left to
/// `RequestParser`, which reads what this reads in the same way; so nothing but speed depends on what is recognised.
///
///     scanner.next()                 how many items the request has
///     scanner.nextItem()             each of them; nil: it is for RequestParser after all, from `taken` on
///     scanner.take()                 the request was answered
public struct CountScanner {
    /// The recognised requests.
    public enum Kind: Equatable, Sendable {
        /// COUNT: one item, answered with one number.
        case count
        /// MCOUNT of this many items, 1 … `WireLimits.itemsPerRequestMax`, answered with an array.
        case mcount(Int)
    }

    /// The bytes of the requests for which `take` was called.
    public private(set) var taken = 0

    private let bytes: UnsafeRawBufferPointer
    private let types: ItemTypes
    private var position = 0

    /// `bytes`, which start with a request, must outlive the scanner.
    public init(_ bytes: UnsafeRawBufferPointer, types: ItemTypes) {
        self.bytes = bytes
        self.types = types
    }

    // What the requests start with, letters in upper case, and which bits of it count: a letter's 0x20 does not.
    private static let countStart: UInt64 = 0x2A_32_0D_0A_24_35_0D_0A  // *2 CRLF $5 CRLF
    private static let count: UInt64 = 0x43_4F_55_4E_54_0D_0A_00  // COUNT CRLF
    private static let countMask: UInt64 = 0xDF_DF_DF_DF_DF_FF_FF_00
    private static let mcountStart: UInt32 = 0x24_36_0D_0A  // $6 CRLF
    private static let mcount: UInt64 = 0x4D_43_4F_55_4E_54_0D_0A  // MCOUNT CRLF
    private static let mcountMask: UInt64 = 0xDF_DF_DF_DF_DF_DF_FF_FF

    /// The request at `taken`; nil: leave it to `RequestParser`.
    public mutating func next() -> Kind? {
        position = taken
        guard bytes.count - position >= 16 else { return nil }
        if bytes.bigEndian(at: position, as: UInt64.self) == CountScanner.countStart {
            let verb = bytes.bigEndian(at: position + 8, as: UInt64.self)
            guard verb & CountScanner.countMask == CountScanner.count else { return nil }
            position += 15
            return .count
        }
        guard bytes[position] == UInt8(ascii: "*") else { return nil }
        position += 1
        guard let words = length(digitsMax: 4), words > 1, words <= WireLimits.itemsPerRequestMax + 1,
            bytes.count - position >= 12,
            bytes.bigEndian(at: position, as: UInt32.self) == CountScanner.mcountStart,
            bytes.bigEndian(at: position + 4, as: UInt64.self) & CountScanner.mcountMask == CountScanner.mcount
        else { return nil }
        position += 12
        return .mcount(words - 1)
    }

    /// The request's next item, to be called once for each item; nil: leave the request to `RequestParser`.
    public mutating func nextItem() -> Item? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "$") else { return nil }
        position += 1
        guard let length = length(digitsMax: 2) else { return nil }
        let start = position
        let end = start + length
        guard bytes.count - end >= 2, bytes.count - start >= 8,
            let (type, nameEnd) = types.type(in: bytes, at: start), nameEnd < end, end - nameEnd <= Digits.countMax,
            let id = Digits.parse(bytes, from: nameEnd, count: end - nameEnd),
            bytes[end] == UInt8(ascii: "\r"), bytes[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        position = end + 2
        return Item(type: type, id: id)
    }

    /// Counts the request as taken, once all its items were read.
    public mutating func take() { taken = position }

    /// Digits and CRLF at `position`.
    private mutating func length(digitsMax: Int) -> Int? {
        var value = 0
        let start = position
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit <= 9, position - start < digitsMax else { break }
            value = value &* 10 &+ Int(digit)
            position += 1
        }
        guard position > start, bytes.count - position >= 2,
            bytes[position] == UInt8(ascii: "\r"), bytes[position + 1] == UInt8(ascii: "\n")
        else { return nil }
        position += 2
        return value
    }
}
