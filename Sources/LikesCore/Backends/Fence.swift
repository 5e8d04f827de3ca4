/// Makes a lane this connection's alone.
package struct FenceRequest: Equatable, Sendable {
    package var lane: Int64
    /// The lane that this process used before. Its row is deleted and its journal moves to the new lane. nil: none.
    package var former: Int64?
    /// The rows of the batch whose outcome is not known.
    package var rows: [BatchRow]
    package init(lane: Int64, former: Int64?, rows: [BatchRow]) {
        self.lane = lane
        self.former = former
        self.rows = rows
    }
}

/// Calls that carry this do nothing unless the lane still has this epoch.
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
    /// The new epoch, which only this connection has.
    package var epoch: Int64
    /// The last batch that committed on the lane, 0 for none. No other sent before the fence can commit any more.
    package var batch: Int64
    /// For each of the rows given, whether that batch changed it. Empty if the batch had another number of rows.
    package var changed: [Bool]
    package init(epoch: Int64, batch: Int64, changed: [Bool]) {
        self.epoch = epoch
        self.batch = batch
        self.changed = changed
    }
}
