/// The statements likesd prepares on its connections.
enum PreparedStatement: String {
    case commit, counters, pairs

    var text: String {
        switch self {
        case .commit: PreparedStatement.commitText
        case .counters: PreparedStatement.countersText
        case .pairs: PreparedStatement.pairsText
        }
    }

    /// $1–$3: users, items and types to like; $4–$6: to unlike; both sorted. One transaction, and no other order of
    /// locks: likes, unlikes, counters.
    ///
    /// A like waits for another transaction that inserts or deletes the same pair, an unlike for one that deletes it,
    /// and each kind is taken in one order by all: by pair, by place in the table, by item. So nobody waits for
    /// someone who waits for them. The places (ctid) come from the statement's own snapshot, and rows are never
    /// updated, so they still are those of the same rows; a row that another transaction deleted meanwhile is passed
    /// over.
    ///
    /// Items of which a pair changed are counted on by one version even when their count stays; others are not
    /// touched.
    ///
    /// Gives (user, item, type, null) of each pair that changed and (count, item, type, version) of each counter.
    private static let commitText = """
        WITH liked AS (
            INSERT INTO user_likes (user_id, item_id, item_type)
            SELECT user_id, item_id, item_type
            FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS wanted (user_id, item_id, item_type)
            ON CONFLICT DO NOTHING
            RETURNING user_id, item_id, item_type
        ), unliked AS (
            DELETE FROM user_likes
            WHERE ctid = ANY (ARRAY(
                SELECT (
                    SELECT present.ctid FROM user_likes AS present
                    WHERE present.user_id = wanted.user_id AND present.item_id = wanted.item_id
                        AND present.item_type = wanted.item_type)
                FROM unnest($4::bigint[], $5::bigint[], $6::smallint[]) AS wanted (user_id, item_id, item_type)))
            RETURNING user_id, item_id, item_type
        ), deltas AS (
            SELECT item_type, item_id, sum(change) AS delta
            FROM (
                SELECT item_type, item_id, 1 AS change FROM liked
                UNION ALL
                SELECT item_type, item_id, -1 FROM unliked) AS changes
            GROUP BY item_type, item_id
        ), counted AS (
            INSERT INTO counters AS present (item_id, item_type, like_count, version)
            SELECT item_id, item_type, delta, 1
            FROM deltas
            ORDER BY item_type, item_id
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                like_count = present.like_count + excluded.like_count,
                version = present.version + 1,
                updated_at = now()
            RETURNING like_count, item_id, item_type, version
        )
        SELECT user_id, item_id, item_type, NULL::bigint AS version FROM liked
        UNION ALL
        SELECT user_id, item_id, item_type, NULL FROM unliked
        UNION ALL
        SELECT like_count, item_id, item_type, version FROM counted
        """

    /// $1, $2: items and types. Gives (place from 1, count, version) of those that have a row. `OFFSET 0` keeps the
    /// look-up by key inside the loop over what was asked for, however small the table was when this was planned.
    private static let countersText = """
        SELECT wanted.place, found.like_count, found.version
        FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS wanted (item_id, item_type, place)
        CROSS JOIN LATERAL (
            SELECT like_count, version FROM counters
            WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
            OFFSET 0) AS found
        """

    /// $1–$3: users, items and types. Gives (place from 1, true or null, count or null, version or null) of each.
    private static let pairsText = """
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
}
