import LikesProtocol

/// A moment on the monotonic clock, in microseconds. The core is told the time, it never asks.
package struct Instant: Comparable, Hashable, Sendable {
    package var microseconds: Int64
    package init(microseconds: Int64) { self.microseconds = microseconds }
    package static func ms(_ milliseconds: Int64) -> Instant { Instant(microseconds: milliseconds * 1_000) }
    package static func < (a: Instant, b: Instant) -> Bool { a.microseconds < b.microseconds }
    package func adding(ms: Int64) -> Instant { Instant(microseconds: microseconds + ms * 1_000) }
    /// Whole milliseconds since `earlier`.
    package func ms(since earlier: Instant) -> Int64 { (microseconds - earlier.microseconds) / 1_000 }
}

/// A client connection: its slot in the core's table, and how often the slot was used before.
package struct ConnectionID: Hashable, Sendable {
    package var slot: UInt32
    package var generation: UInt32
    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// A call to Redis or PostgreSQL under way; unique while the daemon runs.
package typealias CallID = UInt64

/// The connections the daemon keeps to its backends.
package enum Backend: Hashable, Sendable, CaseIterable {
    /// Redis: admission, counters, write-through.
    case redis
    /// Redis: what other hosts changed.
    case subscriber
    /// PostgreSQL, writing: one batch after the other.
    case lane
    /// PostgreSQL, reading: counts and pairs, pipelined.
    case reader
}

/// An item's count at one version, as PostgreSQL had it. Version 0 with count 0: no row, never liked.
package struct CounterState: Hashable, Sendable {
    package var item: Item
    package var count: Int64
    package var version: Int64
    package init(item: Item, count: Int64, version: Int64) {
        self.item = item
        self.count = count
        self.version = version
    }
}

/// A change asked for: a like or an unlike.
package enum ChangeKind: Hashable, Sendable {
    case like, unlike
}

/// One change to admit: count it towards its user's rate, and for a like look up the hint.
package struct AdmissionEntry: Hashable, Sendable {
    package var pair: Pair
    package var kind: ChangeKind
    package init(pair: Pair, kind: ChangeKind) {
        self.pair = pair
        self.kind = kind
    }
}

/// What Redis said of one change to admit.
package enum AdmissionVerdict: Hashable, Sendable {
    /// Under the limit; `recent`: the item stands in the user's recent likes (always false for an unlike).
    case admitted(recent: Bool)
    /// Over the limit, for this many seconds (1 or more).
    case limited(retrySeconds: Int64)
}

/// One pair of a batch, with the state it is to end in.
package struct BatchRow: Hashable, Sendable {
    package var pair: Pair
    package var wanted: Bool
    package init(pair: Pair, wanted: Bool) {
        self.pair = pair
        self.wanted = wanted
    }
}

/// One batch to be committed, in one transaction that also fences it and keeps its journal.
package struct CommitRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// Its number on this lane, from 1.
    package var batch: Int64
    /// Sorted by (user, item id, type), each pair once.
    package var rows: [BatchRow]
    /// Every item that Redis may not have once this is committed, those of `rows` included.
    package var journal: [Item]
    /// Redis is out of reach of this host: note what changes for the others to repair.
    package var isCutOff: Bool
    /// `Generation.server` of the data to which what changes is to be written; empty: none.
    package var server: String
    package init(
        fence: LaneFence, batch: Int64, rows: [BatchRow], journal: [Item], isCutOff: Bool, server: String = ""
    ) {
        self.fence = fence
        self.batch = batch
        self.rows = rows
        self.journal = journal
        self.isCutOff = isCutOff
        self.server = server
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

/// What has to outlive this process, apart from batches.
package struct TendRequest: Equatable, Sendable {
    package var fence: LaneFence
    /// Items that Redis may not have, for all hosts to repair.
    package var repairs: [Item]
    package var mended: [MendedRow]
    /// The lane's new journal.
    package var journal: [Item]
    /// Repairs noted by transactions from `from` on and before `before` need none: some of them are to go. nil: none.
    package var settled: SettledRepairs?
    package init(
        fence: LaneFence, repairs: [Item], mended: [MendedRow], journal: [Item], settled: SettledRepairs? = nil
    ) {
        self.fence = fence
        self.repairs = repairs
        self.mended = mended
        self.journal = journal
        self.settled = settled
    }
}

/// Rows in the table of repairs, by the numbers of the transactions that noted them.
package struct SettledRepairs: Hashable, Sendable {
    package var from: Int64
    package var before: Int64
    package init(from: Int64 = 0, before: Int64) {
        self.from = from
        self.before = before
    }
}

/// An item that Redis may not have at this version or a newer one.
package struct RepairRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The number of the transaction that noted it last.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }
}

/// Redis was seen to have this version of an item: a row in the table of repairs that asks for no more can go.
package struct MendedRow: Hashable, Sendable {
    package var item: Item
    package var version: Int64
    /// The row of this transaction goes whatever its version: it was seen before PostgreSQL was asked, which had no
    /// newer version than this. So the row is of a past that is over. 0: none was seen.
    package var notedBy: Int64
    package init(item: Item, version: Int64, notedBy: Int64 = 0) {
        self.item = item
        self.version = version
        self.notedBy = notedBy
    }

    package func covers(_ row: RepairRow) -> Bool { row.version <= version || row.notedBy == notedBy }
}

/// A place in the table of repairs, in the order of the transactions that noted them. The numbers are the database's.
package struct RepairCursor: Hashable, Sendable {
    package var notedBy: Int64
    package var typeNumber: Int16
    package var itemID: Int64
    package init(notedBy: Int64, typeNumber: Int16, itemID: Int64) {
        self.notedBy = notedBy
        self.typeNumber = typeNumber
        self.itemID = itemID
    }

    /// Before all rows that this transaction, or a later one, noted.
    package init(begin notedBy: Int64) { self.init(notedBy: notedBy, typeNumber: .min, itemID: .min) }
}

/// A page of the table of repairs to be read.
package struct RepairSelect: Hashable, Sendable {
    package var after: RepairCursor
    /// Whether there are rows noted by earlier transactions than this is to be looked for; 0: no need.
    package var settledBefore: Int64
    package init(after: RepairCursor, settledBefore: Int64 = 0) {
        self.after = after
        self.settledBefore = settledBefore
    }
}

/// A page of the table of repairs, as one snapshot had it.
package struct RepairRows: Hashable, Sendable {
    package var rows: [RepairRow]
    /// The last of the rows; nil: there are no more.
    package var next: RepairCursor?
    /// The least transaction that was still running: whatever is noted later was noted by it or a later one.
    package var horizon: Int64
    /// There are rows noted before `settledBefore`.
    package var hasSettled: Bool
    package init(rows: [RepairRow], next: RepairCursor?, horizon: Int64, hasSettled: Bool = false) {
        self.rows = rows
        self.next = next
        self.horizon = horizon
        self.hasSettled = hasSettled
    }
}

/// What is known of a server of PostgreSQL once a connection is settled.
package struct DatabaseFacts: Hashable, Sendable {
    /// nil on a standby: it follows another's.
    package var history: DatabaseHistory?
    /// Item types have other numbers than this process knew before.
    package var hasOtherTypes: Bool
    package var seals: SealFacts?
    package init(history: DatabaseHistory?, hasOtherTypes: Bool = false, seals: SealFacts? = nil) {
        self.history = history
        self.seals = seals
        self.hasOtherTypes = hasOtherTypes
    }
}

/// What one batch changed, as committed.
package struct BatchOutcome: Equatable, Sendable {
    /// For each row of the batch, whether it changed the table.
    package var changed: [Bool]
    /// Every item of which a pair changed, with its count and version after the batch; sorted by type and id.
    package var counters: [CounterState]
    package init(changed: [Bool], counters: [CounterState]) {
        self.changed = changed
        self.counters = counters
    }
}

/// A pair as PostgreSQL had it, with its item's counter from the same snapshot.
package struct PairState: Hashable, Sendable {
    package var liked: Bool
    package var counter: CounterState
    package init(liked: Bool, counter: CounterState) {
        self.liked = liked
        self.counter = counter
    }
}

/// A change of a user's recent likes.
package struct RecentLike: Hashable, Sendable {
    package var pair: Pair
    /// Add the item to the user's recent likes, or take it out.
    package var add: Bool
    package init(pair: Pair, add: Bool) {
        self.pair = pair
        self.add = add
    }
}

/// What a server said is nothing that it could say to what it was asked, with the tables, or the keys, as likesd needs
/// them. In words for HEALTH and the log.
package struct Misfit: Error, Equatable, Sendable {
    package var text: String
    package init(_ text: String) { self.text = text }
}

/// Why Redis did not do what was asked.
package enum RedisFailure: Equatable, Sendable {
    /// Nobody knows what it did.
    case misfit(Misfit)
    /// It answered with an error.
    case refused(String)
    /// It came to it after the deadline, and did nothing.
    case late
    /// It holds other data than the call was meant for, and did nothing.
    case otherGeneration
}

/// Why a call failed that PostgreSQL answered: proven to have changed nothing.
package enum StatementFailure: Equatable, Sendable {
    /// Deadlock, serialization failure, lock timeout: the same again may succeed.
    case retryable(String)
    /// The server takes no writes: read-only, standby.
    case readOnly(String)
    /// The tables are not as this version needs them.
    case schema(String)
    /// Something in the rows themselves is refused: a constraint, a trigger, a number out of range.
    case rows(String)
    /// The role has no right to do it: what to run.
    case permission(String, next: String)
    /// Anything else: disk full, timeout.
    case other(String)
}

/// Why a connection is not there, in words for HEALTH and the log, and what to do next where that is known.
package enum BackendFailure: Equatable, Sendable {
    case unreachable(String, next: String? = nil)
    /// It said what nobody asked for, what is no answer, or more than an answer may have.
    case unexpected(String, next: String? = nil)
    /// Connected, but the schema has to be created or upgraded.
    case schema(String, next: String? = nil)
    /// Connected, but the server takes no writes (lane only).
    case readOnly(String, next: String? = nil)
}

/// A server that should not be there: what is the matter, and what to do.
package struct ServerAdvice: Hashable, Sendable {
    package var reason: String
    package var next: String
    package init(reason: String, next: String) {
        self.reason = reason
        self.next = next
    }
}

/// How loud a line in the log is, in syslog's numbers.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7
    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}
