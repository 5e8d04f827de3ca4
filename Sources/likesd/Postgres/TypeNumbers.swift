import LikesProtocol

/// The numbers of the configured item types in PostgreSQL, by their place in `ItemTypes`.
struct TypeNumbers {
    /// No row has it: an item of a type that is not in the table yet was never liked.
    static let missing: Int16 = -1

    private let names: [String]
    private let numbers: [Int16]
    /// All rows of the table, configured or not.
    private let owners: [Int16: String]
    private let places: [Int16: UInt8]

    /// From the table's rows of number and name.
    init(types: ItemTypes, rows: [(number: Int16, name: String)]) {
        var byName: [String: Int16] = [:]
        var owners: [Int16: String] = [:]
        for row in rows {
            byName[row.name] = row.number
            owners[row.number] = row.name
        }
        self.owners = owners
        names = types.names
        numbers = names.map { byName[$0] ?? TypeNumbers.missing }
        var places: [Int16: UInt8] = [:]
        for (place, number) in numbers.enumerated() where number != TypeNumbers.missing {
            places[number] = UInt8(place)
        }
        self.places = places
    }

    /// A type that had a number, and now has none.
    struct Lost {
        var name: String
        var number: Int16
        /// The type that has the number now.
        var heir: String?
    }

    /// The configured types that have a number here and none in `table`.
    func lost(in table: TypeNumbers) -> [Lost] {
        zip(names, zip(numbers, table.numbers))
            .filter { $1.0 != TypeNumbers.missing && $1.1 == TypeNumbers.missing }
            .map { Lost(name: $0, number: $1.0, heir: table.owners[$1.0]) }
    }

    /// Whether the table's rows, as in `post=1`, give these types the same numbers still.
    func agree(_ rows: [String]) -> Bool {
        Set(rows).isSuperset(of: zip(names, numbers).map { "\($0)=\($1)" })
    }

    var isComplete: Bool { !numbers.contains(TypeNumbers.missing) }

    func number(of item: Item) -> Int16 { numbers[Int(item.type)] }

    /// nil: the type is none of those configured here.
    func item(number: Int16, id: Int64) -> Item? {
        places[number].map { Item(type: $0, id: id) }
    }
}
