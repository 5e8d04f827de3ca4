import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct SchemaTests {
    @Test("The steps lead from an empty database to the version the code needs, one by one.")
    func steps() {
        #expect(Schema.migrations.map(\.version) == Array(1...Schema.version))
    }

    @Test("The reference's item types have the reference's numbers.")
    func standardTypes() throws {
        let statements = Schema.migrations[0].statements
        let insert = try #require(statements.first { $0.hasPrefix("INSERT INTO item_types") })
        for (index, name) in ItemTypes.standard.names.enumerated() {
            #expect(insert.contains("(\(index + 1), '\(name)')"))
        }
    }

    @Test("Partitions have bounds, and all remainders.")
    func partitions() throws {
        #expect(Partitions(1) == nil)
        #expect(Partitions(257) == nil)
        let statements = Schema.migrations(partitions: Partitions(3))[0].statements
        #expect(statements.filter { $0.contains("PARTITION BY HASH (user_id)") }.count == 1)
        #expect(statements.filter { $0.contains("(MODULUS 3, REMAINDER") }.count == 3)
        #expect(Schema.migrations(partitions: nil) == Schema.migrations)
    }
}
