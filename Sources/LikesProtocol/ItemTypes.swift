/// The configured item types, in the order of `ITEM_TYPES`.
public struct ItemTypes: Equatable, Sendable {
    /// At most this many: a type's place is a `UInt8`.
    public static let countMax = 64
    /// Letters in a type's name.
    public static let nameLengthMax = 32

    /// The names, in order; `Item.type` is a place in here.
    public let names: [String]
    /// The names' bytes in a row, and where each ends: looking up a type touches no String.
    private let bytes: [UInt8]
    private let ends: [Int]
    private let heads: [Head]

    /// The first eight bytes of `name:`, which recognise a type with one comparison.
    private struct Head: Equatable, Sendable {
        let word: UInt64
        /// All ones where `name:` has bytes.
        let mask: UInt64
        let nameLength: Int
    }

    /// Checks and takes the names: 1 … `countMax` of them, each with 1 … `nameLengthMax` of `a-z 0-9 _ -`, a letter
    /// first, no name twice.
    /// - Throws: the first rule that is broken.
    public init(_ names: [String]) throws(ItemTypesError) {
        guard !names.isEmpty else { throw .none }
        guard names.count <= ItemTypes.countMax else { throw .tooMany(names.count) }
        for (place, name) in names.enumerated() {
            guard ItemTypes.isName(name) else { throw .badName(name) }
            guard !names[..<place].contains(name) else { throw .repeated(name) }
        }
        self.init(unchecked: names)
    }

    /// The default types: post, reel, comment.
    public static let standard = ItemTypes(unchecked: ["post", "reel", "comment"])

    private init(unchecked names: [String]) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for name in names {
            bytes.append(contentsOf: name.utf8)
            ends.append(bytes.count)
        }
        heads = names.map { name in
            let head = (name + ":").utf8.prefix(8)
            let unused = UInt64(8 - head.count) * 8
            let word = head.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } << unused
            return Head(word: word, mask: UInt64.max << unused, nameLength: name.utf8.count)
        }
        self.names = names
        self.bytes = bytes
        self.ends = ends
    }

    private static func isName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, bytes.count <= nameLengthMax else { return false }
        guard first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z") else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    /// The place of a type by the bytes of its name; nil if it isn't configured.
    public func index(of name: UnsafeRawBufferPointer) -> UInt8? {
        var start = 0
        for (place, end) in ends.enumerated() {
            if end - start == name.count, bytes[start..<end].elementsEqual(name) {
                return UInt8(truncatingIfNeeded: place)
            }
            start = end
        }
        return nil
    }

    /// The type whose name and colon stand at `start`, and where they end. At least eight bytes must be there.
    func type(in text: UnsafeRawBufferPointer, at start: Int) -> (type: UInt8, end: Int)? {
        let word = text.bigEndian(at: start, as: UInt64.self)
        for place in heads.indices {
            let head = heads[place]
            guard word & head.mask == head.word else { continue }
            let end = start + head.nameLength
            if head.nameLength >= 8 {
                guard text.count > end, text[end] == UInt8(ascii: ":"),
                    text[start..<end].elementsEqual(bytes[(ends[place] - head.nameLength)..<ends[place]])
                else { continue }
            }
            return (UInt8(truncatingIfNeeded: place), end + 1)
        }
        return nil
    }

    /// `post:456`, the canonical text of an item. Its type must be one of these.
    public func text(of item: Item) -> String { names[Int(item.type)] + ":" + String(item.id) }
}

/// Why a list of item types was refused.
public enum ItemTypesError: Error, Equatable, Sendable {
    /// The list is empty.
    case none
    /// More names than `ItemTypes.countMax`; how many there are.
    case tooMany(Int)
    /// A name that is empty, too long, or not made of the characters allowed; the name.
    case badName(String)
    /// The same name twice; the name.
    case repeated(String)
}
