import LikesCore
import LikesStorage

/// The statements of the connection that reads, one `SELECT` each.
enum ReaderStatements {
    /// $1, $2: items and types. Returns (place from 1, count, version) of those that have a row. `OFFSET 0` keeps the
    /// look-up by key inside the loop over the items asked for, however small the table was when this was planned.
    static let counters = """
        SELECT wanted.place, found.like_count, found.version
        FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS wanted (item_id, item_type, place)
        CROSS JOIN LATERAL (
            SELECT like_count, version FROM counters
            WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
            OFFSET 0) AS found
        """

    /// $1–$3: users, items and types. Returns (place from 1, true or null, count or null, version or null) of each.
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

    /// $1–$4: users, the items and types behind which their pages begin, and the pages' sizes; $5: the types that this
    /// host knows. Returns (place from 1, type, item) of each like, by place, item and type.
    static let likes = """
        SELECT wanted.place, found.item_type, found.item_id
        FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) WITH ORDINALITY
            AS wanted (user_id, item_id, item_type, size, place)
        CROSS JOIN LATERAL (
            SELECT item_id, item_type FROM user_likes
            WHERE user_likes.user_id = wanted.user_id
                AND (user_likes.item_id, user_likes.item_type) > (wanted.item_id, wanted.item_type)
                AND user_likes.item_type = ANY ($5::smallint[])
            ORDER BY item_id, item_type
            LIMIT wanted.size) AS found
        ORDER BY wanted.place, found.item_id, found.item_type
        """

    /// $1–$4: items and types, the users behind whom their pages begin, and the pages' sizes. Returns (place from 1,
    /// true or null: whether there is an index for it, user) of each like, by place and user, and one row with a null
    /// for an item that has none. Without the index, which is optional, nothing is looked up: that would read the whole
    /// table.
    static let likers = """
        SELECT wanted.place, served.by_index, found.user_id
        FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
            AS wanted (item_id, item_type, user_id, size, place)
        CROSS JOIN (SELECT NULLIF(\(Schema.hasLikersIndex), false)) AS served (by_index)
        LEFT JOIN LATERAL (
            SELECT user_id FROM user_likes
            WHERE served.by_index AND user_likes.item_id = wanted.item_id
                AND user_likes.item_type = wanted.item_type AND user_likes.user_id > wanted.user_id
            ORDER BY user_id
            LIMIT wanted.size) AS found ON true
        ORDER BY wanted.place, found.user_id
        """

    /// $1: a lane. Returns (the end of the primary's log on disk, the lane's epoch or null). All that was acknowledged
    /// before is before that end.
    static let position = """
        SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS position,
            (SELECT epoch FROM lanes WHERE lanes.lane = $1::bigint) AS epoch
        """

    /// $1: a lane. Returns (how far the standby has replayed its primary's log, or null if it is no standby; the lane's
    /// epoch and its sign of life, each or null). A statement that begins after this one sees everything up to there.
    static let replayed = """
        SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
                AS position,
            (SELECT epoch FROM lanes WHERE lanes.lane = $1::bigint) AS epoch,
            (SELECT beat FROM likesd_hosts WHERE likesd_hosts.lane = $1::bigint) AS sign_of_life
        """

    /// $1–$3: the transaction, type and item after which to begin; $4: a transaction, 0 for none. Returns (type, item,
    /// version, transaction that noted it, …) of as many repairs as a call may have, in that order, or nulls once if
    /// there are none; and in each row the least running transaction, and true or null: whether some were noted before
    /// $4.
    ///
    /// Transaction numbers have 64 bits and no type of their own outside the server. They are read from the index in
    /// order: rows that were noted and deleted before the starting place are not passed again.
    static let repairs = """
        SELECT found.item_type, found.item_id, found.version, found.noted_by, snapshot.horizon,
            (SELECT true FROM cache_repairs AS settled WHERE settled.noted_by < $4::bigint::text::xid8 LIMIT 1)
                AS has_settled
        FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
        LEFT JOIN LATERAL (
            SELECT repair.item_type, repair.item_id, repair.version, repair.noted_by::text::bigint AS noted_by
            FROM cache_repairs AS repair
            WHERE (repair.noted_by, repair.item_type, repair.item_id)
                > ($1::bigint::text::xid8, $2::smallint, $3::bigint)
            ORDER BY repair.noted_by, repair.item_type, repair.item_id
            LIMIT \(Limits.standard.countersPerCallMax)) AS found ON true
        """
}
