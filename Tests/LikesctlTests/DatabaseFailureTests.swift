import LikesctlCommands
import Testing

@testable import likesctl

/// What likesctl advises when PostgreSQL refuses: what cannot be brought about in a test of the whole.
@Suite struct DatabaseFailureTests {
    @Test(
        "What a long command meets after hours has advice of its own",
        arguments: [
            ("53100", Command.import, "likesctl import --abandon"),
            ("53100", .migrate, "make room on PostgreSQL's disk, then run this again"),
            ("53400", .import, "ALTER ROLE \"a b\" SET temp_file_limit"),
            ("40001", .export, "hot_standby_feedback"),
        ])
    func advice(sqlState: String, command: Command, words: String) {
        let failure = DatabaseFailure.statement(
            sqlState: sqlState, "it says why", user: "a b", database: "likes", command)
        #expect(failure.status == .refused)
        #expect(failure.message.contains("it says why (SQLSTATE \(sqlState))"))
        #expect(failure.next?.contains(words) == true)
    }

    @Test(
        "A command of many steps does not say that nothing was changed", arguments: [Command.migrate, .verify],
        ["53100", "XX000"])
    func manySteps(command: Command, sqlState: String) {
        let failure = DatabaseFailure.statement(
            sqlState: sqlState, "it says why", user: "a b", database: "likes", command)
        #expect(
            failure.message == "PostgreSQL refused: it says why (SQLSTATE \(sqlState)): what was done so far stays")
    }
}
