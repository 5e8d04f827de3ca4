/// The statements of `likesctl forget` and `likesctl remove`. Each is a transaction of its own.
enum RemovalStatements {
    /// As on the lane: rows are looked up by key, in a loop over what is wanted, so in the order of every batch.
    static let planLikeABatch = """
        SELECT set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),
            set_config('enable_bitmapscan', 'off', false), set_config('enable_hashjoin', 'off', false),
            set_config('enable_mergejoin', 'off', false)
        """

    /// $1: the user; $2, $3: the item after which to begin; $4: how many. Returns (user, item, type) in the order in
    /// which batches lock them.
    ///
    /// A page begins behind the one before: from the beginning it would pass all likes that are gone already, which
    /// stay in the index while any transaction might see them.
    static let likesOfUser = """
        SELECT user_id, item_id, item_type FROM user_likes
        WHERE user_id = $1::bigint AND (item_id, item_type) > ($2::bigint, $3::smallint)
        ORDER BY item_id, item_type LIMIT $4::bigint
        """

    /// $1, $2: the item; $3: the user after whom to begin; $4: how many. The same, by the optional index.
    static let likersOfItem = """
        SELECT user_id, item_id, item_type FROM user_likes
        WHERE item_id = $1::bigint AND item_type = $2::smallint AND user_id > $3::bigint
        ORDER BY user_id LIMIT $4::bigint
        """

    /// $1, $2: the first place in each of the tables, and the one after the last; $3, $4: the item.
    static let likersInPages = """
        SELECT user_id, item_id, item_type FROM user_likes
        WHERE ctid >= $1::tid AND ctid < $2::tid AND item_id = $3::bigint AND item_type = $4::smallint
        ORDER BY user_id
        """

    static let countOfUser = "SELECT count(*) FROM user_likes WHERE user_id = $1::bigint"
    static let countOfItem = "SELECT count(*) FROM user_likes WHERE item_id = $1::bigint AND item_type = $2::smallint"

    /// $1–$3: users, items and types, sorted. The part of a batch that unlikes: what each of the others locks, it locks
    /// in the same order. Hosts are told of what changed. Returns how many likes were there.
    static let unlike = """
        WITH unliked AS (
            DELETE FROM user_likes AS present
            USING unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS wanted (user_id, item_id, item_type)
            WHERE present.user_id = ANY (ARRAY[wanted.user_id])
                AND present.item_id BETWEEN wanted.item_id AND wanted.item_id
                AND present.item_type BETWEEN wanted.item_type AND wanted.item_type
            RETURNING present.item_id, present.item_type
        ), deltas AS (
            SELECT item_type, item_id, -count(*) AS delta FROM unliked GROUP BY item_type, item_id
        ), counted AS (
            INSERT INTO counters AS present (item_id, item_type, like_count, version)
            SELECT item_id, item_type, delta, 1 FROM deltas ORDER BY item_type, item_id
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                like_count = present.like_count + excluded.like_count,
                version = present.version + 1,
                updated_at = now()
            RETURNING item_id, item_type, version
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_type, item_id, version)
            SELECT item_type, item_id, version FROM counted ORDER BY item_type, item_id
            ON CONFLICT (item_type, item_id) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        )
        SELECT count(*) FROM unliked
        """
}
