/// What tells a database and its pasts from any other: a primary is asked when it is connected, and from time to time.
enum PostgresIdentity {
    /// Four columns: system identifier and timeline (bigint), database and tables (text), and the snapshot (text):
    /// which transactions have ended. The names of the log's files begin with the timeline, in hex.
    ///
    /// The tables are identified by their OIDs, which are new in a restored dump. The counters are also identified by
    /// their file, which is new after TRUNCATE too (and after VACUUM FULL: then what is cached is dropped needlessly).
    /// If they are partitioned, each partition has a file, and all files together make one word.
    static let columns = """
        (SELECT system_identifier FROM pg_control_system()),
        ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
        concat_ws('.', (SELECT oid FROM pg_database WHERE datname = current_database()),
            to_regclass('user_likes')::oid, to_regclass('counters')::oid,
            coalesce(
                pg_relation_filenode(to_regclass('counters'))::text,
                (SELECT md5(string_agg(pg_relation_filenode(relid)::text, ' ' ORDER BY relid))
                    FROM pg_partition_tree(to_regclass('counters'))))),
        pg_current_snapshot()::text
        """

    static let columnTypes: [ColumnType] = [.bigint, .bigint, .text, .text]
}
