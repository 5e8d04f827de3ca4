import Testing

@testable import LikesStorage
@testable import TestSupport
@testable import likesd

/// What is found wrong with tables that a hand has changed, and what mends it, by a real PostgreSQL.
@Suite struct SchemaFitnessTests {
    /// What a hand did, and what has to be found of it.
    struct Trial: CustomTestStringConvertible, Sendable {
        var statements: [String]
        var kinds: [SchemaMisfit.Kind]
        var partitions = 0
        /// What mends it where no statement can say all of it.
        var mend: [String] = []
        var testDescription: String { statements.joined(separator: "; ") }
    }

    static let swallow =
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"

    static func trigger(_ when: String, on table: String, _ each: String = "ROW") -> String {
        "CREATE TRIGGER \"a trigger\" \(when) ON \(table) FOR EACH \(each) EXECUTE FUNCTION swallow()"
    }

    static let broken: [Trial] = [
        Trial(statements: ["ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey"], kinds: [.noKey]),
        Trial(statements: ["ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey"], kinds: [.noKey], partitions: 3),
        Trial(
            statements: [
                "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey, "
                    + "ADD CONSTRAINT \"my key\" PRIMARY KEY (user_id, item_id, item_type) DEFERRABLE"
            ], kinds: [.noKey]),
        Trial(
            statements: ["ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey, ADD id bigserial PRIMARY KEY"],
            kinds: [.noKey]),
        Trial(
            statements: [
                "ALTER TABLE counters DROP CONSTRAINT counters_pkey",
                "CREATE UNIQUE INDEX ON counters (item_id, item_type) WHERE item_id > 0",
                "CREATE UNIQUE INDEX ON counters (item_id, (item_type + 0))",
            ], kinds: [.noKey]),
        Trial(
            statements: [
                "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey",
                "CREATE UNIQUE INDEX ON ONLY user_likes (user_id, item_id, item_type)",
            ], kinds: [.noKey], partitions: 2),
        Trial(statements: ["ALTER TABLE lanes DROP CONSTRAINT lanes_pkey"], kinds: [.noKey]),
        Trial(statements: ["ALTER TABLE cache_repairs DROP CONSTRAINT cache_repairs_pkey"], kinds: [.noKey]),
        Trial(statements: ["ALTER TABLE likesd_hosts DROP CONSTRAINT likesd_hosts_pkey"], kinds: [.noKey]),
        Trial(statements: ["ALTER TABLE item_types DROP CONSTRAINT item_types_name_key"], kinds: [.noKey]),
        Trial(statements: ["ALTER TABLE counters ALTER like_count TYPE integer"], kinds: [.columnType]),
        Trial(statements: ["ALTER TABLE lanes ALTER batch DROP NOT NULL"], kinds: [.nullable]),
        Trial(statements: ["ALTER TABLE likesd_hosts ALTER seen_at DROP DEFAULT"], kinds: [.noDefault]),
        Trial(statements: ["ALTER TABLE counters DROP COLUMN updated_at"], kinds: [.noColumn]),
        Trial(statements: ["ALTER TABLE user_likes ADD \"Source\" text NOT NULL"], kinds: [.unknownColumn]),
        Trial(
            statements: ["ALTER TABLE likesd_hosts ALTER lane ADD GENERATED ALWAYS AS IDENTITY"], kinds: [.generated]),
        Trial(statements: [swallow, trigger("BEFORE INSERT", on: "user_likes")], kinds: [.trigger]),
        Trial(statements: [swallow, trigger("BEFORE DELETE", on: "user_likes")], kinds: [.trigger], partitions: 2),
        Trial(statements: [swallow, trigger("BEFORE INSERT", on: "user_likes_p1")], kinds: [.trigger], partitions: 2),
        Trial(statements: [swallow, trigger("BEFORE UPDATE", on: "counters")], kinds: [.trigger]),
        Trial(statements: [swallow, trigger("BEFORE UPDATE", on: "lanes")], kinds: [.trigger]),
        // Only the name is that of the take-over.
        Trial(
            statements: Schema.besideStatements(owner: "postgres") + [
                "CREATE OR REPLACE FUNCTION likesd_beside() RETURNS trigger LANGUAGE plpgsql "
                    + "AS 'BEGIN RETURN NULL; END'"
            ], kinds: [.trigger]),
        Trial(statements: ["CREATE RULE \"a rule\" AS ON DELETE TO user_likes DO INSTEAD NOTHING"], kinds: [.rule]),
        Trial(statements: ["ALTER TABLE cache_repairs SET UNLOGGED"], kinds: [.unlogged]),
        Trial(statements: ["ALTER TABLE user_likes_p0 SET UNLOGGED"], kinds: [.unlogged], partitions: 2),
        Trial(statements: ["CREATE TABLE kid () INHERITS (user_likes)"], kinds: [.inherited]),
        Trial(
            statements: ["UPDATE likesd_schema SET version = \(Schema.version - 1)"], kinds: [.version],
            mend: ["UPDATE likesd_schema SET version = \(Schema.version)"]),
        Trial(
            statements: ["UPDATE likesd_schema SET version = \(Schema.version + 1)"], kinds: [.version],
            mend: ["UPDATE likesd_schema SET version = \(Schema.version)"]),
        Trial(
            statements: ["DELETE FROM likesd_schema"], kinds: [.version],
            mend: ["INSERT INTO likesd_schema (version) VALUES (\(Schema.version))"]),
        Trial(
            statements: [
                "CREATE SCHEMA postgres", "CREATE TABLE postgres.counters (LIKE public.counters INCLUDING ALL)",
            ], kinds: [.elsewhere], mend: ["DROP SCHEMA postgres CASCADE"]),
        Trial(
            statements: [
                "CREATE SCHEMA postgres", "CREATE TABLE postgres.likesd_schema (LIKE public.likesd_schema)",
                "INSERT INTO postgres.likesd_schema SELECT * FROM public.likesd_schema",
            ], kinds: [.elsewhere], mend: ["DROP SCHEMA postgres CASCADE"]),
        Trial(
            statements: [
                "CREATE SCHEMA postgres", "CREATE TABLE postgres.user_likes (LIKE public.user_likes INCLUDING ALL)",
            ], kinds: [.elsewhere], mend: ["DROP SCHEMA postgres CASCADE"]),
        Trial(
            statements: ["CREATE SCHEMA postgres", "ALTER TABLE lanes SET SCHEMA postgres"], kinds: [.elsewhere]),
        // More than half of them, and none that counts.
        Trial(
            statements: ["CREATE SCHEMA postgres"]
                + ["user_likes", "counters", "item_types", "lanes"].map {
                    "CREATE TABLE postgres.\($0) (LIKE public.\($0) INCLUDING ALL)"
                }, kinds: [.elsewhere, .elsewhere, .elsewhere, .elsewhere], mend: ["DROP SCHEMA postgres CASCADE"]),
        // All of them: which likes are meant nobody knows.
        Trial(
            statements: ["CREATE SCHEMA postgres"]
                + (["likesd_schema"] + Schema.tables.map(\.name)).map {
                    "CREATE TABLE postgres.\($0) (LIKE public.\($0) INCLUDING ALL)"
                } + ["INSERT INTO postgres.likesd_schema SELECT * FROM public.likesd_schema"],
            kinds: [.elsewhere], mend: ["DROP SCHEMA postgres CASCADE"]),
        Trial(statements: ["ALTER TABLE lanes DROP lane"], kinds: [.noColumn, .noKey]),
        Trial(statements: ["ALTER TABLE likesd_hosts DROP lane"], kinds: [.noColumn, .noKey]),
        Trial(
            statements: [
                "INSERT INTO cache_repairs VALUES (1, 1, 1)", "ALTER TABLE cache_repairs DROP item_type",
            ], kinds: [.noColumn, .noKey]),
        Trial(statements: ["DROP TABLE lanes"], kinds: [.noTable]),
        Trial(statements: ["DROP TABLE cache_repairs"], kinds: [.noTable]),
        Trial(statements: ["DROP TABLE item_types"], kinds: [.noTable]),
        Trial(statements: ["ALTER TABLE counters RENAME TO moved"], kinds: [.noTable]),
        Trial(
            statements: ["ALTER TABLE user_likes RENAME TO moved"], kinds: [.noTable],
            mend: ["ALTER TABLE moved RENAME TO user_likes"]),
        Trial(
            statements: ["ALTER TABLE user_likes RENAME user_id TO uid"], kinds: [.noColumn, .unknownColumn, .noKey],
            mend: ["ALTER TABLE user_likes RENAME uid TO user_id"]),
        Trial(statements: ["ALTER TABLE counters RENAME version TO v"], kinds: [.noColumn]),
        Trial(
            statements: ["ALTER TABLE counters RENAME TO likes", "CREATE VIEW counters AS SELECT * FROM likes"],
            kinds: [.noPlainTable]),
        Trial(
            statements: [
                "ALTER TABLE item_types RENAME TO kinds",
                "CREATE VIEW item_types AS SELECT name, id, 7 AS more FROM kinds",
            ], kinds: [.noPlainTable]),
        Trial(
            statements: [
                "ALTER TABLE lanes RENAME TO old",
                "CREATE TABLE lanes (LIKE old INCLUDING ALL) PARTITION BY HASH (lane)",
                "CREATE TABLE one PARTITION OF lanes FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            ], kinds: [.noPlainTable]),
        Trial(
            statements: [
                "CREATE TABLE users (id bigint PRIMARY KEY)",
                "ALTER TABLE user_likes ADD CONSTRAINT owner FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
            ], kinds: [.cascade]),
        Trial(
            statements: [
                "CREATE TABLE users (id bigint PRIMARY KEY)",
                "ALTER TABLE user_likes ADD CONSTRAINT owner FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
            ], kinds: [.cascade], partitions: 2),
    ]

    @Test("What breaks a guarantee is found, and mended by what is said to run.", arguments: broken + incomplete)
    func whatBreaksAGuaranteeIsFoundAndMendedByWhatIsSaidToRun(trial: Trial) throws {
        let database = try PostgresServer.shared.get().database(partitions: trial.partitions)
        let control = try database.connect()
        let lane = try database.lane()
        #expect(try lane.misfits() == [])
        for statement in trial.statements { try control.run(statement) }
        let found = try lane.misfits()
        #expect(found.map(\.kind) == trial.kinds)
        for misfit in found {
            #expect(!misfit.text.isEmpty)
            if trial.mend.isEmpty { try control.run(#require(misfit.remedy.sql)) }
        }
        for statement in trial.mend { try control.run(statement) }
        #expect(try lane.misfits() == [])
    }

    static let sound: [Trial] = [
        Trial(statements: ["ALTER TABLE user_likes ADD note text, ADD source text NOT NULL DEFAULT 'app'"], kinds: []),
        Trial(statements: ["ALTER TABLE user_likes ADD id bigint GENERATED ALWAYS AS IDENTITY"], kinds: []),
        Trial(
            statements: [
                "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey",
                "CREATE UNIQUE INDEX ON user_likes (item_type, item_id, user_id) INCLUDE (created_at)",
            ], kinds: []),
        Trial(statements: [swallow, trigger("AFTER INSERT OR DELETE", on: "user_likes")], kinds: []),
        Trial(statements: [swallow, trigger("BEFORE INSERT", on: "user_likes", "STATEMENT")], kinds: []),
        Trial(statements: [swallow, trigger("BEFORE UPDATE", on: "user_likes")], kinds: []),
        Trial(
            statements: [
                swallow, trigger("BEFORE INSERT", on: "user_likes"),
                "ALTER TABLE user_likes DISABLE TRIGGER \"a trigger\"",
            ], kinds: []),
        Trial(statements: ["ALTER TABLE user_likes ADD CHECK (user_id <> 13)"], kinds: []),
        Trial(statements: Schema.besideStatements(owner: "postgres"), kinds: []),
        // The reference service's layout.
        Trial(
            statements: [
                "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey, ADD id bigserial PRIMARY KEY",
                "ALTER TABLE user_likes ADD UNIQUE (user_id, item_id, item_type)",
                "ALTER TABLE user_likes ALTER item_type SET DEFAULT 1",
            ], kinds: []),
        Trial(
            statements: [
                "CREATE TABLE users (id bigint PRIMARY KEY)",
                "ALTER TABLE user_likes ADD FOREIGN KEY (user_id) REFERENCES users",
            ], kinds: []),
        Trial(statements: ["ALTER TABLE counters SET (fillfactor = 50)", "ANALYZE"], kinds: []),
        // Another application's, behind likesd's own.
        Trial(
            statements: [
                "CREATE SCHEMA other", "CREATE TABLE other.counters (name text)",
                "CREATE TABLE other.user_likes (a text)",
                """
                DO $$ BEGIN
                    EXECUTE format('ALTER DATABASE %I SET search_path = public, other', current_database());
                END $$
                """,
            ], kinds: []),
        Trial(
            statements: [
                "DROP TABLE user_likes",
                """
                CREATE TABLE user_likes (
                    user_id bigint NOT NULL, item_id bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
                    item_type smallint NOT NULL, PRIMARY KEY (user_id, item_id, item_type))
                PARTITION BY LIST (item_type)
                """,
                "CREATE TABLE posts PARTITION OF user_likes FOR VALUES IN (1) PARTITION BY RANGE (user_id)",
                "CREATE TABLE most PARTITION OF posts DEFAULT",
            ], kinds: []),
        Trial(
            statements: inUnequalParts + ["CREATE TABLE d \(part(8, 3))", "CREATE TABLE e \(part(8, 7))"], kinds: []),
    ]

    @Test("What breaks no guarantee is left alone.", arguments: sound)
    func whatBreaksNoGuaranteeIsLeftAlone(trial: Trial) throws {
        let database = try PostgresServer.shared.get().database()
        let control = try database.connect()
        for statement in trial.statements { try control.run(statement) }
        #expect(try database.lane().misfits() == [])
    }

    @Test("Row security is found where it applies to the role.")
    func rowSecurityIsFoundWhereItAppliesToTheRole() throws {
        let database = try PostgresServer.shared.get().database()
        let control = try database.connect()
        let role = "role_\(control.processID)"
        try control.run("CREATE ROLE \(role)")
        try control.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role)")
        try control.run("ALTER TABLE user_likes ENABLE ROW LEVEL SECURITY")
        let lane = try database.lane()
        // It does not apply to those who may pass it by.
        #expect(try lane.misfits() == [])
        try lane.connection.run("SET ROLE \(role)")
        let found = try lane.misfits()
        #expect(found.map(\.kind) == [.rowSecurity])
        for misfit in found { try control.run(#require(misfit.remedy.sql)) }
        #expect(try lane.misfits() == [])
        try lane.connection.run("RESET ROLE")
        try control.run("DROP OWNED BY \(role)")
        try control.run("DROP ROLE \(role)")
    }

    @Test("All that migrate makes is known, so that no table or column is left out.")
    func allThatMigrateMakesIsKnown() throws {
        let control = try PostgresServer.shared.get().database().connect()
        let made = try control.run(
            """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'likesd_schema'
            """)
        let known = Schema.tables.flatMap { table in table.columns.map { [table.name, $0.name] } }
        #expect(Set(made) == Set(known))
    }

    @Test("There is something to find of every kind but foreign partitions, for which a server lacks the wrapper.")
    func thereIsSomethingToFindOfEveryKindButForeignPartitions() {
        let tried = Set((Self.broken + Self.incomplete).flatMap(\.kinds) + [.rowSecurity, .noRight, .foreign])
        #expect(tried == Set(SchemaMisfit.Kind.allCases))
    }
}

extension LaneTester {
    func misfits() throws -> [SchemaMisfit] {
        let call = LaneCall(1, .checkSchema, types: types)
        try send(call)
        var misfits: [SchemaMisfit] = []
        _ = try result { rows in
            try call.answer(rows, types: types) { found in
                misfits = found
                return nil
            }
        }
        return misfits
    }
}
