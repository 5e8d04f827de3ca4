import LikesCore
import LikesProtocol
import LikesStorage

/// A commit as PostgreSQL's log has it, as far as standbys are asked for it.
struct LogRecord: Sendable {
    enum Change: Sendable {
        /// `commit`: its place in the item's `counts`.
        case counter(item: Int, CounterState, commit: Int)
        /// nil: the lane's row is gone.
        case epoch(lane: Int64, Int64?)
        /// The lane's sign of life.
        case beat(lane: Int64, Int64)
        /// All tables were replaced.
        case everything(ReplayedState)
    }
    /// Where the log ends behind it.
    var position: LogPosition
    var changes: [Change]
}

/// The server came back with an earlier state here, and its log went on from there.
package struct LogFork: Equatable, Sendable {
    /// Each has another.
    var number: Int
    var position: LogPosition
}

/// What a server shows that has replayed the log up to a position.
struct ReplayedState: Sendable {
    var position: LogPosition
    var counters: [CounterState]
    /// As in `PostgresState`.
    var commits: [Int]
    /// Of each lane.
    var epochs: [Int64: Int64] = [:]
    /// The last sign of life of each lane.
    var beats: [Int64: Int64] = [:]

    init(_ state: PostgresState) {
        position = state.position
        counters = state.counters
        commits = state.commits
        for lane in state.lanes { epochs[lane.lane] = lane.epoch }
        for host in state.hosts { beats[host.lane] = host.beat }
    }

    mutating func replay(_ record: LogRecord) {
        for change in record.changes {
            switch change {
            case .counter(let item, let counter, let commit):
                counters[item] = counter
                commits[item] = commit
            case .epoch(let lane, let epoch): epochs[lane] = epoch
            case .beat(let lane, let beat): beats[lane] = max(beat, beats[lane] ?? 0)
            case .everything(let state): self = state
            }
        }
        position = record.position
    }
}
