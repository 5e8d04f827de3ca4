/// `user_likes` in several tables by the hash of the user, so that each of them, and its key, is smaller.
package struct Partitions: Equatable, Sendable {
    /// Each is a table and an index that every batch opens and locks, 5 to 6 µs of the server's time: with so many a
    /// batch of one like takes 1.4 ms longer. And each connection holds locks of all: the server's table of them
    /// (`max_locks_per_transaction`) has room for some 6,400 unless told.
    package static let countMax = 256
    /// One partition is no better than none.
    package static let countMin = 2

    package let count: Int

    /// nil: out of bounds.
    package init?(_ count: Int) {
        guard (Self.countMin...Self.countMax).contains(count) else { return nil }
        self.count = count
    }

    /// Makes `user_likes` and its partitions.
    var statements: [String] {
        ["\(Schema.createUserLikes) PARTITION BY HASH (user_id)"]
            + (0..<count).map { remainder in
                "CREATE TABLE user_likes_p\(remainder) PARTITION OF user_likes "
                    + "FOR VALUES WITH (MODULUS \(count), REMAINDER \(remainder))"
            }
    }

    /// One row, one boolean: whether `user_likes` is there, with exactly these partitions.
    package var isLaidOut: String {
        """
        SELECT EXISTS (
            SELECT FROM pg_partitioned_table AS parted
            WHERE parted.partrelid = to_regclass('user_likes') AND parted.partstrat = 'h'
                AND parted.partattrs::text = (
                    SELECT attnum::text FROM pg_attribute
                    WHERE attrelid = parted.partrelid AND attname = 'user_id'))
            AND ARRAY(
                SELECT pg_get_expr(part.relpartbound, part.oid)
                FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
                WHERE inhparent = to_regclass('user_likes')
                ORDER BY 1) = ARRAY(
                SELECT format('FOR VALUES WITH (modulus \(count), remainder %s)', remainder)
                FROM generate_series(0, \(count - 1)) AS remainder
                ORDER BY 1)
        """
    }

    /// Why tables that are there already are left as they are.
    package var refusal: String {
        "user_likes is there already, and is not in \(count) partitions by the hash of user_id"
    }

    /// What to do then.
    package static let remedy =
        "leave --partitions out to go on with it, name an empty database in DATABASE_URL, or move the likes as "
        + "/usr/share/doc/likesd/operations.md says"
}

extension Schema {
    /// The steps, with `user_likes` in so many partitions where it is made.
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
