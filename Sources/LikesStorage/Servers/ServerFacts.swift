/// What a server said about itself.
package struct ServerFacts: Hashable, Sendable {
    package var isStandby: Bool
    /// It takes no writes, whether or not it is a standby.
    package var isReadOnly: Bool
    /// PostgreSQL's system identifier: the same in servers that were copied from each other.
    package var system: String
    /// Each promotion begins a new one. A standby reports the one of the primary it follows, or an older one.
    package var timeline: Int64
    /// Tells apart servers that were copied from each other, and shows when several names lead to one server.
    package var startedAt: String

    package init(isStandby: Bool, isReadOnly: Bool, system: String, timeline: Int64, startedAt: String) {
        self.isStandby = isStandby
        self.isReadOnly = isReadOnly
        self.system = system
        self.timeline = timeline
        self.startedAt = startedAt
    }

    package func isSameServer(as other: ServerFacts) -> Bool { system == other.system && startedAt == other.startedAt }

    /// The names of the log's files begin with the timeline, in hex. A standby writes none: the control file says, with
    /// some delay, how far it has replayed.
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
