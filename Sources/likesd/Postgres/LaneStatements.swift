import LikesCore
import LikesStorage

/// The statements of the connection that writes: each is one transaction, in READ COMMITTED.
///
/// All of them lock in one order, so that nobody waits for someone who waits for them: the host's row, the lane's row,
/// likes, unlikes, counters, repairs; rows of one kind in the order of their keys. PostgreSQL runs a writing `WITH`
/// when it is first read, and those that nobody reads at the end: the order follows from who reads whom.
enum LaneStatements {
    /// $1: the lane; $2: its former number, or a number that no lane has. Returns (epoch, batch, changed) of the lane.
    /// It waits for a transaction that an earlier connection of the lane left in the server; one that comes later finds
    /// another epoch, or no row, and does nothing. It is not a sign of life: it does not say which data the host uses,
    /// and a survey follows.
    static let fence = """
        WITH former_host AS (
            DELETE FROM likesd_hosts WHERE lane = $2::bigint RETURNING generation, since, seen_at
        ), host AS (
            INSERT INTO likesd_hosts (lane, generation, since, seen_at)
            SELECT $1::bigint, coalesce(former_host.generation, ''), coalesce(former_host.since, 0),
                coalesce(former_host.seen_at, now())
            FROM (VALUES (true)) AS this (host) LEFT JOIN former_host ON true
            ON CONFLICT (lane) DO NOTHING
        ), former AS (
            DELETE FROM lanes WHERE lane = $2 RETURNING item_ids, item_types, server, written_by
        )
        INSERT INTO lanes (lane, item_ids, item_types, server, written_by)
        SELECT $1, coalesce(former.item_ids, '{}'), coalesce(former.item_types, '{}'), coalesce(former.server, ''),
            coalesce(former.written_by, '0')
        FROM (VALUES (true)) AS this (lane) LEFT JOIN former ON true
        ON CONFLICT (lane) DO UPDATE SET epoch = lanes.epoch + 1
        RETURNING epoch, batch, changed
        """

    /// $1–$3: users, items and types to like; $4–$6: to unlike; both sorted. $7–$9: lane, epoch and number of the
    /// batch. $10, $11: items and types of the journal. $12: whether to note all that changed as repairs; $14, $15:
    /// items and types of those that are to be noted. $13: the servers of Redis that it is to be written to, separated
    /// by commas, empty for none.
    ///
    /// A like waits for another transaction that inserts or deletes the same pair, an unlike for one that deletes it.
    /// All batches take each kind in one order: likes and unlikes by pair, counters by item. A row that another
    /// transaction has deleted meanwhile is skipped. Rows are found by key, which is right in a partitioned table too:
    /// a place (ctid) is valid in one partition only.
    ///
    /// Unlikes are locked in the order of the loop over the wanted pairs, so no plan may reverse the join, and the
    /// target of a DELETE cannot stand in a `LATERAL`. With `=` the planner would reverse it: if it takes the table for
    /// tiny, it reads a whole index in the order of a merge join, although those are off. No merge join can use the
    /// conditions below, so with `enable_seqscan` off a look-up from inside the loop is the only way into the table.
    /// They are as good: `= ANY` of an array of one finds the place in the key, and the one partition, and each range
    /// holds one value. (Before PostgreSQL 17, `= ANY` of a further column would be filtered instead of looked up.)
    ///
    /// The conflict target is named, so that without the key there is an error rather than a second row.
    ///
    /// The version of an item goes up by one if one of its pairs changed, even if its count stays. Other items are not
    /// touched.
    ///
    /// What changed is stored with the lane and returned as one character for each pair, likes first, which is less to
    /// send than the pairs. `IN` over the written rows is a look-up in a hash table, whatever joins are allowed.
    ///
    /// Returns (count, item, type, version, null) of each counter and (nulls, changed) once. No row at all: the lane
    /// belongs to another process.
    static let commit = """
        WITH fence AS (
            SELECT FROM lanes WHERE lane = $7::bigint AND epoch = $8::bigint FOR UPDATE
        ), liked AS (
            INSERT INTO user_likes (user_id, item_id, item_type)
            SELECT user_id, item_id, item_type
            FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS wanted (user_id, item_id, item_type)
            WHERE EXISTS (SELECT FROM fence)
            ON CONFLICT (user_id, item_id, item_type) DO NOTHING
            RETURNING user_id, item_id, item_type
        ), unliked AS (
            DELETE FROM user_likes AS present
            USING unnest($4::bigint[], $5::bigint[], $6::smallint[]) AS wanted (user_id, item_id, item_type)
            WHERE EXISTS (SELECT FROM fence)
                AND present.user_id = ANY (ARRAY[wanted.user_id])
                AND present.item_id BETWEEN wanted.item_id AND wanted.item_id
                AND present.item_type BETWEEN wanted.item_type AND wanted.item_type
            RETURNING present.user_id, present.item_id, present.item_type
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
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_type, item_id, version)
            SELECT item_type, item_id, version
            FROM counted
            WHERE $12::boolean OR (item_id, item_type) IN (
                SELECT item_id, item_type FROM unnest($14::bigint[], $15::smallint[]) AS cut (item_id, item_type))
            ORDER BY item_type, item_id
            ON CONFLICT (item_type, item_id) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        ), kept AS (
            UPDATE lanes SET
                batch = $9::bigint,
                changed = array_to_string(ARRAY(
                    SELECT CASE WHEN (user_id, item_id, item_type) IN (
                        SELECT user_id, item_id, item_type FROM liked) THEN '1' ELSE '0' END
                    FROM unnest($1, $2, $3) WITH ORDINALITY AS wanted (user_id, item_id, item_type, place)
                    ORDER BY place), '') || array_to_string(ARRAY(
                    SELECT CASE WHEN (user_id, item_id, item_type) IN (
                        SELECT user_id, item_id, item_type FROM unliked) THEN '1' ELSE '0' END
                    FROM unnest($4, $5, $6) WITH ORDINALITY AS wanted (user_id, item_id, item_type, place)
                    ORDER BY place), ''),
                item_ids = $10::bigint[],
                item_types = $11::smallint[],
                server = CASE $13::text WHEN '' THEN server ELSE $13 END,
                written_by = CASE $13 WHEN '' THEN written_by ELSE pg_current_xact_id() END
            WHERE lane = $7 AND epoch = $8
            RETURNING changed
        )
        SELECT like_count, item_id, item_type, version, NULL AS changed FROM counted
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, changed FROM kept
        """

    /// $1, $2: lane and epoch. $3, $4: items and types to note as repairs. $5–$8: items, types and versions that Redis
    /// has, and the transactions that noted them; those rows can go. $9, $10: items and types of the journal. $11, $12:
    /// repairs noted by transactions from the first up to, but not including, the second are not needed. Returns one
    /// row (1, the transaction up to which those were deleted, or null when all are). No row: the lane belongs to
    /// another process.
    ///
    /// A repair that is noted and done at the same time stays. Rows that others have locked are skipped: they are found
    /// again. Both deletions read what was noted, so until then nothing is locked that somebody may wait for.
    static let tend = """
        WITH fence AS (
            SELECT FROM lanes WHERE lane = $1::bigint AND epoch = $2::bigint FOR UPDATE
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_type, item_id, version)
            SELECT DISTINCT wanted.item_type, wanted.item_id, found.version
            FROM unnest($3::bigint[], $4::smallint[]) AS wanted (item_id, item_type)
            CROSS JOIN LATERAL (
                SELECT version FROM counters
                WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
                OFFSET 0) AS found
            WHERE EXISTS (SELECT FROM fence)
            ORDER BY 1, 2
            ON CONFLICT (item_type, item_id) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
            RETURNING item_type, item_id
        ), done AS (
            DELETE FROM cache_repairs
            WHERE ctid = ANY (ARRAY(
                SELECT found.place
                FROM unnest($5::bigint[], $6::smallint[], $7::bigint[], $8::bigint[])
                    AS mended (item_id, item_type, version, noted_by)
                CROSS JOIN LATERAL (
                    SELECT present.ctid AS place FROM cache_repairs AS present
                    WHERE present.item_type = mended.item_type AND present.item_id = mended.item_id
                        AND (present.version <= mended.version
                            OR present.noted_by = mended.noted_by::text::xid8)
                    FOR UPDATE SKIP LOCKED) AS found
                WHERE EXISTS (SELECT FROM fence)
                    AND (mended.item_type, mended.item_id) NOT IN (SELECT item_type, item_id FROM noted)))
        ), settled AS (
            DELETE FROM cache_repairs
            WHERE ctid = ANY (ARRAY(
                SELECT present.ctid FROM cache_repairs AS present
                WHERE present.noted_by >= $11::bigint::text::xid8 AND present.noted_by < $12::bigint::text::xid8
                    AND EXISTS (SELECT FROM fence)
                    AND (present.item_type, present.item_id) NOT IN (SELECT item_type, item_id FROM noted)
                ORDER BY present.noted_by
                LIMIT \(Limits.standard.tendItemsMax)
                FOR UPDATE SKIP LOCKED))
            RETURNING noted_by::text::bigint AS noted_by
        ), kept AS (
            UPDATE lanes SET item_ids = $9::bigint[], item_types = $10::smallint[]
            WHERE lane = $1 AND epoch = $2
            RETURNING lane
        )
        SELECT count(*),
            (SELECT CASE WHEN count(*) >= \(Limits.standard.tendItemsMax) THEN max(noted_by) END
                FROM settled) AS settled_up_to
        FROM fence
        HAVING count(*) > 0
        """

    /// $1: the lane; $2: the tokens of the data in Redis that its host uses, in order and separated by commas, empty
    /// for none; $3: the servers that have it, separated by commas; $4, $7, $8: from that data's snapshot the least
    /// running transaction, the next one, and all running ones; $5: the number of this sign of life; $6: transactions
    /// before this one had begun when any of the data was made. It records the sign of life. It fences lanes of silent
    /// hosts with a journal, no more than fit well into the statement's time, and notes the items of their journals as
    /// repairs. It forgets hosts long gone, with their lanes. Rows that others have locked are skipped: they are found
    /// again.
    ///
    /// So is a lane that committed between this statement's snapshot and the lock on it, which shows in `batch`: the
    /// counters read here would be those from before that batch.
    ///
    /// A late sign of life, from a connection that was given up, does not count: it describes the past. A transaction
    /// number from the future belongs to a past that is over, and is not kept.
    ///
    /// If another living host writes to another server, that is a dispute, or that host finds its own row when it comes
    /// to this one. Lanes are looked up by key: as in a batch, at most the dead versions of one lane are passed.
    ///
    /// Returns one row: how many lanes were fenced; the database's system identifier, timeline, database and tables;
    /// the transactions that have ended; what other living hosts use, as in `AGE/LANE,AGE/LANE@TOKEN,TOKEN` and
    /// separated by spaces, with the milliseconds since the latest sign of life of some; the greatest $6 of any host;
    /// transactions that were to be written to servers not among $3 and had not ended by that snapshot, as in
    /// `TRANSACTION@SERVER,SERVER` and separated by spaces; the previous sign of life, -1 for none; the item types, as
    /// in `post=1`, separated by spaces; the secret, empty for none; and the time, in seconds since 1970. Of hosts and
    /// transactions it leaves out those beyond `EdgeLimits.surveyListBytesMax`.
    static let survey = """
        WITH host AS (
            INSERT INTO likesd_hosts AS present (lane, generation, since, beat)
            SELECT $1::bigint, $2::text,
                CASE WHEN $6::bigint <= pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN $6 ELSE 0 END,
                $5::bigint
            ON CONFLICT (lane) DO UPDATE SET
                generation = excluded.generation, since = greatest(present.since, excluded.since),
                beat = excluded.beat, seen_at = now()
            WHERE present.beat < excluded.beat
        ), silent AS (
            SELECT found.lane, found.batch, found.item_ids, found.item_types
            FROM likesd_hosts AS other
            CROSS JOIN LATERAL (
                SELECT lane, batch, item_ids, item_types FROM lanes
                WHERE lanes.lane = other.lane AND cardinality(item_ids) > 0
                FOR UPDATE SKIP LOCKED) AS found
            WHERE other.lane <> $1 AND other.seen_at < now() - interval '\(EdgeLimits.hostSilentSeconds) s'
            LIMIT \(Limits.standard.lanesPerSurvey)
        ), fenced AS (
            UPDATE lanes SET epoch = lanes.epoch + 1, item_ids = '{}', item_types = '{}'
            FROM silent
            WHERE lanes.lane = silent.lane AND lanes.batch = silent.batch
            RETURNING silent.item_ids, silent.item_types
        ), noted AS (
            INSERT INTO cache_repairs AS present (item_type, item_id, version)
            SELECT DISTINCT wanted.item_type, wanted.item_id, found.version
            FROM fenced
            CROSS JOIN LATERAL unnest(fenced.item_ids, fenced.item_types) AS wanted (item_id, item_type)
            CROSS JOIN LATERAL (
                SELECT version FROM counters
                WHERE counters.item_id = wanted.item_id AND counters.item_type = wanted.item_type
                OFFSET 0) AS found
            ORDER BY 1, 2
            ON CONFLICT (item_type, item_id) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        ), gone AS (
            SELECT lane FROM likesd_hosts AS other
            WHERE lane <> $1 AND seen_at < now() - interval '\(EdgeLimits.hostForgottenSeconds) s'
                AND NOT EXISTS (
                    SELECT FROM lanes WHERE lanes.lane = other.lane AND cardinality(item_ids) > 0 OFFSET 0)
            FOR UPDATE SKIP LOCKED
        ), forgotten AS (
            DELETE FROM likesd_hosts WHERE lane = ANY (ARRAY(SELECT lane FROM gone))
        ), forgotten_lanes AS (
            DELETE FROM lanes WHERE lane = ANY (ARRAY(SELECT lane FROM gone)) AND cardinality(item_ids) = 0
        ), others AS (
            SELECT generation, max(seen_at) AS seen_at, array_to_string(
                (array_agg(floor(extract(epoch FROM now() - seen_at) * 1000) || '/' || lane
                    ORDER BY lane))[:\(Limits.hostsPerToken)], ',') AS signs
            FROM likesd_hosts
            WHERE lane <> $1 AND generation <> '' AND seen_at <= now()
                AND seen_at >= now() - interval '\(EdgeLimits.hostSilentSeconds) s'
            GROUP BY generation
            ORDER BY max(seen_at) DESC
            LIMIT \(Limits.tokensPerSurvey)
        ), strays AS (
            SELECT other.lane = $1 AS is_own, found.written_by, compared.unknown, compared.lacking
            FROM likesd_hosts AS other
            CROSS JOIN LATERAL (
                SELECT written_by, string_to_array(server, ',') AS servers FROM lanes
                WHERE lanes.lane = other.lane AND server <> ''
                    AND NOT string_to_array(server, ',') <@ string_to_array($3, ',')
                    AND written_by >= ($4::bigint)::text::xid8
                    AND (written_by >= ($7::bigint)::text::xid8 OR written_by::text::bigint = ANY ($8::bigint[]))
                    AND written_by < pg_snapshot_xmax(pg_current_snapshot())
                OFFSET 0) AS found
            CROSS JOIN LATERAL (
                SELECT array_to_string(ARRAY(
                        SELECT unnest(found.servers) EXCEPT SELECT unnest(string_to_array($3, ','))), ',') AS unknown,
                    array_to_string(ARRAY(
                        SELECT unnest(string_to_array($3, ',')) EXCEPT SELECT unnest(found.servers)), ',') AS lacking
            ) AS compared
            WHERE $3::text <> ''
                AND (other.lane = $1 OR other.seen_at < now() - interval '\(Limits.straySilentMs) ms')
            ORDER BY other.lane = $1 DESC, found.written_by DESC
            LIMIT \(Limits.straysPerSurvey)
        )
        SELECT (SELECT count(*) FROM fenced), \(PostgresIdentity.columns),
            (SELECT coalesce(string_agg(signs || '@' || generation, ' '), '')
                FROM (SELECT *, sum(length(signs) + length(generation) + 2)
                        OVER (ORDER BY seen_at DESC, generation) AS bytes
                    FROM others) AS counted
                WHERE bytes <= \(EdgeLimits.surveyListBytesMax)),
            (SELECT coalesce(max(since), 0) FROM likesd_hosts),
            (SELECT coalesce(string_agg(written_by || '@' || unknown || '/' || lacking, ' '), '')
                FROM (SELECT *, sum(length(unknown) + length(lacking) + 23)
                        OVER (ORDER BY is_own DESC, written_by DESC, unknown, lacking) AS bytes
                    FROM strays) AS counted
                WHERE bytes <= \(EdgeLimits.surveyListBytesMax)),
            coalesce((SELECT beat FROM likesd_hosts WHERE lane = $1), -1),
            (SELECT coalesce(string_agg(name || '=' || id, ' '), '') FROM item_types),
            (SELECT coalesce(max(secret), '') FROM likesd_secret), \(Schema.seconds)
        """
}
