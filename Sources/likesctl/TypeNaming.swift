import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Gives the configured item types their numbers: those of the command line, and to others the next ones. While rows
/// have numbers without a name, no other is given: likes could be counted under the wrong type.
struct TypeNaming {
    private let configured: ItemTypes
    /// Of the command line.
    private let named: [NumberedType]

    init(_ configured: ItemTypes, _ named: [NumberedType]) {
        self.configured = configured
        self.named = named
    }

    /// Returns the names added. `command`: the command that runs this, with more options.
    func run(
        _ connection: borrowing Database, _ command: (_ options: String) -> String
    ) throws(Failure) -> [String] {
        let known = try Self.known(connection)
        // A read-only server is fine if there is nothing to write.
        let wanted = Set(configured.names + named.map(\.name))
        if wanted.isSubset(of: known.map(\.name)), named.allSatisfy({ known.contains($0) }) { return [] }
        try Migration.begin(connection)
        do {
            try connection.execute(Schema.lockItemTypes)
            let added = try add(connection, command)
            try connection.execute("COMMIT")
            return added
        } catch {
            guard error.status != .unreachable else { throw error }
            try connection.execute("ROLLBACK")
            throw error
        }
    }

    /// With the lock.
    private func add(
        _ connection: borrowing Database, _ command: (_ options: String) -> String
    ) throws(Failure) -> [String] {
        let known = try Self.known(connection)
        try check(known, stored: try Self.noted(connection), command)
        let missing = named.filter { !known.contains($0) }
        for type in missing { try connection.execute(Schema.nameType, [String(type.number), type.name]) }
        let arrays = [Schema.array(of: configured), Schema.noNumbers]
        return missing.map(\.name)
            + (try connection.execute(Schema.addItemTypes, arrays).compactMap { $0.last ?? nil })
    }

    /// Refuses names and numbers that belong to others already, and guesses.
    func check(
        _ known: [NumberedType], stored: Set<Int16>, _ command: (_ options: String) -> String
    ) throws(Failure) {
        for type in named {
            guard let other = known.first(where: { ($0.number == type.number) != ($0.name == type.name) }) else {
                continue
            }
            throw Failure(
                .refused,
                "--type \(type.number)=\(type.name): the item type \(other.number) is \(ForeignText.shown(other.name)) "
                    + "already: no type was added")
        }
        let all = known + named.filter { !known.contains($0) }
        guard let unnamed = UnnamedTypes(configured: configured.names, known: all, stored: stored) else { return }
        let given = named.map { "\($0.option) " }.joined()
        throw Failure(.refused, unnamed.reason, next: unnamed.next { command(given + $0) })
    }

    /// The rows of `item_types`.
    static func known(_ connection: borrowing Database) throws(Failure) -> [NumberedType] {
        let rows = try connection.execute(Schema.selectItemTypes)
        guard !rows.isEmpty else {
            throw Failure(.refused, "the table item_types is empty", next: Schema.whenLost("item_types"))
        }
        return rows.compactMap { row in
            guard let number = row[0].flatMap({ Int16($0) }), let name = row[1] else { return nil }
            return NumberedType(number: number, name: name)
        }
    }

    /// Numbers of rows that had no name when they were noted.
    static func noted(_ connection: borrowing Database) throws(Failure) -> Set<Int16> {
        guard try connection.execute("SELECT \(Schema.isAdopted)").first?.first == "t" else { return [] }
        let rows = try connection.execute(Schema.selectUnnamedTypes)
        return Set(rows.compactMap { $0.first.flatMap { $0 }.flatMap { Int16($0) } })
    }
}
