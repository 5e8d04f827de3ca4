import LikesProtocol
import LikesSettings
import LikesStorage
/// A lane to be made one connection's alone.
package struct FenceRequest: Equatable, Sendable {
    package var lane: Int64
    /// The lane it was before: its row goes, and its journal comes along. nil: there was none.
    package var former: Int64?
    /// Those of the batch whose outcome is not known.
    package var rows: [BatchRow]
    package init(lane: Int64, former: Int64?, rows: [BatchRow]) {
        self.lane = lane
        self.former = former
        self.rows = rows
    }
}

/// What a lane's connection may do only as long as the lane is its own.
package struct LaneFence: Hashable, Sendable {
    package var lane: Int64
    package var epoch: Int64
    package init(lane: Int64, epoch: Int64) {
        self.lane = lane
        self.epoch = epoch
    }
}

/// What the lane's row said when it was fenced.
package struct LaneState: Equatable, Sendable {
    /// Its new epoch, this connection's own.
    package var epoch: Int64
    /// The last batch that was committed on it, 0 for none. No other will be any more.
    package var batch: Int64
    /// For each of the rows given, whether that batch changed it; empty where the batch had another number of rows.
    package var changed: [Bool]
    package init(epoch: Int64, batch: Int64, changed: [Bool]) {
        self.epoch = epoch
        self.batch = batch
        self.changed = changed
    }
}
