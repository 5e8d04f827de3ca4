import LikesSettings
import LikesStorage
import LikesProtocol

/// One call on the connection that writes to PostgreSQL. One is under way at a time. Its `LaneAnswer` is the case of
/// the same name, or one of those that any call may have.
package enum LaneRequest: Equatable, Sendable {
    /// Make the lane this connection's alone.
    case fence(FenceRequest)
    /// Write one batch in one transaction.
    case commit(CommitRequest)
    /// Keep what has to outlive this process.
    case tend(TendRequest)
    /// Say that this host lives, take over what silent hosts left to repair, and look which database this is.
    case survey(SurveyRequest)
    /// Look whether the tables still are as they have to be.
    case checkSchema
}

package enum LaneAnswer: Equatable, Sendable {
    /// The lane is this connection's own. nil: it had no row, so nothing is known of earlier batches; it has one now,
    /// at epoch 1.
    case fenced(LaneState?)
    /// The batch is durable.
    case committed(BatchOutcome)
    /// `settledUpTo`: settled repairs were deleted up to this transaction's, and there may be more; nil: all are gone.
    case tended(settledUpTo: Int64?)
    case surveyed(Survey)
    /// Why the tables can't be used as they are; nil: they can.
    case schemaChecked(BackendFailure?)

    /// To a commit or a tend: the lane is another's, and nothing was done.
    case fencedOff
    case misfit(Misfit)
    case failed(StatementFailure)
}
