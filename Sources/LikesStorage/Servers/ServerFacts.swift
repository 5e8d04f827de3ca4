/// Who a server said it is.
package struct ServerFacts: Hashable, Sendable {
    package var isStandby: Bool
    /// Takes no writes, standby or not.
    package var isReadOnly: Bool
    /// PostgreSQL's system identifier: servers that were copied from each other have the same.
    package var system: String
    /// Begun anew by each promotion. A standby says that of the primary it follows, or an older one.
    package var timeline: Int64
    /// Tells servers apart that were copied from each other, and one that several names lead to from two.
    package var startedAt: String

    package init(isStandby: Bool, isReadOnly: Bool, system: String, timeline: Int64, startedAt: String) {
        self.isStandby = isStandby
        self.isReadOnly = isReadOnly
        self.system = system
        self.timeline = timeline
        self.startedAt = startedAt
    }

    package func isSameServer(as other: ServerFacts) -> Bool { system == other.system && startedAt == other.startedAt }

    /// The timeline leads the names of the log's files, in hex. A standby writes none: what it has replayed to is in
    /// its control file, now and then.
    package static let question = """
        SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean,
            (SELECT system_identifier FROM pg_control_system()),
            CASE WHEN pg_is_in_recovery()
                THEN to_hex(greatest(
                    (SELECT timeline_id FROM pg_control_checkpoint()),
                    (SELECT min_recovery_end_timeline FROM pg_control_recovery())))
                ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
            extract(epoch FROM pg_postmaster_start_time())
        """

    /// A row of the answer, as text; nil: not an answer to the question.
    package init?(_ row: [String]) {
        guard row.count == 5, let timeline = Int64(row[3], radix: 16) else { return nil }
        self.init(
            isStandby: row[0] == "t", isReadOnly: row[1] == "t", system: row[2], timeline: timeline, startedAt: row[4])
    }
}
