import LikesProtocol

/// An item type's number and name, as the command line gives them: `9=story`.
package struct NumberedType: Equatable, Sendable {
    package static let numbers: ClosedRange<Int64> = 0...Int64(Int16.max)

    package var number: Int16
    package var name: String

    package init(number: Int16, name: String) {
        self.number = number
        self.name = name
    }

    /// nil: not such a text.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int64(parts[0]), String(number) == parts[0],
            Self.numbers.contains(number), (try? ItemTypes([String(parts[1])])) != nil
        else { return nil }
        self.init(number: Int16(number), name: String(parts[1]))
    }

    /// Characters that no shell changes.
    package var option: String { "--type \(number)=\(name)" }
}

/// Types that have no number, beside numbers that have no name: only somebody who knows the rows can tell whether they
/// belong together. A wrong guess would count likes under the wrong type.
package struct UnnamedTypes: Equatable, Sendable {
    /// Configured, and not in `item_types`.
    private let names: [String]
    /// Stored, and not in `item_types`.
    private let stored: [Int16]
    /// In `item_types`.
    private let taken: Set<Int16>

    /// nil: no type is in doubt. `known`: the rows of `item_types`; `stored`: numbers that rows have.
    package init?(configured: [String], known: [NumberedType], stored: Set<Int16>) {
        let taken = Set(known.map(\.number))
        self.taken = taken
        names = configured.filter { name in !known.contains { $0.name == name } }
        // No name can be given to a negative one, so none of the configured types is meant.
        self.stored = stored.filter { $0 >= 0 && !taken.contains($0) }.sorted()
        guard !names.isEmpty, !self.stored.isEmpty else { return nil }
    }

    package var reason: String {
        let numbers = stored.map { String($0) }
        let isOne = stored.count == 1
        return "rows are stored of the item type\(isOne ? "" : "s") \(Self.list(numbers)), which "
            + "\(isOne ? "has" : "have") no name, and ITEM_TYPES has \(Self.list(names)), which "
            + "\(names.count == 1 ? "has" : "have") no number: no type was added"
    }

    /// One way to name them all: the stored numbers in order, then free ones.
    package var proposal: [NumberedType] {
        let numbers = stored + free(max(0, names.count - stored.count))
        return zip(names, numbers).map { NumberedType(number: $1, name: $0) }
    }

    /// `command`: what runs the command with these options.
    package func next(_ command: (_ options: String) -> String) -> String {
        let proposal = self.proposal
        let isStored = Set(stored)
        let conditions = proposal.map { type in
            isStored.contains(type.number) ? "\(type.name) is \(type.number)" : "\(type.name) is new"
        }
        let options = proposal.map(\.option).joined(separator: " ")
        let example = names.last.flatMap { name in free(1).first.map { NumberedType(number: $0, name: name).option } }
        let beginning = example.map { "a new type takes a free number, as in \($0); " } ?? ""
        return "\(beginning)if \(Self.list(conditions)), run: \(command(options))"
    }

    /// Numbers that neither rows nor names have.
    private func free(_ count: Int) -> [Int16] {
        guard count > 0 else { return [] }
        let used = taken.union(stored)
        let above = Int(used.max() ?? 0) + 1
        let last = Int(NumberedType.numbers.upperBound)
        let numbers = above + count - 1 <= last ? above...last : 1...last
        return Array(numbers.lazy.map { Int16($0) }.filter { !used.contains($0) }.prefix(count))
    }

    /// `a`, `a and b`, `a, b and c`.
    private static func list(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }
}

extension Schema {
    /// A boolean, within a statement: whether the tables were another service's, whose numbers may have no name.
    package static let isAdopted = "to_regclass('likesd_adoption') IS NOT NULL"

    /// Rows of one number each, in order: what the take-over, or its trigger, found rows of, and what has no name yet.
    /// Only where `isAdopted`.
    package static let selectUnnamedTypes = """
        SELECT noted.name FROM likesd_adoption AS noted
        WHERE noted.kind = 'type' AND NOT EXISTS (SELECT FROM item_types AS known WHERE known.id::text = noted.name)
        ORDER BY length(noted.name), noted.name
        """

    /// $1 text: the number.
    package static let noteType = "\(notingType) VALUES ('type', 'counters', $1) ON CONFLICT DO NOTHING"
    static let notingType = "INSERT INTO likesd_adoption (kind, table_name, name)"

    /// $1: a number, $2: its name.
    package static let nameType = "INSERT INTO item_types (id, name) VALUES ($1::smallint, $2)"

    /// What `item_types` begins with.
    package static let firstTypes = [
        NumberedType(number: 1, name: "post"), NumberedType(number: 2, name: "reel"),
        NumberedType(number: 3, name: "comment"),
    ]

    /// A block of PL/pgSQL that ends a script where a new number could be wrong. `names`: an array's literal.
    static func guardOfTypes(_ names: String) -> String {
        """
        DO $likesd$
        BEGIN
            IF \(isAdopted) THEN
                IF EXISTS (\(selectUnnamedTypes)) AND EXISTS (
                    SELECT FROM unnest('\(names)'::text[]) AS wanted (name)
                    WHERE NOT EXISTS (SELECT FROM item_types AS known WHERE known.name = wanted.name))
                THEN
                    RAISE EXCEPTION 'rows are stored of item types without a name: no type was added'
                        USING HINT = 'likesctl migrate says how to name them';
                END IF;
            END IF;
        END
        $likesd$;

        """
    }
}
