/// The statements of the audit. Each is a transaction of its own.
enum AuditStatements {
    /// Held by whoever repairs, for as long as its connection lives: two that mend the same difference would mend
    /// it twice. The number is migrate's lock plus one.
    static let lock = "SELECT pg_try_advisory_lock(119200029176677)"

    /// Whatever the server's setting, corrections are durable, and, if the server says so, on its standbys too.
    static let commitDurably = """
        SELECT set_config(
            'synchronous_commit',
            CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
            false)
        """

    /// One row: a number for where `user_likes` is stored; how many tables it has, and the pages of the largest and of
    /// all; roughly how many rows there are (negative: unknown); and the same for `counters`.
    ///
    /// The first number changes when one of its tables is rewritten, removed or added. The row that attaches a
    /// partition is a new row each time (xmin).
    static let facts = """
        WITH tables (name, oid) AS (
            SELECT root.name, coalesce(tree.relid, root.name)
            FROM (VALUES ('user_likes'::regclass), ('counters'::regclass)) AS root (name)
            LEFT JOIN LATERAL pg_partition_tree(root.name) AS tree ON true
        ), parts AS (
            SELECT name, reltuples, pg_relation_size(oid) / current_setting('block_size')::bigint AS pages
            FROM tables JOIN pg_class USING (oid)
            WHERE relkind = 'r'
        ), likes AS (
            SELECT count(*) AS tables, coalesce(max(pages), 0)::bigint AS pages_max,
                coalesce(sum(pages), 0)::bigint AS pages,
                (CASE WHEN bool_or(reltuples < 0) THEN -1 ELSE coalesce(sum(reltuples), 0) END)::bigint AS likes
            FROM parts WHERE name = 'user_likes'::regclass
        )
        SELECT (
                SELECT hashtextextended(
                    string_agg(
                        format('%s %s %s', oid::oid, pg_relation_filenode(oid), (
                            SELECT xmin FROM pg_inherits WHERE inhrelid = oid LIMIT 1)), ',' ORDER BY oid::oid), 0)
                FROM tables WHERE name = 'user_likes'::regclass),
            likes.*, (
                SELECT (CASE WHEN bool_or(reltuples < 0) THEN -1 ELSE coalesce(sum(reltuples), 0) END)::bigint
                FROM parts WHERE name = 'counters'::regclass)
        FROM likes
        """

    /// $1, $2: the item to begin after; $3, $4: the last item; $5: rows. Returns (item, type, count, version) in order.
    static let counters = """
        SELECT item_id, item_type, like_count, version
        FROM counters
        WHERE (item_id, item_type) > ($1::bigint, $2::smallint)
            AND (item_id, item_type) <= ($3::bigint, $4::smallint)
        ORDER BY item_id, item_type
        LIMIT $5::bigint
        """

    /// $1, $2: items and types. Returns (item, type, count, version) of those that have a row, in any order.
    static let states = """
        SELECT wanted.item_id, wanted.item_type, present.like_count, present.version
        FROM unnest($1::bigint[], $2::smallint[]) AS wanted (item_id, item_type)
        CROSS JOIN LATERAL (
            SELECT like_count, version FROM counters
            WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
            OFFSET 0) AS present
        """

    /// $1, $2: the first place in each of the tables, and the one after the last; $3, $4: the item to begin after; $5,
    /// $6: the last item; $7: types, empty for all. Returns (item, type, likes) for the likes in these places.
    static let likesOfRange = """
        SELECT item_id, item_type, count(*)
        FROM user_likes
        WHERE ctid >= $1::tid AND ctid < $2::tid
            AND (item_id, item_type) > ($3::bigint, $4::smallint)
            AND (item_id, item_type) <= ($5::bigint, $6::smallint)
            AND ($7::smallint[] = '{}' OR item_type = ANY ($7::smallint[]))
        GROUP BY item_id, item_type
        """

    /// $1, $2: as above; $3: ids of items, of any type.
    static let likesOfItems = """
        SELECT item_id, item_type, count(*)
        FROM user_likes
        WHERE ctid >= $1::tid AND ctid < $2::tid AND item_id = ANY ($3::bigint[])
        GROUP BY item_id, item_type
        """

    /// $1, $2: items and types. Returns (item, type, count or null, version or null, likes) of each, all from one
    /// moment.
    static let decide = """
        SELECT wanted.item_id, wanted.item_type, present.like_count, present.version, coalesce(counted.likes, 0)
        FROM unnest($1::bigint[], $2::smallint[]) AS wanted (item_id, item_type)
        LEFT JOIN counters AS present USING (item_id, item_type)
        LEFT JOIN (
            SELECT item_id, item_type, count(*) AS likes
            FROM user_likes
            WHERE item_id = ANY ($1::bigint[])
            GROUP BY item_id, item_type) AS counted USING (item_id, item_type)
        """

    /// $1: percent of the pages to draw from; $2: types, empty for all; $3: how many. Returns distinct items that have
    /// likes.
    static let drawFromLikes = """
        SELECT item_id, item_type
        FROM (
            SELECT DISTINCT item_id, item_type
            FROM user_likes TABLESAMPLE SYSTEM ($1::real)
            WHERE $2::smallint[] = '{}' OR item_type = ANY ($2::smallint[])) AS found
        ORDER BY random()
        LIMIT $3::bigint
        """

    /// The same for items that have a counter.
    static let drawFromCounters = """
        SELECT item_id, item_type
        FROM counters TABLESAMPLE SYSTEM ($1::real)
        WHERE $2::smallint[] = '{}' OR item_type = ANY ($2::smallint[])
        ORDER BY random()
        LIMIT $3::bigint
        """

    /// $1: into how many parts users are divided; $2: which part; $3: types, empty for all; $4–$6: the pair to begin
    /// after; $7: how many pairs; $8: how many places of each. Returns, as text, user, item, type, how often the pair
    /// is stored, and as arrays the tables, places and times of all but the oldest.
    static let standingTwice = """
        SELECT user_id, item_id, item_type, count(*),
            (array_agg(tableoid ORDER BY created_at, tableoid, ctid))[2:1 + $8::integer],
            (array_agg(ctid ORDER BY created_at, tableoid, ctid))[2:1 + $8::integer],
            (array_agg(created_at ORDER BY created_at, tableoid, ctid))[2:1 + $8::integer]
        FROM user_likes
        WHERE abs(hashint8(user_id)::bigint) % $1::bigint = $2::bigint
            AND ($3::smallint[] = '{}' OR item_type = ANY ($3::smallint[]))
            AND (user_id, item_id, item_type) > ($4::bigint, $5::bigint, $6::smallint)
        GROUP BY user_id, item_id, item_type
        HAVING count(*) > 1
        ORDER BY user_id, item_id, item_type
        LIMIT $7::bigint
        """

    /// $1–$3: a pair; $4–$6: tables, places and times of its surplus likes. Returns one row: how many were removed.
    ///
    /// The counter goes down by as many, as with a batch of unlikes: whether it had counted them shows afterwards. The
    /// oldest stays, unless somebody removes it meanwhile. A like that has been stored in such a place since has
    /// another time.
    static let removeCopies = """
        WITH gone AS (
            DELETE FROM user_likes AS present
            USING unnest($4::oid[], $5::tid[], $6::timestamptz[]) AS extra (part, place, created_at)
            WHERE present.ctid = extra.place AND present.tableoid = extra.part
                AND present.created_at = extra.created_at
                AND (present.user_id, present.item_id, present.item_type) = ($1::bigint, $2::bigint, $3::smallint)
            RETURNING present.item_id
        ), counted AS (
            INSERT INTO counters AS present (item_id, item_type, like_count, version)
            SELECT $2, $3, -count(*), CASE WHEN EXISTS (
                    SELECT FROM counters WHERE item_id = $2 AND item_type = $3)
                THEN 1 ELSE (extract(epoch FROM now()) * 1000)::bigint END
            FROM gone
            HAVING count(*) > 0
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                like_count = present.like_count + excluded.like_count,
                version = greatest(present.version + 1, excluded.version),
                updated_at = now()
            RETURNING item_id, item_type, version
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_id, item_type, version)
            SELECT item_id, item_type, version FROM counted
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        )
        SELECT count(*) FROM gone
        """

    /// $1, $2: items and types; $3: what to add to each; $4, $5: the count and version when that was found, null if
    /// there was no counter. Returns (item, type) of those mended.
    ///
    /// It adds to the counter as a batch of likes would, by the same order of locks, so it can run beside any batch. A
    /// counter that has the same version as before but another count was corrected manually: it is left alone, as is
    /// one whose row is gone.
    ///
    /// A missing row may have been lost, and hosts may hold its last version. So the new row's version is the time in
    /// milliseconds, which no number of transactions reaches: it is newer than whatever they hold. No host can hold, or
    /// set, an item with a negative id.
    static let mend = """
        WITH wanted AS (
            SELECT *
            FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
                AS wanted (item_id, item_type, delta, seen_count, seen_version)
        ), held AS (
            SELECT present.item_id, present.item_type, present.like_count, present.version
            FROM counters AS present JOIN wanted USING (item_id, item_type)
            ORDER BY present.item_type, present.item_id
            FOR UPDATE OF present
        ), mended AS (
            INSERT INTO counters AS present (item_id, item_type, like_count, version)
            SELECT item_id, item_type, delta,
                CASE WHEN seen_version IS NULL THEN (extract(epoch FROM now()) * 1000)::bigint ELSE 1 END
            FROM wanted LEFT JOIN held USING (item_id, item_type)
            WHERE (seen_version IS NULL OR held.version IS NOT NULL)
                AND (held.version IS DISTINCT FROM seen_version OR held.like_count IS NOT DISTINCT FROM seen_count)
            ORDER BY item_type, item_id
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                like_count = present.like_count + excluded.like_count,
                version = greatest(present.version + 1, excluded.version),
                updated_at = now()
            RETURNING item_id, item_type, version
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_id, item_type, version)
            SELECT item_id, item_type, version FROM mended WHERE item_id >= 0 ORDER BY item_type, item_id
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        )
        SELECT item_id, item_type FROM mended
        """

    /// $1, $2: items and types; $3: versions that hosts may hold. Raises the items' versions above those, so that the
    /// hosts accept what PostgreSQL says, and lets every host set them in Redis again. A version beyond the time in
    /// milliseconds cannot be likesd's, and following it could leave no room for further ones.
    ///
    /// It adds nothing to the counts, and can run beside any batch, as `mend` can.
    static let renew = """
        WITH renewed AS (
            INSERT INTO counters AS present (item_id, item_type, like_count, version)
            SELECT item_id, item_type, 0, least(held, (extract(epoch FROM now()) * 1000)::bigint) + 1
            FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS wanted (item_id, item_type, held)
            ORDER BY item_type, item_id
            ON CONFLICT (item_id, item_type) DO UPDATE SET
                version = greatest(present.version + 1, excluded.version),
                updated_at = now()
            RETURNING item_id, item_type, version
        )
        INSERT INTO cache_repairs AS present (item_id, item_type, version)
        SELECT item_id, item_type, version FROM renewed ORDER BY item_type, item_id
        ON CONFLICT (item_id, item_type) DO UPDATE SET
            version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        """

    /// $1, $2: items and types. Returns those that hosts are about to set in Redis again.
    static let noted = """
        SELECT item_id, item_type
        FROM cache_repairs
        JOIN unnest($1::bigint[], $2::smallint[]) AS wanted (item_id, item_type) USING (item_id, item_type)
        """
}
