/// The optional index by which LIKERS, and `likesctl remove`, find the users who like an item.
extension Schema {
    /// The index of `user_likes`; those of its partitions are named alike.
    package static let likersIndexName = "user_likes\(likersSuffix)"
    private static let likersSuffix = "_by_item"
    private static let likersColumns = ["item_id", "item_type", "user_id"]
    private static let likersKey = "(\(likersColumns.joined(separator: ", ")))"

    /// A boolean, within a statement: whether a whole and valid index has these columns first, in this order.
    package static let hasLikersIndex = """
        EXISTS (
            SELECT FROM pg_index AS held
            WHERE held.indrelid = to_regclass('user_likes') AND held.indisvalid AND held.indisready
                AND \(isLikersIndex("held")))
        """

    /// A boolean: whether an index, valid or not, is that one.
    static func isLikersIndex(_ held: String) -> String {
        """
        \(held).indpred IS NULL AND \(held).indnkeyatts >= \(likersColumns.count)
                AND ARRAY(
                    SELECT attribute.attname::text
                    FROM unnest(\(held).indkey) WITH ORDINALITY AS key (number, place)
                    JOIN pg_attribute AS attribute
                        ON attribute.attrelid = \(held).indrelid AND attribute.attnum = key.number
                    WHERE key.place <= \(likersColumns.count)
                    ORDER BY key.place) = '{\(likersColumns.joined(separator: ","))}'::text[]
        """
    }
    /// One boolean.
    package static let selectHasLikersIndex = "SELECT \(hasLikersIndex)"

    /// One boolean: whether this session, and no other, makes the index now. It does not wait: a statement that waits
    /// keeps a snapshot, for which whoever makes the index would wait in turn.
    package static let takeLikersLock = "SELECT pg_try_advisory_lock(119200029176679)"
    package static let releaseLikersLock = "SELECT pg_advisory_unlock(119200029176679)"

    /// Rows of (table, name of its index, the same with its schema, whether there is an index of that name, whether
    /// that is valid, whether something else has that name, whether other tables hold the table's rows), as SQL takes
    /// the names. Tables with rows come first.
    package static let selectLikersIndexes = """
        SELECT class.oid::regclass::text, quote_ident(wanted.name), wanted.full_name, held.indexrelid IS NOT NULL,
            coalesce(held.indisvalid, false),
            to_regclass(wanted.full_name) IS NOT NULL
                AND (held.indexrelid IS NULL OR held.indrelid <> class.oid OR NOT (\(isLikersIndex("held")))),
            class.relkind = 'p'
        FROM (
            SELECT to_regclass('user_likes')::oid
            UNION SELECT relid::oid FROM pg_partition_tree(to_regclass('user_likes'))) AS tree (oid)
        JOIN pg_class AS class ON class.oid = tree.oid
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        CROSS JOIN LATERAL (SELECT left(class.relname, 50) || '\(likersSuffix)') AS short (name)
        CROSS JOIN LATERAL (
            SELECT short.name, quote_ident(namespace.nspname) || '.' || quote_ident(short.name)
        ) AS wanted (name, full_name)
        LEFT JOIN pg_index AS held ON held.indexrelid = to_regclass(wanted.full_name)
        ORDER BY class.relkind = 'p', class.oid
        """

    /// Outside of a transaction: it waits for transactions that write, and none waits for it.
    package static func createLikersIndex(_ name: String, on table: String) -> String {
        "CREATE INDEX CONCURRENTLY \(name) ON \(table) \(likersKey)"
    }

    /// For a table whose rows others hold: valid once theirs are attached.
    package static func createLikersIndexOfParts(_ name: String, on table: String) -> String {
        "CREATE INDEX \(name) ON ONLY \(table) \(likersKey)"
    }

    package static func attachLikersIndex(_ part: String, to whole: String) -> String {
        "ALTER INDEX \(whole) ATTACH PARTITION \(part)"
    }

    package static func dropLikersIndex(_ name: String) -> String { "DROP INDEX CONCURRENTLY \(name)" }
}
