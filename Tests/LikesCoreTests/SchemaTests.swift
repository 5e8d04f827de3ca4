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
}
