import LikesCore
import LikesProtocol

/// What PostgreSQL has committed.
package struct PostgresState: Sendable {
    /// For each pair the identity of its row, 0 for none; a row deleted and inserted again is another.
    package var likes: [Int32]
    /// For each item its counter; version 0: no row.
    package var counters: [CounterState]
    package var lanes: [LaneRecord] = []
    package var hosts: [HostRecord] = []
    /// For each item its version in `cache_repairs`; nil: no row.
    package var repairs: [Int64?]
    package var lastRow: Int32 = 0

    package init(usersCount: Int, items: [Item]) {
        likes = [Int32](repeating: 0, count: usersCount * items.count)
        counters = items.map { CounterState(item: $0, count: 0, version: 0) }
        repairs = [Int64?](repeating: nil, count: items.count)
    }
}

/// A row of `lanes`.
package struct LaneRecord: Sendable {
    package var lane: Int64
    package var epoch: Int64
    package var batch: Int64 = 0
    package var changed: [Bool] = []
    /// Indexes of items.
    package var journal: [Int] = []

    package init(lane: Int64, epoch: Int64, journal: [Int] = []) {
        self.lane = lane
        self.epoch = epoch
        self.journal = journal
    }
}

/// A row of `likesd_hosts`.
package struct HostRecord: Sendable {
    package var host: Int64
    package var lane: Int64
    package var generation: String
    package var seenAt: Micros
}

/// When a pair was liked or unliked, as committed.
package struct Flip: Sendable {
    package var at: Micros
    package var liked: Bool
    package var host: Int
    /// An answered request was found that it belongs to.
    package var isAccounted = false
}

/// An item's count from a commit on.
package struct CountEntry: Sendable {
    package var at: Micros
    package var count: Int64
    package var version: Int64
    package var host: Int
    /// Pairs liked and unliked in the commit.
    package var ups: Int64
    package var downs: Int64
}

/// A row that a transaction can lock.
package enum RowLock: Hashable, Sendable {
    case lane(Int64)
    case pair(Int)
    case counter(Int)
    case repair(Int)
}

/// How a statement ends for now.
enum StepResult {
    /// Goes on after a step's time.
    case goesOn
    /// Until the row is free.
    case waits(RowLock)
    /// Rolled back.
    case failed(StatementFailure)
    /// Committed, or had nothing to do: this is its answer.
    case done(Answer)
}
