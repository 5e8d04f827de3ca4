import LikesProtocol

/// The numbers of the configured item types in PostgreSQL, by their place in `ItemTypes`.
struct TypeNumbers: Equatable {
    /// No row has it: an item whose type is not in the table yet was never liked.
    static let missing: Int16 = -1

    private let names: [String]
    private let numbers: [Int16]
    private let places: [Int16: UInt8]

    /// From the table's rows of number and name. A missing type keeps its last known number, unless another type has it
    /// by now.
    init(types: ItemTypes, rows: [(number: Int16, name: String)], known: TypeNumbers? = nil) {
        let byName = Dictionary(rows.map { ($0.name, $0.number) }) { first, _ in first }
        let taken = Set(rows.map(\.number))
        names = types.names
        numbers = names.enumerated().map { place, name in
            if let number = byName[name] { return number }
            guard let number = known?.numbers[place], !taken.contains(number) else { return TypeNumbers.missing }
            return number
        }
        var places: [Int16: UInt8] = [:]
        for (place, number) in numbers.enumerated() where number != TypeNumbers.missing {
            places[number] = UInt8(place)
        }
        self.places = places
    }

    /// As a PostgreSQL array, in the order of the configured types.
    var array: String {
        "{" + numbers.map { $0 == TypeNumbers.missing ? "NULL" : String($0) }.joined(separator: ",") + "}"
    }

    /// Whether the table's rows, as in `post=1`, still give these types the same numbers.
    func agree(_ rows: [String]) -> Bool {
        Set(rows).isSuperset(of: zip(names, numbers).map { "\($0)=\($1)" })
    }

    var isComplete: Bool { !numbers.contains(TypeNumbers.missing) }

    /// The numbers of the configured types that the table has.
    var known: [Int16] { numbers.filter { $0 != TypeNumbers.missing } }

    func number(of item: Item) -> Int16 { numbers[Int(item.type)] }

    /// nil: the type is not configured, or the table does not have it.
    func number(of name: String) -> Int16? {
        names.firstIndex(of: name).map { numbers[$0] }.flatMap { $0 == TypeNumbers.missing ? nil : $0 }
    }

    /// nil: the type is not configured here.
    func item(number: Int16, id: Int64) -> Item? {
        places[number].map { Item(type: $0, id: id) }
    }
}
