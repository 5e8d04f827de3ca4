/// The statements of a take-over that are not about the schema itself.
enum TakeoverStatements {
    /// Held by whoever takes over or gives back, for as long as its connection lives. The number is migrate's lock plus
    /// two.
    static let lock = "SELECT pg_try_advisory_lock(119200029176678)"

    /// The session that holds it.
    static let lockHolder = """
        SELECT pid::text FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32 | objid::bigint) = 119200029176678
        LIMIT 1
        """

    /// One row: the schema of `user_likes` and its owner, as SQL writes them; whether `counters` has both as well;
    /// whether both are tables. No row: there is none.
    static let home = """
        SELECT quote_ident(namespace.nspname), quote_ident(pg_get_userbyid(likes.relowner)),
            likes.relnamespace = counts.relnamespace, likes.relowner = counts.relowner,
            likes.relkind IN ('r', 'p') AND counts.relkind IN ('r', 'p')
        FROM pg_class AS likes
        JOIN pg_namespace AS namespace ON namespace.oid = likes.relnamespace
        JOIN pg_class AS counts ON counts.oid = to_regclass('counters')
        WHERE likes.oid = to_regclass('user_likes')
        """

    /// One row: pages of the table, or of its largest partition.
    static func pages(of table: String) -> String {
        """
        SELECT (coalesce(max(pg_relation_size(relid)), 0) / current_setting('block_size')::bigint)::text
        FROM (
            SELECT '\(table)'::regclass AS relid
            UNION SELECT relid FROM pg_partition_tree('\(table)'::regclass)) AS parts
        """
    }

    /// $1, $2: the first place and the one after the last. Returns rows of (type, rows, and in pairs the number and
    /// one of them: without a key, with a negative id, without a time, without a count).
    static func look(at table: String) -> String {
        let isCounters = table == "counters"
        let columns = (isCounters ? [] : ["user_id"]) + ["item_id", "item_type"]
        let negative = columns.dropLast().map { "\($0) < 0" }.joined(separator: " OR ")
        let conditions = [
            columns.map { "\($0) IS NULL" }.joined(separator: " OR "), negative,
            isCounters ? "updated_at IS NULL" : "created_at IS NULL", isCounters ? "like_count IS NULL" : "false",
        ]
        let shown = "concat_ws(', ', \(columns.joined(separator: ", ")))"
        return """
            SELECT item_type, count(*),
                \(conditions.map {
                "count(*) FILTER (WHERE \($0)), min(CASE WHEN \($0) THEN \(shown) END)"
            }.joined(separator: ",\n    "))
            FROM \(table)
            WHERE ctid >= $1::tid AND ctid < $2::tid
            GROUP BY item_type
            """
    }

    /// $1, $2: as above. Returns one row: how many counts were null.
    static let countNulls = """
        WITH counted AS (
            UPDATE counters SET like_count = 0
            WHERE ctid >= $1::tid AND ctid < $2::tid AND like_count IS NULL
            RETURNING item_id)
        SELECT count(*) FROM counted
        """

    /// Others' locks on $1: tables that nobody may use, or that keep somebody from writing, on $2: tables.
    private static let held = """
        held.locktype = 'relation' AND held.granted AND held.pid IS DISTINCT FROM pg_backend_pid()
            AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (held.relation = ANY (ARRAY(\(withPartitions("$1"))))
                OR held.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')
                    AND held.relation = ANY (ARRAY(\(withPartitions("$2")))))
        """

    /// Who locks a table locks its partitions.
    private static func withPartitions(_ names: String) -> String {
        """
        SELECT to_regclass(name)::oid FROM unnest(\(names)::text[]) AS name
        UNION SELECT relid::oid FROM unnest(\(names)::text[]) AS name, pg_partition_tree(to_regclass(name))
        """
    }

    /// $1, $2: as above; $3: transactions. Returns (pid, role, application, state, name) of the oldest transaction that
    /// has had such a lock for longer than a second, as far as the server lets that be seen, or is one of $3. An
    /// autovacuum usually gives way by itself. A prepared transaction has no pid, only a name.
    static let holder = """
        SELECT held.pid, coalesce(activity.usename, ''), coalesce(activity.application_name, ''),
            coalesce(activity.state, activity.backend_type, ''), coalesce(prepared.gid, '')
        FROM pg_locks AS held
        LEFT JOIN pg_stat_activity AS activity USING (pid)
        LEFT JOIN pg_locks AS own
            ON held.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
                AND own.virtualtransaction = held.virtualtransaction
        LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid
        WHERE \(held) AND (
            held.pid IS NULL AND coalesce(prepared.prepared < clock_timestamp() - interval '1 s', true)
            OR held.virtualtransaction = ANY ($3::text[])
            OR activity.xact_start < clock_timestamp() - interval '1 s'
                AND activity.backend_type IS DISTINCT FROM 'autovacuum worker')
        ORDER BY activity.xact_start
        LIMIT 1
        """

    /// $1, $2: as above. Returns the transactions that have such a lock.
    static let transactions = "SELECT DISTINCT held.virtualtransaction FROM pg_locks AS held WHERE \(held)"

    /// One boolean: whether the owner of the tables may make others beside them.
    static let ownerMayCreate = """
        SELECT has_schema_privilege(relowner, relnamespace, 'CREATE') FROM pg_class
        WHERE oid = to_regclass('user_likes')
        """

    /// One row for each limit that there is, depending on PostgreSQL's version.
    static let noTimeLimits = """
        SELECT set_config(name, '0', false) FROM pg_settings
        WHERE name IN ('idle_session_timeout', 'transaction_timeout')
        """

    /// Rows of (role, application, sessions) of this database that may be the reference's: clients that may write
    /// likes, and are neither likesd's nor PostgreSQL's own programs.
    static let otherSessions = """
        SELECT usename, coalesce(application_name, ''), count(*)
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
            AND backend_type = 'client backend' AND has_table_privilege(usesysid, 'user_likes', 'INSERT')
            AND application_name !~ '^(likesd|likesctl|psql|pg_dump|pg_restore)( |$)'
        GROUP BY 1, 2
        ORDER BY 3 DESC
        LIMIT 5
        """

    /// Rows of (column, sequence, percent): columns of `user_likes` whose numbers come to an end.
    static let fewNumbers = """
        SELECT quote_ident(attribute.attname), owned.objid::regclass::text, floor(used.percent)::bigint
        FROM pg_depend AS owned
        JOIN pg_sequence AS sequence ON sequence.seqrelid = owned.objid
        JOIN pg_attribute AS attribute
            ON attribute.attrelid = owned.refobjid AND attribute.attnum = owned.refobjsubid
        CROSS JOIN LATERAL (
            SELECT 100.0 * CASE WHEN has_sequence_privilege(owned.objid, 'USAGE, SELECT')
                    THEN pg_sequence_last_value(owned.objid) END / least(sequence.seqmax, CASE attribute.atttypid
                    WHEN 'integer'::regtype THEN 2147483647 WHEN 'smallint'::regtype THEN 32767
                    ELSE sequence.seqmax END) AS percent) AS used
        WHERE owned.classid = 'pg_class'::regclass AND owned.refclassid = 'pg_class'::regclass
            AND owned.deptype IN ('a', 'i') AND owned.refobjid = to_regclass('user_likes') AND used.percent >= 80
        """

    /// One row: how many hosts of likesd gave a sign of life in the last 6 s, one more than they let pass.
    static let livingHosts = """
        SELECT count(*) FROM likesd_hosts WHERE seen_at > now() - interval '6 s'
        """

    /// $1, $2: a table and a constraint. Returns whether it is valid; no row: there is none.
    static let constraint = """
        SELECT convalidated FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2
        """

    /// $1: kind, $2: table, $3: name, $4: definition.
    static let record = """
        INSERT INTO likesd_adoption (kind, table_name, name, definition) VALUES ($1, $2, $3, $4)
        ON CONFLICT (kind, table_name, name) DO NOTHING
        """
    static let forget = "DELETE FROM likesd_adoption WHERE kind = $1 AND table_name = $2 AND name = $3"
    /// Rows of (table, index, what makes it): what the reference had and is not there.
    static let missingIndexes = """
        SELECT table_name, name, definition FROM likesd_adoption
        WHERE kind = 'had' AND to_regclass(name) IS NULL
        ORDER BY table_name, name
        """
    static let records = "SELECT kind, table_name, name, definition FROM likesd_adoption ORDER BY done_at, name"
}
