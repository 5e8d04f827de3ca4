/// `user_likes` in several tables, divided by the hash of the user, so that each table and its key is smaller.
package struct Partitions: Equatable, Sendable {
    /// Each partition is a table and an index that every batch opens and locks, 5 to 6 µs of the server's time: with
    /// this many, a batch of one like takes 1.4 ms longer. Each connection also locks all of them, and by default the
    /// server's lock table (`max_locks_per_transaction`) has room for some 6,400 locks.
    package static let countMax = 256
    /// One partition is no better than none.
    package static let countMin = 2

    package let count: Int

    /// nil: out of bounds.
    package init?(_ count: Int) {
        guard (Self.countMin...Self.countMax).contains(count) else { return nil }
        self.count = count
    }

    /// Creates `user_likes` and its partitions.
    var statements: [String] {
        ["\(Schema.createUserLikes) PARTITION BY HASH (user_id)"]
            + (0..<count).map { remainder in
                "CREATE TABLE user_likes_p\(remainder) PARTITION OF user_likes "
                    + "FOR VALUES WITH (MODULUS \(count), REMAINDER \(remainder))"
            }
    }

    /// One row, one boolean: whether `user_likes` exists with exactly these partitions.
    package var isLaidOut: String { "SELECT (\(isDivided)) AND NOT (\(Self.isIncomplete))" }

    /// One boolean: whether the partitions that exist have this layout.
    private var isDivided: String {
        """
        SELECT EXISTS (
            SELECT FROM pg_partitioned_table AS parted
            WHERE parted.partrelid = to_regclass('user_likes') AND parted.partstrat = 'h'
                AND parted.partattrs::text = (
                    SELECT attnum::text FROM pg_attribute
                    WHERE attrelid = parted.partrelid AND attname = 'user_id')
                AND NOT EXISTS (
                    SELECT FROM (\(Schema.hashParts(of: "parted.partrelid"))) AS part (modulus, remainder)
                    WHERE part.modulus <> \(count)))
        """
    }

    /// One boolean: whether some users' likes have no partition.
    package static let isIncomplete = """
        SELECT EXISTS (
            SELECT FROM pg_partitioned_table AS parted
            CROSS JOIN LATERAL (\(Schema.missingPartitions(of: "parted.partrelid"))) AS missing
            WHERE parted.partrelid = to_regclass('user_likes') AND parted.partstrat = 'h')
        """

    /// Why incomplete tables are left as they are.
    static let incompleteness = "user_likes lacks a partition"

    /// What to do then.
    static let completion = "likesctl verify says which, and what to do"

    /// Why existing tables are left as they are.
    package var refusal: String {
        "user_likes already exists without \(count) partitions by the hash of user_id"
    }

    /// What to do then.
    package static let remedy =
        "leave --partitions out to go on with it, name an empty database in DATABASE_URL, or move the likes as "
        + "/usr/share/doc/likesd/operations.md says"
}

extension Schema {
    /// Remainders of a modulus that are searched for missing ones. No sensible layout has as many.
    static let remaindersMax = 4_096

    /// Rows of (modulus, remainder): the hash partitions attached to a table. `table`: its OID, by a name that nothing
    /// in here uses.
    static func hashParts(of table: String) -> String {
        """
        SELECT bound[1], bound[2]
        FROM pg_inherits AS attached
        JOIN pg_class AS piece ON piece.oid = attached.inhrelid
        CROSS JOIN LATERAL (
            SELECT regexp_match(
                pg_get_expr(piece.relpartbound, piece.oid), 'modulus ([0-9]+), remainder ([0-9]+)')::bigint[]
        ) AS described (bound)
        WHERE attached.inhparent = \(table) AND NOT \(isBeingDetached("attached"))
        """
    }

    /// Whether a partition is detached for everybody but those who saw it before. PostgreSQL 13 has no such column.
    static func isBeingDetached(_ inherits: String) -> String {
        "coalesce((to_jsonb(\(inherits)) ->> 'inhdetachpending')::boolean, false)"
    }

    /// Rows of (modulus, remainder) that no partition attached to the table takes. No rows: the partitions take
    /// everything. The remainder is NULL if it is not among the first `remaindersMax`.
    ///
    /// Each modulus divides the next larger one, so in shares of the largest everything is a whole number.
    static func missingPartitions(of table: String) -> String {
        """
        SELECT whole.modulus, missing.remainder
        FROM (
            SELECT coalesce(max(held.modulus), 1), array_agg(held.modulus), array_agg(held.remainder)
            FROM (\(hashParts(of: table))) AS held (modulus, remainder)
        ) AS whole (modulus, moduli, remainders)
        LEFT JOIN LATERAL (
            SELECT number
            FROM generate_series(0, least(whole.modulus, \(remaindersMax)) - 1) AS number
            WHERE NOT EXISTS (
                SELECT FROM unnest(whole.moduli, whole.remainders) AS taken (modulus, remainder)
                WHERE number % taken.modulus = taken.remainder)
            LIMIT \(misfitsMax)
        ) AS missing (remainder) ON true
        WHERE coalesce((SELECT sum(whole.modulus / taken) FROM unnest(whole.moduli) AS taken), 0) < whole.modulus
        """
    }

    /// The steps. With partitions, the step that creates `user_likes` divides it.
    package static func migrations(partitions: Partitions?) -> [Migration] {
        guard let partitions else { return migrations }
        return migrations.map { migration in
            var migration = migration
            migration.statements = migration.statements.flatMap {
                $0 == createUserLikes ? partitions.statements : [$0]
            }
            return migration
        }
    }
}
