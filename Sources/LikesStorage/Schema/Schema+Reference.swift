/// The tables of the reference service, in the database that likesd is to take over.
extension Schema {
    /// The two tables that both have.
    package static let sharedTables = ["user_likes", "counters"]

    /// One boolean: whether the tables are the reference's, as they were or partly taken over. Tables of likesd's own
    /// that only lack the version have a `version` in `counters`, and no record of a take-over.
    package static let hasReference = """
        SELECT to_regclass('likesd_schema') IS NULL
            AND to_regclass('user_likes') IS NOT NULL AND to_regclass('counters') IS NOT NULL
            AND (to_regclass('likesd_adoption') IS NOT NULL
                OR to_regclass('lanes') IS NULL AND to_regclass('cache_repairs') IS NULL
                AND NOT EXISTS (
                    SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass('counters') AND attname = 'version' AND NOT attisdropped)
                AND (
                    SELECT count(*) FROM pg_attribute
                    WHERE NOT attisdropped AND attnum > 0 AND (
                        attrelid = to_regclass('user_likes') AND attname IN ('user_id', 'item_id', 'item_type')
                        OR attrelid = to_regclass('counters')
                            AND attname IN ('item_id', 'item_type', 'like_count'))) = 6)
        """

    /// Why likesd does not use them.
    package static func referenceMisfit(_ database: String) -> String {
        "the database \(database) has the tables of the reference service, which likesd has not taken over yet"
    }

    /// One boolean: whether the reference may go on writing. A trigger that was disabled does not count.
    package static let isSideBySide = """
        SELECT count(*) = 2
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = to_regclass('counters') AND NOT tgisinternal AND tgenabled IN ('O', 'A')
            AND prosrc = \(noteBody)
        """

    /// What runs when somebody other than likesd writes a counter. likesd's statements always name a version of their
    /// own. Negative ids, and types without a name, are nothing that a host could ask for. But such a type is noted, so
    /// that no other gets its number.
    ///
    /// `selectMisfits` recognises the function by this text.
    static let noteText = """

        BEGIN
            IF TG_OP = 'UPDATE' THEN
                NEW.version := OLD.version + 1;
            END IF;
            IF EXISTS (SELECT FROM item_types WHERE id = NEW.item_type) THEN
                INSERT INTO cache_repairs AS present (item_id, item_type, version)
                SELECT NEW.item_id, NEW.item_type, NEW.version WHERE NEW.item_id >= 0
                ON CONFLICT (item_type, item_id) DO UPDATE SET
                    version = greatest(present.version, excluded.version), noted_by = excluded.noted_by;
            ELSIF NEW.item_type IS NOT NULL THEN
                \(notingType)
                VALUES ('type', 'counters', NEW.item_type) ON CONFLICT DO NOTHING;
            END IF;
            RETURN NEW;
        END

        """
    static let noteBody = "$likesd$\(noteText)$likesd$"

    /// What `counters.version` begins with in rows that others insert, while they may. likesd begins with 1.
    static let versionOfOthers = 2

    /// The triggers, in the transaction that makes them. The insert's fires after the row: only then does PostgreSQL
    /// know that the row is new, and hold its lock. With the rights of the tables' owner, since the reference's role
    /// needs none on likesd's tables. $owner: who that is, as SQL writes it.
    package static func besideStatements(owner: String) -> [String] {
        [
            "ALTER TABLE counters ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 1",
            "ALTER TABLE counters ALTER version SET DEFAULT \(versionOfOthers)",
            """
            CREATE OR REPLACE FUNCTION likesd_beside() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS \(noteBody)
            """,
            "ALTER FUNCTION likesd_beside() OWNER TO \(owner)",
            "REVOKE ALL ON FUNCTION likesd_beside() FROM PUBLIC",
            "DROP TRIGGER IF EXISTS likesd_beside_update ON counters",
            """
            CREATE TRIGGER likesd_beside_update BEFORE UPDATE ON counters
            FOR EACH ROW WHEN (NEW.version = OLD.version) EXECUTE FUNCTION likesd_beside()
            """,
            "DROP TRIGGER IF EXISTS likesd_beside_insert ON counters",
            """
            CREATE TRIGGER likesd_beside_insert AFTER INSERT ON counters
            FOR EACH ROW WHEN (NEW.version = \(versionOfOthers)) EXECUTE FUNCTION likesd_beside()
            """,
        ]
    }

    /// Takes the triggers and their function away.
    package static let endBesideStatements = [
        "DROP TRIGGER IF EXISTS likesd_beside_update ON counters",
        "DROP TRIGGER IF EXISTS likesd_beside_insert ON counters",
        "DROP FUNCTION IF EXISTS likesd_beside()",
    ]
    package static let likesdVersionDefault = "ALTER TABLE counters ALTER version SET DEFAULT 1"

    // MARK: likesd's own tables

    /// What the take-over changed in the reference's tables, so that it can be taken back: for `not-null` and
    /// `default` the table and the column, for `index` its name and how it was made; for `had` the same of each index
    /// that there was. For `type`, `name` is the number of an item type that rows have, and that had no name when that
    /// was noted.
    static let createAdoption = """
        CREATE TABLE likesd_adoption (
            kind text NOT NULL CHECK (kind IN ('not-null', 'default', 'index', 'had', 'type')),
            table_name text NOT NULL,
            name text NOT NULL,
            definition text NOT NULL DEFAULT '',
            done_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (kind, table_name, name)
        )
        """

    /// Says how each of the reference's indexes and keys is made.
    package static let recordIndexes = """
        INSERT INTO likesd_adoption (kind, table_name, name, definition)
        SELECT 'had', shared.name, held.indexrelid::regclass::text, coalesce((
            SELECT 'ALTER TABLE ' || shared.name || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
                || pg_get_constraintdef(pg_constraint.oid)
            FROM pg_constraint WHERE conindid = held.indexrelid AND conrelid = held.indrelid LIMIT 1
        ), pg_get_indexdef(held.indexrelid))
        FROM (VALUES \(sharedTables.map { "('\($0)')" }.joined(separator: ", "))) AS shared (name)
        JOIN pg_index AS held ON held.indrelid = to_regclass(shared.name)
        WHERE held.indisvalid
        """

    /// Makes likesd's own tables beside the reference's, all but the version's. $owner: who they are to belong to.
    package static func adoptionStatements(owner: String) -> [String] {
        let shared = sharedTables.map { "CREATE TABLE \($0) " }
        let own = migrations.flatMap(\.statements).filter { statement in
            !isAboutVersion(statement) && !shared.contains { statement.hasPrefix($0) }
        }
        return [createAdoption] + own
            + adoptedTables.map { "ALTER TABLE \($0) OWNER TO \(owner)" }
    }

    /// The row that makes likesd use the tables comes last.
    package static func adoptionEnd(owner: String) -> [String] {
        migrations.flatMap(\.statements).filter(isAboutVersion)
            + [updateVersion(to: String(version)), "ALTER TABLE likesd_schema OWNER TO \(owner)"]
    }

    private static func isAboutVersion(_ statement: String) -> Bool {
        ["CREATE TABLE likesd_schema ", "INSERT INTO likesd_schema "].contains { statement.hasPrefix($0) }
    }

    /// Made beside the reference's two, all but the version's.
    package static var adoptedTables: [String] {
        tables.map(\.name).filter { !sharedTables.contains($0) } + ["likesd_adoption"]
    }

    /// Gives the tables back. What was changed in the shared columns is in `likesd_adoption`.
    package static var unadoptionStatements: [String] {
        endBesideStatements + ["ALTER TABLE counters DROP COLUMN IF EXISTS version"]
    }
    package static var dropOwnTables: String {
        "DROP TABLE IF EXISTS " + (["likesd_schema"] + adoptedTables).joined(separator: ", ")
    }

    // MARK: What fits

    /// Rows of (table, column, wanted type, default that is missing or null, actual type or null, whether it may be
    /// null): the columns that both share, and likesd's `version` where it is there.
    package static let selectSharedColumns = """
        SELECT wanted.name, wanted.column_name, wanted.type,
            CASE WHEN NOT present.atthasdef THEN wanted.by_default END,
            format_type(present.atttypid, present.atttypmod), NOT present.attnotnull,
            present.atttypid = wanted.type::regtype
        FROM (VALUES \(sharedColumns)) AS wanted (name, column_name, type, by_default, place)
        LEFT JOIN pg_attribute AS present
            ON present.attrelid = to_regclass(wanted.name) AND present.attname = wanted.column_name
                AND NOT present.attisdropped
        ORDER BY wanted.place
        """

    private static var sharedColumns: String {
        tables.filter { sharedTables.contains($0.name) }
            .flatMap { table in table.columns.map { (table.name, $0) } }
            .filter { $0.1.name != "version" }
            .enumerated().map { place, column in
                let byDefault = column.1.byDefault.map { "'\($0)'" } ?? "NULL"
                return "('\(column.0)', '\(column.1.name)', '\(column.1.type)', \(byDefault), \(place))"
            }.joined(separator: ", ")
    }

    /// Rows of (table, columns): the keys that are missing.
    package static let selectMissingKeys = """
        SELECT wanted.name, wanted.columns
        FROM (VALUES \(sharedKeys)) AS wanted (name, columns, sorted)
        WHERE NOT EXISTS (
            SELECT FROM pg_index AS held
            WHERE held.indrelid = to_regclass(wanted.name) AND \(isSoundKey("held", "wanted.sorted")))
        """

    /// Rows of (table, index, bytes, definition, constraint or null, whether it is unique, whether partitions have
    /// their parts of it, whether it is valid): indexes that no statement of likesd uses.
    package static let selectSpareIndexes = """
        SELECT wanted.name, held.indexrelid::regclass::text, pg_relation_size(held.indexrelid)::text,
            pg_get_indexdef(held.indexrelid),
            (SELECT quote_ident(conname) FROM pg_constraint
                WHERE conindid = held.indexrelid AND conrelid = held.indrelid LIMIT 1),
            held.indisunique, (SELECT relkind = 'I' FROM pg_class WHERE oid = held.indexrelid), held.indisvalid
        FROM (VALUES \(sharedKeys)) AS wanted (name, columns, sorted)
        JOIN pg_index AS held ON held.indrelid = to_regclass(wanted.name)
        WHERE NOT (\(isSoundKey("held", "wanted.sorted"))) AND NOT (\(isLikersIndex("held")))
        ORDER BY wanted.name DESC, pg_relation_size(held.indexrelid) DESC, 2
        """

    private static var sharedKeys: String {
        tables.filter { sharedTables.contains($0.name) }.flatMap { table in
            table.keys.map { key in
                "('\(table.name)', '\(key.joined(separator: ", "))', "
                    + "'{\(key.sorted().joined(separator: ","))}'::text[])"
            }
        }.joined(separator: ", ")
    }

    /// Whether an index is a key that `ON CONFLICT` can name. `sorted`: its columns by name.
    private static func isSoundKey(_ held: String, _ sorted: String) -> String {
        """
        \(held).indisunique AND \(held).indimmediate AND \(held).indisvalid AND \(held).indisready
            AND \(held).indpred IS NULL AND \(held).indexprs IS NULL AND ARRAY(
                SELECT attribute.attname::text
                FROM unnest(\(held).indkey) WITH ORDINALITY AS key (number, place)
                JOIN pg_attribute AS attribute
                    ON attribute.attrelid = \(held).indrelid AND attribute.attnum = key.number
                WHERE key.place <= \(held).indnkeyatts
                ORDER BY 1) = \(sorted)
        """
    }
}
