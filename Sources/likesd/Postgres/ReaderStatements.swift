import LikesCore

/// The statements of the connection that reads, one `SELECT` each.
enum ReaderStatements {
    /// $1, $2: items and types. Gives (place from 1, count, version) of those that have a row. `OFFSET 0` keeps the
    /// look-up by key inside the loop over what was asked for, however small the table was when this was planned.
    static let counters = """
        SELECT wanted.place, found.like_count, found.version
        FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS wanted (item_id, item_type, place)
        CROSS JOIN LATERAL (
            SELECT like_count, version FROM counters
            WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
            OFFSET 0) AS found
        """

    /// $1–$3: users, items and types. Gives (place from 1, true or null, count or null, version or null) of each.
    static let pairs = """
        SELECT wanted.place,
            (SELECT true FROM user_likes AS present
                WHERE present.user_id = wanted.user_id AND present.item_id = wanted.item_id
                    AND present.item_type = wanted.item_type),
            found.like_count, found.version
        FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) WITH ORDINALITY
            AS wanted (user_id, item_id, item_type, place)
        LEFT JOIN LATERAL (
            SELECT like_count, version FROM counters
            WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
            OFFSET 0) AS found ON true
        """

    /// $1, $2: type and item after which to begin. Gives (type, item, true or null) of as many repairs as a call may
    /// have, in the order of the table's key; null: the item has no counter to be set.
    static let repairs = """
        SELECT repair.item_type, repair.item_id,
            (SELECT true FROM counters
                WHERE counters.item_id = repair.item_id AND counters.item_type = repair.item_type) AS has_counter
        FROM cache_repairs AS repair
        WHERE (repair.item_type, repair.item_id) > ($1::smallint, $2::bigint)
        ORDER BY repair.item_type, repair.item_id
        LIMIT \(Limits.standard.countersPerCallMax)
        """
}
