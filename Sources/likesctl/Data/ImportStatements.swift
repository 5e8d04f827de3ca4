import LikesStorage

/// The statements of `likesctl import`. Its tables are made on demand and dropped at the end.
enum ImportStatements {
    static let state = "likesd_import"
    static let rowsTable = "likesd_import_rows"
    static let likes = "likesd_import_likes"

    /// Held while an import runs, so that two do not take turns at one state. The number is migrate's lock plus four.
    static let lock = "SELECT pg_try_advisory_lock(\(lockNumber))"
    private static let lockNumber = 119_200_029_176_680

    /// One row for whoever holds it: PostgreSQL's process, and the client's address, null for a Unix socket and for
    /// whoever may not see it.
    static let lockHolder = """
        SELECT held.pid, host(activity.client_addr)
        FROM pg_locks AS held
        LEFT JOIN pg_stat_activity AS activity USING (pid)
        WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
            AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND held.classid::bigint << 32 | held.objid::bigint = \(lockNumber)
        """

    /// Rows of text, as in `INSERT on counters`: what the role may not do, and an import has to.
    static let missingRights = """
        SELECT needed.privilege || ' on ' || needed.name
        FROM (VALUES
            ('user_likes', 'SELECT'), ('user_likes', 'INSERT'), ('counters', 'SELECT'), ('counters', 'INSERT'),
            ('counters', 'UPDATE'), ('cache_repairs', 'SELECT'), ('cache_repairs', 'INSERT'),
            ('cache_repairs', 'UPDATE'), ('likesd_hosts', 'SELECT'), ('likesd_secret', 'SELECT'),
            ('likesd_secret', 'INSERT'), ('likesd_secret', 'UPDATE'), ('item_types', 'SELECT')
        ) AS needed (name, privilege)
        WHERE NOT has_any_column_privilege(needed.name, needed.privilege)
        UNION ALL
        SELECT 'USAGE on ' || sequence.oid::regclass
        FROM pg_attrdef AS given
        JOIN pg_depend AS needed ON needed.classid = 'pg_attrdef'::regclass AND needed.objid = given.oid
            AND needed.refclassid = 'pg_class'::regclass
        JOIN pg_class AS sequence ON sequence.oid = needed.refobjid
        WHERE given.adrelid = to_regclass('user_likes')
            AND CASE sequence.relkind
                WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE, UPDATE') ELSE false END
        """

    static let hasState = "SELECT to_regclass('\(state)') IS NOT NULL"

    /// One row. `types`: the item types as the rows were judged by them. Lines, rows and bytes are those that are
    /// loaded, all of them once the rows are sorted. `next_page` is the page of `likes` to go on with.
    static let createState = """
        CREATE TABLE \(state) (
            source text NOT NULL,
            format text NOT NULL,
            types text[] NOT NULL,
            started_at timestamptz NOT NULL DEFAULT now(),
            is_sorted boolean NOT NULL DEFAULT false,
            bytes bigint NOT NULL DEFAULT 0,
            digest bigint NOT NULL DEFAULT 0,
            lines bigint NOT NULL DEFAULT 0,
            rows bigint NOT NULL DEFAULT 0,
            without_user bigint NOT NULL DEFAULT 0,
            without_item bigint NOT NULL DEFAULT 0,
            of_no_type bigint NOT NULL DEFAULT 0,
            likes bigint NOT NULL DEFAULT 0,
            next_page bigint NOT NULL DEFAULT 0,
            merged bigint NOT NULL DEFAULT 0,
            added bigint NOT NULL DEFAULT 0,
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
        )
        """

    /// $1, $2: source and format.
    static let insertState = """
        INSERT INTO \(state) (source, format, types)
        SELECT $1, $2, array_agg(name) FROM item_types
        """

    /// Without a log, since the input is there to be read again. After a crash of the server the table is empty. Rows
    /// stand in the order of the input nearly always: for that it is not vacuumed by PostgreSQL itself.
    static let createRows = """
        CREATE UNLOGGED TABLE \(rowsTable) (user_id bigint, item text, created_at timestamptz)
        WITH (autovacuum_enabled = off)
        """

    static let selectState = """
        SELECT source, format, is_sorted, bytes, digest, lines, rows, without_user, without_item, of_no_type, likes,
            next_page, merged, added
        FROM \(state)
        """

    /// One boolean: whether the table is there with something in it.
    static func holdsRows(_ table: String) -> String { "SELECT EXISTS (SELECT FROM \(table))" }

    static func dropTable(_ table: String) -> String { "DROP TABLE IF EXISTS \(table)" }

    // MARK: Loading

    static func copyRows(columns: Int, binary: Bool) -> String {
        let names = ["user_id", "item", "created_at"].prefix(columns == 2 ? 2 : 3)
        let options = binary ? "FORMAT binary" : "FORMAT csv" + (names.count == 3 ? ", FORCE_NULL (created_at)" : "")
        return "COPY \(rowsTable) (\(names.joined(separator: ", "))) FROM STDIN (\(options))"
    }

    /// Pages before the end of the table in which the rows of the next piece may come to stand.
    private static let pagesReused: Int64 = 512

    /// Behind this place the rows of the next piece are expected. Most are put behind all others. But PostgreSQL 16 and
    /// newer leave empty pages behind a piece, and a vacuum frees the rows of one that failed. So the table is read
    /// from some pages before its end; if rows are missing there, all of it is.
    static let expectedPlace = """
        SELECT format(
            '(%s,0)', greatest(
                pg_relation_size('\(rowsTable)') / current_setting('block_size')::bigint - \(pagesReused), 0))
        """
    static let firstPlace = "(0,0)"

    /// $1: a place. The rows behind it that this transaction has put there.
    private static let rowsOfPiece = """
        FROM \(rowsTable)
        WHERE ctid >= $1::tid AND xmin = (SELECT pg_current_xact_id()::xid)
        """

    /// An item's id has up to 19 digits, behind any number of zeros. In so short a text it cannot be too large; then a
    /// look that takes a third of the time is enough. (Counting in a pattern is slow, and so is any collation but C.)
    private static let shortBytes = 19
    private static let digits = "ltrim(split_part(item, ':', 2), '0')"
    private static let hasID = """
        CASE WHEN octet_length(item) <= \(shortBytes) THEN item COLLATE "C" ~ '^[^:]*:[0-9]+$'
            ELSE item COLLATE "C" ~ '^[^:]*:0*[0-9]{1,19}$'
                AND (length(\(digits)) < 19 OR \(digits) COLLATE "C" <= '\(Int64.max)') END
        """

    /// $1: the place behind which the piece is. One row: rows without a valid user, without a valid item, and of a type
    /// that there is not, each counted once; and how many rows of the piece are behind that place.
    static let judge = """
        SELECT count(*) FILTER (WHERE is_bad AND (user_id >= 0) IS NOT TRUE),
            count(*) FILTER (WHERE is_bad AND user_id >= 0 AND (\(hasID)) IS NOT TRUE),
            count(*) FILTER (WHERE is_bad AND user_id >= 0 AND (\(hasID))),
            count(*)
        FROM (SELECT user_id, item, \(isBad) AS is_bad \(rowsOfPiece) OFFSET 0) AS judged
        """

    private static let types = "(SELECT types FROM \(state))::text[]"
    private static let isBad =
        "(user_id >= 0 AND split_part(item, ':', 1) = ANY (\(types)) AND (\(hasID))) IS NOT TRUE"

    /// $1: as above; $2: how many. Returns row, counted from 1 within the piece if its rows stand in their order, user,
    /// item, and whether it is the user, or else the item, that is wrong, of the first bad ones.
    static let nameBad = """
        SELECT row, user_id, item, (user_id >= 0) IS NOT TRUE, (\(hasID)) IS NOT TRUE
        FROM (
            SELECT row_number() OVER (ORDER BY ctid) AS row, user_id, item, \(isBad) AS is_bad
            \(rowsOfPiece)) AS judged
        WHERE is_bad
        ORDER BY row
        LIMIT $2::bigint
        """

    /// $1–$4: bytes, digest, lines and rows; $5–$7: further bad ones of each kind.
    static let noteLoaded = """
        UPDATE \(state) SET
            bytes = $1::bigint, digest = $2::bigint, lines = $3::bigint, rows = $4::bigint,
            without_user = without_user + $5::bigint, without_item = without_item + $6::bigint,
            of_no_type = of_no_type + $7::bigint
        """

    // MARK: Sorting

    /// Likes of one bucket: with fewer, each counter is written less often, but the index at more random places.
    private static let likesPerBucket: Int64 = 40_000
    private static let bucketsMax: Int64 = 8_192
    /// A user's part of the first key of the sort, in bits.
    private static let userBits = 50
    /// A row of the index of `user_likes`, in bytes.
    private static let indexRowBytes: Int64 = 40

    /// $1: rows. One boolean: whether the index of `user_likes` will be larger than half of what PostgreSQL takes the
    /// machine to cache.
    static let isLargerThanMemory = """
        SELECT pg_indexes_size('user_likes') + $1::bigint * \(indexRowBytes) + coalesce((
                SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('user_likes')), 0)
            > pg_size_bytes(current_setting('effective_cache_size')) / 2
        """

    /// Of several rows for one like the earliest counts.
    ///
    /// The order is that in which the likes are added. By user, the index grows at one place at a time, but nearly
    /// every like of a step is another item's, whose counter is written each time. By item it is the other way round.
    /// So likes are sorted by user within buckets of items; only an index that is larger than memory is filled in its
    /// own order.
    static func sort(rows: Int64, hasBadRows: Bool, byUser: Bool) -> String {
        // What was judged to be bad must not be converted.
        let usable = "(user_id >= 0 AND (\(hasID)))"
        let id = "split_part(item, ':', 2)::bigint"
        let user = "(user_id & \((Int64(1) << userBits) - 1))"
        let place = byUser ? "" : "(\(bucket(of: rows)) << \(userBits)) | \(user), "
        return """
            CREATE UNLOGGED TABLE \(likes) AS
            SELECT DISTINCT ON (\(place)user_id, item_id, item_type) user_id, item_id, item_type, created_at
            FROM (
                SELECT user_id, \(hasBadRows ? "CASE WHEN \(usable) THEN \(id) END" : id) AS item_id,
                    types.id AS item_type, coalesce(created_at, (SELECT started_at FROM \(state))) AS created_at
                FROM \(rowsTable) JOIN item_types AS types
                    ON types.name = split_part(item, ':', 1) AND types.name = ANY (\(types))
                \(hasBadRows ? "OFFSET 0" : "")) AS loaded
            \(hasBadRows ? "WHERE item_id IS NOT NULL" : "")
            ORDER BY \(place)user_id, item_id, item_type, created_at
            """
    }

    private static func bucket(of rows: Int64) -> String {
        var buckets: Int64 = 1
        while buckets < bucketsMax, buckets * likesPerBucket < rows { buckets *= 2 }
        return "(hashint8(item_id) & \(buckets - 1))::bigint"
    }

    /// $1: how many likes there are.
    static let noteSorted = "UPDATE \(state) SET is_sorted = true, likes = $1::bigint"

    static let pagesOfLikes = "SELECT pg_relation_size('\(likes)') / current_setting('block_size')::bigint"

    // MARK: Adding

    /// $1, $2: the first place, and the one after the last; $3: the page that follows. It locks in the order of a
    /// batch: likes, counters, repairs. Returns one row: likes read, likes added, counters written. (What the row
    /// reads is written first, in this order, and the rest at the end.)
    ///
    /// Hosts are told of what changed by `cache_repairs`. Without a host nobody would take the notes, so the secret is
    /// renewed instead, which makes everything cached worthless. It is renewed in the very transaction, since a host
    /// may begin to read what it changes before that has committed: that host then drops what it read.
    ///
    /// `mayBeThere`: likes that are there already are passed over. Otherwise the first of them ends the statement with
    /// an error; it then takes less than half the time, since PostgreSQL need not look before it inserts.
    static func merge(mayBeThere: Bool) -> String {
        """
        WITH alive AS MATERIALIZED (
            SELECT \(HostsPace.isHostAlive) AS is_alive
        ), next AS MATERIALIZED (
            SELECT user_id, item_id, item_type, created_at FROM \(likes) WHERE ctid >= $1::tid AND ctid < $2::tid
        ), liked AS (
            INSERT INTO user_likes (user_id, item_id, item_type, created_at)
            SELECT user_id, item_id, item_type, created_at FROM next
            \(mayBeThere ? "ON CONFLICT (user_id, item_id, item_type) DO NOTHING" : "")
            RETURNING item_id, item_type
        ), deltas AS (
            SELECT item_type, item_id, count(*) AS delta FROM liked GROUP BY item_type, item_id
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
            SELECT item_type, item_id, version FROM counted
            WHERE (SELECT is_alive FROM alive)
            ORDER BY item_type, item_id
            ON CONFLICT (item_type, item_id) DO UPDATE SET
                version = greatest(present.version, excluded.version), noted_by = excluded.noted_by
        ), renewed AS (
            \(Schema.renewSecret(where: "NOT (SELECT is_alive FROM alive) AND EXISTS (SELECT FROM counted)"))
        ), kept AS (
            UPDATE \(state) SET
                next_page = $3::bigint, merged = merged + (SELECT count(*) FROM next),
                added = added + (SELECT count(*) FROM liked)
            WHERE next_page < $3::bigint
        )
        SELECT (SELECT count(*) FROM next), (SELECT count(*) FROM liked), (SELECT count(*) FROM counted)
        """
    }
}
