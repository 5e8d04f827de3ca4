import LikesProtocol
import LikesStorage
import LikesctlCommands

/// An item as the tables identify it, ordered like the primary key of `counters`.
struct StoredItem: Hashable, Comparable {
    var id: Int64
    var type: Int16

    /// No row in PostgreSQL comes before or after these.
    static let lowest = StoredItem(id: .min, type: .min)
    static let highest = StoredItem(id: .max, type: .max)

    static func < (left: StoredItem, right: StoredItem) -> Bool {
        left.id != right.id ? left.id < right.id : left.type < right.type
    }
}

/// What `counters` says of an item.
struct CounterState: Equatable {
    var count: Int64
    var version: Int64
}

/// The item types by number and by name, as `item_types` has them.
struct StoredTypes {
    private var names: [Int16: String] = [:]
    private var numbers: [String: Int16] = [:]
    /// The types to check; nil: all.
    private(set) var wanted: Set<Int16>?

    /// No types: the tables cannot be read.
    init() {}

    /// Reads them, and finds those of the command line.
    init(_ database: borrowing Database, wanted wantedNames: [String]) throws(Failure) {
        for row in try database.execute(Schema.selectItemTypes) {
            guard let number = row[0].flatMap({ Int16($0) }), let name = row[1] else { continue }
            names[number] = name
            numbers[name] = number
        }
        guard !wantedNames.isEmpty else { return }
        var wanted: Set<Int16> = []
        for name in wantedNames {
            guard let number = numbers[name] else {
                throw Failure(
                    .usage,
                    "--type: there is no item type '\(name)' in the database: there are "
                        + numbers.keys.sorted().joined(separator: ", "))
            }
            wanted.insert(number)
        }
        self.wanted = wanted
    }

    func isNamed(_ item: StoredItem) -> Bool { names[item.type] != nil }

    func isWanted(_ item: StoredItem) -> Bool { wanted?.contains(item.type) ?? true }

    /// `post:456`. A number without a name, which only a manual change can have caused, is shown as `#9:456`.
    func text(of item: StoredItem) -> String {
        (names[item.type].map { ForeignText.shown($0) } ?? "#\(item.type)") + ":" + String(item.id)
    }

    /// The item of a text in likesd's own form, without leading zeros; nil for any other text.
    func item(of text: Substring) -> StoredItem? {
        guard let colon = text.firstIndex(of: ":"), let type = numbers[String(text[..<colon])] else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let id = Int64(digits), id >= 0, String(id) == digits else { return nil }
        return StoredItem(id: id, type: type)
    }

    /// The wanted types as an array parameter; an empty one stands for all.
    var parameter: String { "{" + (wanted ?? []).sorted().map { String($0) }.joined(separator: ",") + "}" }
}
