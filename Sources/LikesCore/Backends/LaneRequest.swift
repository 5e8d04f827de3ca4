import LikesStorage

/// One call on the connection that writes to PostgreSQL. One is under way at a time. Its `LaneAnswer` is the matching
/// case, or one that any call may get.
package enum LaneRequest: Equatable, Sendable {
    /// Make the lane this connection's alone.
    case fence(FenceRequest)
    /// Write one batch in one transaction.
    case commit(CommitRequest)
    /// Write what must outlive this process.
    case tend(TendRequest)
    /// Say that this host is alive, take over the repairs of silent hosts, and find out which database this is.
    case survey(SurveyRequest)
    /// Check that the tables are still as they must be.
    case checkSchema
}

/// What PostgreSQL answered to a call on the lane.
package enum LaneAnswer: Equatable, Sendable {
    /// The lane is this connection's own. nil: it had no row, so nothing is known of earlier batches. It has one now,
    /// at epoch 1.
    case fenced(LaneState?)
    /// The batch is durable.
    case committed(BatchOutcome)
    /// `settledUpTo`: settled repairs noted by transactions up to this one were deleted, and there may be more; nil:
    /// all are gone.
    case tended(settledUpTo: Int64?)
    case surveyed(Survey)
    /// Why the tables cannot be used as they are; nil: they can.
    case schemaChecked(BackendFailure?)

    /// Answers a commit or a tend: the lane is another connection's, and nothing was done.
    case fencedOff
    case misfit(Misfit)
    case failed(StatementFailure)
}
