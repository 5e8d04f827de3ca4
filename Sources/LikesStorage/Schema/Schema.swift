import LikesProtocol

/// The tables in PostgreSQL, as data: `likesctl migrate` creates them, the daemon checks their version.
package enum Schema {
    /// The version that this code needs, and the newest that it knows.
    package static let version = 4

    /// One step from the previous version. All its statements run in one transaction.
    package struct Migration: Equatable, Sendable {
        /// The version the step leads to.
        package var version: Int
        package var statements: [String]
    }

    /// No foreign key to item_types: it would look up and lock a row there for every like, and the daemon writes only
    /// numbers that it has read from there.
    static let createUserLikes = """
        CREATE TABLE user_likes (
            user_id bigint NOT NULL,
            item_id bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            item_type smallint NOT NULL,
            PRIMARY KEY (user_id, item_id, item_type)
        )
        """

    /// The steps from an empty database to `version`, in order: step n leads to version n + 1.
    package static let migrations = [
        Migration(
            version: 1,
            statements: [
                // One row. PostgreSQL itself refuses a second.
                """
                CREATE TABLE likesd_schema (
                    version integer NOT NULL CHECK (version > 0),
                    migrated_at timestamptz NOT NULL DEFAULT now(),
                    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
                )
                """,
                "INSERT INTO likesd_schema (version) VALUES (1)",
                """
                CREATE TABLE item_types (
                    id smallint PRIMARY KEY,
                    name text NOT NULL UNIQUE
                )
                """,
                "INSERT INTO item_types (id, name) VALUES (1, 'post'), (2, 'reel'), (3, 'comment')",
                createUserLikes,
                // A fifth of each page stays free, so that an update finds room beside its row and leaves the index
                // alone. There is no check on like_count: a batch proposes its negative delta as a new row, which a
                // check would refuse before PostgreSQL sees that the row exists and must be updated.
                """
                CREATE TABLE counters (
                    item_id bigint NOT NULL,
                    item_type smallint NOT NULL,
                    like_count bigint NOT NULL DEFAULT 0,
                    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
                    updated_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (item_id, item_type)
                ) WITH (fillfactor = 80)
                """,
            ]),
        Migration(
            version: 2,
            statements: [
                // One row for each process' writing connection, updated with every batch: half of each page stays free,
                // so that the index is left alone. `epoch` goes up with each fence; the first one sets it to 1.
                // `changed` has one character for each row of the last batch, in the order they were sent: '1' where
                // the table changed. The items are those that Redis may lack if the process dies now.
                """
                CREATE TABLE lanes (
                    lane bigint PRIMARY KEY,
                    epoch bigint NOT NULL DEFAULT 1 CHECK (epoch > 0),
                    batch bigint NOT NULL DEFAULT 0 CHECK (batch >= 0),
                    changed text NOT NULL DEFAULT '',
                    item_ids bigint[] NOT NULL DEFAULT '{}',
                    item_types smallint[] NOT NULL DEFAULT '{}',
                    seen_at timestamptz NOT NULL DEFAULT now(),
                    CHECK (cardinality(item_ids) = cardinality(item_types))
                ) WITH (fillfactor = 50)
                """,
                // Random numbers do not compress: trying to only slows the batch down.
                "ALTER TABLE lanes ALTER item_ids SET STORAGE EXTERNAL, ALTER item_types SET STORAGE EXTERNAL",
                // Counters that may be older in Redis than `version`. The key is the order in which pages are read and
                // rows are locked.
                """
                CREATE TABLE cache_repairs (
                    item_id bigint NOT NULL,
                    item_type smallint NOT NULL,
                    version bigint NOT NULL CHECK (version > 0),
                    PRIMARY KEY (item_type, item_id)
                )
                """,
            ]),
        Migration(
            version: 3,
            statements: [
                // One row for each lane, written every few seconds by its host. The lane's own row is written with each
                // batch, so a search there for silent hosts would pass a dead version for each batch, as long as a
                // snapshot keeps them. `generation` is the token of the data in Redis that the host uses, empty for
                // none; in a cluster, one for each node, with the beginning of the node's id. `since` is the first
                // transaction that had not begun when the newest data that the host has used was made. `beat` counts
                // its signs of life: it shows the host that the database went back to before one of them.
                """
                CREATE TABLE likesd_hosts (
                    lane bigint PRIMARY KEY,
                    generation text NOT NULL DEFAULT '',
                    since bigint NOT NULL DEFAULT 0,
                    beat bigint NOT NULL DEFAULT 0,
                    seen_at timestamptz NOT NULL DEFAULT now()
                ) WITH (fillfactor = 50)
                """,
                // The transaction that last noted the row. What was noted before Redis' data began needs no repair, and
                // a host that has read everything up to a transaction need not pass the dead rows before it again. Rows
                // from processes of the previous version are found as well.
                "INSERT INTO likesd_hosts (lane) SELECT lane FROM lanes",
                "ALTER TABLE lanes DROP seen_at",
                // The server that a batch's changes were to be written to, if there was one, and the batch's
                // transaction.
                "ALTER TABLE lanes ADD server text NOT NULL DEFAULT ''",
                "ALTER TABLE lanes ADD written_by xid8 NOT NULL DEFAULT '0'",
                "ALTER TABLE cache_repairs ADD noted_by xid8 NOT NULL DEFAULT pg_current_xact_id()",
                "CREATE INDEX cache_repairs_noted ON cache_repairs (noted_by, item_type, item_id)",
            ]),
        Migration(
            version: 4,
            statements: [
                // One row: a secret known only to the hosts of this database. With it they tell each other's counters
                // and messages in Redis from those of strangers. Two random UUIDs have 244 random bits.
                """
                CREATE TABLE likesd_secret (
                    secret text NOT NULL CHECK (secret ~ '^[0-9a-f]{32}$'),
                    made_at timestamptz NOT NULL DEFAULT now(),
                    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
                )
                """,
                insertSecret,
            ]),
    ]

    // MARK: The secret

    private static let newSecret = """
        left(encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex'), 32)
        """
    static let insertSecret = "INSERT INTO likesd_secret (secret) SELECT \(newSecret)"
    /// Replaces whatever is there. Any secret will do: hosts drop what they have cached.
    package static let renewSecret = "\(insertSecret) \(replacing)"
    /// The same as a part of a statement, if a condition holds.
    package static func renewSecret(where condition: String) -> String {
        "\(insertSecret) WHERE \(condition) \(replacing)"
    }
    private static let replacing =
        "ON CONFLICT (only_row) DO UPDATE SET secret = excluded.secret, made_at = now()"
    /// One row: the secret and the time, in seconds since 1970.
    package static let selectSeals = "SELECT secret, \(seconds) FROM likesd_secret"
    package static let secondsRange = 0...Seal.secondsMax
    package static let seconds = "floor(extract(epoch FROM clock_timestamp()))::bigint"

    // MARK: The version

    /// Held by whoever migrates until its transaction ends: hosts that migrate at the same time take turns. The number
    /// is "likesd" in ASCII.
    package static let migrationLock = "SELECT \(lockForMigrating)"
    static let lockForMigrating = "pg_advisory_xact_lock(119200029176676)"
    /// One row, one boolean: whether `selectVersion` will find its table. It raises no error, which would end the
    /// transaction.
    package static let hasVersion = "SELECT to_regclass('likesd_schema') IS NOT NULL"
    /// One boolean: whether any of likesd's tables exists, the version's or another.
    package static let hasTables =
        "SELECT "
        + (["likesd_schema"] + tables.map(\.name)).map { "to_regclass('\($0)') IS NOT NULL" }.joined(separator: " OR ")
    /// The message about tables of another version; nil: no row gives the version.
    static func versionMisfit(_ found: Int?) -> String {
        guard let found else { return "the table likesd_schema has no row" }
        return "the schema is at version \(found), this likesd \(found < version ? "needs" : "knows") \(version)"
    }

    /// One text: the schema on the search path that has the version's table but that the role may not use, so that
    /// PostgreSQL finds no table there; null if there is none.
    package static let selectBarredSchema = """
        SELECT quote_ident(namespace.nspname)
        FROM pg_class AS class
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        JOIN unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS listed (item, place)
            ON namespace.nspname = CASE btrim(item, ' "') WHEN '$user' THEN current_user ELSE btrim(item, ' "') END
        WHERE class.relname = 'likesd_schema' AND NOT has_schema_privilege(namespace.oid, 'USAGE')
        ORDER BY listed.place
        LIMIT 1
        """
    /// One row, one integer. The table is missing (SQLSTATE 42P01) if nothing was migrated.
    package static let selectVersion = "SELECT version FROM likesd_schema"
    /// $1: the version reached.
    package static let updateVersion = updateVersion(to: "$1::integer")

    static func updateVersion(to version: String) -> String {
        "UPDATE likesd_schema SET version = \(version), migrated_at = now()"
    }

    /// One row about the role that asks, for `MigrationRights`: the schema for new tables; the rights that it lacks
    /// there; the owner of `likesd_schema`, null if there is none; whether the role may do what the owner may; the
    /// rights that the owner lacks in the schema; the rights that the role lacks on `likesd_schema`, and those that
    /// it lacks on `item_types` if types are to be added (locking takes the right to update). Rights are null for none.
    package static let selectMigrationRights = """
        SELECT quote_ident(home.name), \(missing(inSchema, "has_schema_privilege(home.name, needed.privilege)")),
            quote_ident(pg_get_userbyid(class.relowner)), pg_has_role(class.relowner, 'USAGE'),
            \(missing(inSchema, "has_schema_privilege(class.relowner, home.name, needed.privilege)")),
            \(missing(onVersion, "has_table_privilege(class.oid, needed.privilege)")),
            \(missing(onTypes, "has_table_privilege(to_regclass('item_types'), needed.privilege)"))
        FROM (SELECT coalesce(current_schema(), 'public')) AS home (name)
        LEFT JOIN pg_class AS class ON class.oid = to_regclass('likesd_schema')
        """

    /// All words for rights in such a row.
    package static let grants = Set(inSchema + onVersion + onTypes)
    private static let inSchema = ["USAGE", "CREATE"]
    private static let onVersion = ["SELECT"]
    private static let onTypes = ["SELECT", "INSERT", "UPDATE"]

    /// The rights that do not hold, as GRANT takes them.
    private static func missing(_ rights: [String], _ holds: String) -> String {
        """
        (SELECT string_agg(needed.privilege, ', ' ORDER BY needed.place)
            FROM unnest(ARRAY[\(rights.map { "'\($0)'" }.joined(separator: ", "))])
                WITH ORDINALITY AS needed (privilege, place)
            WHERE NOT \(holds))
        """
    }

    // MARK: Item types

    /// Rows of (id smallint, name text).
    package static let selectItemTypes = "SELECT id, name FROM item_types"
    /// Runs before `addItemTypes`, in the same transaction and as its own statement, so that the next statement's
    /// snapshot contains what another host added while this one waited. It does not block readers.
    package static let lockItemTypes = "LOCK TABLE item_types IN SHARE ROW EXCLUSIVE MODE"
    /// $1 text[]: the configured types in their order; $2 smallint[]: the number that each is known to have had, null
    /// for none. A missing type gets that number back unless another type has it by now; otherwise it gets the next
    /// one. Returns rows of (id, name) added. If no type is left at all, none is added: whoever fills the table again
    /// would find its numbers taken.
    package static let addItemTypes = addItemTypes("$1", numbers: "$2")

    /// Arrays of names, and of as many unknown numbers, without quotes: the characters of a type's name need none.
    package static func array(of types: ItemTypes) -> String { "{" + types.names.joined(separator: ",") + "}" }
    package static let noNumbers = "{}"

    /// `names` and `numbers`: parameters, or literals in quotes.
    static func addItemTypes(_ names: String, numbers: String) -> String {
        """
        WITH missing AS (
            SELECT wanted.name, wanted.place, CASE WHEN NOT EXISTS (
                SELECT FROM item_types AS other WHERE other.id = wanted.number) THEN wanted.number END AS number
            FROM unnest(\(names)::text[], \(numbers)::smallint[]) WITH ORDINALITY AS wanted (name, number, place)
            WHERE NOT EXISTS (SELECT FROM item_types AS known WHERE known.name = wanted.name)
        )
        INSERT INTO item_types (id, name)
        SELECT coalesce(number, greatest(
                (SELECT max(id) FROM item_types), (SELECT max(number) FROM missing)
            ) + row_number() OVER (PARTITION BY number IS NULL ORDER BY place))::smallint, name
        FROM missing
        WHERE EXISTS (SELECT FROM item_types)
        ORDER BY place
        RETURNING id, name
        """
    }
}
