/// What tells a database, and its pasts, from any other: asked of a primary, when it connects and now and then.
enum PostgresIdentity {
    /// Four columns: system identifier and timeline (bigint), database and tables (text), and the snapshot (text):
    /// which transactions have ended. The timeline leads the names of the log's files, in hex.
    ///
    /// The tables are told by their OIDs, which a restored dump has anew, and the counters by their file as well, which
    /// they also get with TRUNCATE (and with VACUUM FULL: then what is cached is dropped for nothing). Where they are
    /// in partitions, each has a file, and together these make one word.
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
