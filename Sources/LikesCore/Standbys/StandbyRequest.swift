import LikesProtocol
import LikesStorage

/// One call on a standby. Its `StandbyAnswer` is the matching case, or one that any call may get.
package enum StandbyRequest: Equatable, Sendable {
    /// How far the standby has replayed the log of its primary, then the counters, in a later snapshot. No items: only
    /// how far. `lane`: whose epoch and sign of life to read with the first.
    case selectCounters([Item], lane: Int64)
}

/// What a standby answered.
package enum StandbyAnswer: Equatable, Sendable {
    /// For each item, in order; an item without a row has count 0 and version 0. nil instead of the log: the server
    /// takes writes, so it is no standby any more.
    case countersSelected(ReplayedLog?, [CounterState])
    case misfit(Misfit)
    case failed(StatementFailure)
}

/// How far a standby had replayed its primary's log before it read what it returned.
package struct ReplayedLog: Equatable, Sendable {
    package var position: LogPosition
    /// The epoch of the lane that was asked for; nil: the standby has no such row.
    package var epoch: Int64?
    /// The lane's sign of life; nil: there is none.
    package var signOfLife: Int64?

    package init(position: LogPosition, epoch: Int64?, signOfLife: Int64? = nil) {
        self.position = position
        self.epoch = epoch
        self.signOfLife = signOfLife
    }
}
