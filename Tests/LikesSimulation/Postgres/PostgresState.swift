import LikesCore
import LikesProtocol
import LikesStorage

/// What PostgreSQL has committed.
package struct PostgresState: Sendable {
    /// For each pair the identity of its row, 0 for none; a row deleted and inserted again is another.
    package var likes: [Int32]
    /// For each item its counter; version 0: no row.
    package var counters: [CounterState]
    /// For each item the commit that its counter is of: its place in the item's `counts`.
    package var commits: [Int]
    package var lanes: [LaneRecord] = []
    package var hosts: [HostRecord] = []
    /// For each item its row in `cache_repairs`.
    package var repairs: [RepairRecord?]
    package var lastRow: Int32 = 0
    /// The number of the last transaction that began to write.
    package var lastTransaction: Int64 = 700
    /// Where the log ends.
    package var position: LogPosition = 1_000
    /// Where the log went another way than before, in order.
    package var forks: [LogFork] = []

    package init(usersCount: Int, items: [Item]) {
        likes = [Int32](repeating: 0, count: usersCount * items.count)
        counters = items.map { CounterState(item: $0, count: 0, version: 0) }
        commits = items.map { _ in 0 }
        repairs = [RepairRecord?](repeating: nil, count: items.count)
    }
}

/// A row of `cache_repairs`.
package struct RepairRecord: Sendable {
    package var version: Int64
    /// The transaction that wrote it last.
    package var notedBy: Int64
}

/// A row of `lanes`.
package struct LaneRecord: Sendable {
    package var lane: Int64
    package var epoch: Int64
    package var batch: Int64 = 0
    package var changed: [Bool] = []
    /// Indexes of items.
    package var journal: [Int] = []
    /// To which Redis its last batch was to be written, and in which transaction.
    package var servers: Set<String> = []
    package var writtenBy: Int64 = 0

    package init(lane: Int64, epoch: Int64, former: LaneRecord? = nil) {
        self.lane = lane
        self.epoch = epoch
        journal = former?.journal ?? []
        servers = former?.servers ?? []
        writtenBy = former?.writtenBy ?? 0
    }
}

/// A row of `likesd_hosts`.
package struct HostRecord: Sendable {
    package var lane: Int64
    package var tokens: Set<String>
    package var since: Int64
    package var beat: Int64
    package var seenAt: Micros
}

/// When a pair was liked or unliked, as committed.
package struct Flip: Sendable {
    package var at: Micros
    package var liked: Bool
    package var host: Int
    /// The commit's place in the item's `counts`.
    package var commit: Int
    /// The database went back to before it …
    package var isUndone = false
    /// … and nobody may have been told of it: it was lost with a primary.
    package var isLost = false

    /// The database went back: a change that no host made.
    package var isByNobody: Bool { host < 0 }
}

/// An item's count from a commit on.
package struct CountEntry: Sendable {
    package var at: Micros
    /// Likes in the table.
    package var count: Int64
    package var version: Int64
    package var host: Int
    /// Pairs liked and unliked in the commit.
    package var ups: Int64
    package var downs: Int64
    /// The host was told of it by the answer to its commit. Otherwise it finds out what its batch changed, and reads
    /// the counts afterwards.
    package var isTold = false
    /// Where the item is as after this commit once more, since the database went back to it.
    package var again: Int?
    /// When standbys could have it, earlier than this server showed it; nil: not earlier.
    package var loggedAt: Micros?
}

/// What clients are told as a count: the likes, and the commit that they are of, so that an old count is never taken
/// for a new one because as many happen to like the item, nor one of another database for one of this. A batch's counts
/// step by one within the likes.
package enum ToldCount {
    private static let perCommit: Int64 = 1_000
    private static let perDatabase: Int64 = 1_000_000_000

    package static func told(likes: Int64, commit: Int, database: Int) -> Int64 {
        likes + Int64(commit) * perCommit + Int64(database) * perDatabase
    }

    package static func database(_ told: Int64) -> Int { Int(told / perDatabase) }

    package static func commit(_ told: Int64) -> Int { Int(told % perDatabase / perCommit) }

    package static func likes(_ told: Int64) -> Int64 { told % perCommit }
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
    /// Goes on at that moment.
    case waitsUntil(Micros)
    /// Rolled back.
    case failed(StatementFailure)
    /// Committed, or had nothing to do: this is its answer.
    case done(StatementAnswer)
}
