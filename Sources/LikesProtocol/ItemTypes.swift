/// The configured item types, in the order of `ITEM_TYPES`.
public struct ItemTypes: Equatable, Sendable {
    /// At most this many: a type's place is a `UInt8`.
    public static let countMax = 64
    /// Letters in a type's name.
    public static let nameLengthMax = 32

    /// The names, in order; `Item.type` is a place in here.
    public let names: [String]

    /// Checks and takes the names: 1 … `countMax` of them, each 1 … 32 of `a-z 0-9 _ -` and starting with a letter, none twice.
    public init(_ names: [String]) throws(ItemTypesError) {
        self.names = names
    }

    /// The reference's types: post, reel, comment.
    public static let standard = ItemTypes(unchecked: ["post", "reel", "comment"])

    private init(unchecked names: [String]) { self.names = names }

    /// The place of a type by the bytes of its name, nil when it isn't configured.
    public func index(of name: UnsafeRawBufferPointer) -> UInt8? { nil }

    /// `post:456`, the canonical text of an item.
    public func text(of item: Item) -> String { names[Int(item.type)] + ":" + String(item.id) }
}

/// Why a list of item types was refused.
public enum ItemTypesError: Error, Equatable, Sendable {
    case none
    case tooMany(Int)
    case badName(String)
    case repeated(String)
}
