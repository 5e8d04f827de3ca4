import LikesProtocol
import LikesStorage

/// One call on the connection that reads from PostgreSQL. Several are under way, answered in order. Its `ReaderAnswer`
/// is the matching case, or one that any call may get.
package enum ReaderRequest: Equatable, Sendable {
    case selectCounters([Item])
    case selectPairs([Pair])
    /// All of one kind.
    case selectLists([ListQuery])
    /// Up to `Limits.standard.countersPerCallMax` items that Redis may lack.
    case selectRepairs(RepairSelect)
    /// Where the primary's log ends, and the epoch of this lane.
    case selectPosition(lane: Int64)
}

/// What a page of a list holds, in order.
package enum ListPage: Equatable, Sendable {
    case items([Item])
    case users([Int64])
    /// The database lacks the index that the list takes.
    case withoutIndex
}

/// What PostgreSQL answered to a call on the reader.
package enum ReaderAnswer: Equatable, Sendable {
    /// For each item, in order; an item without a row has count 0 and version 0.
    case countersSelected([CounterState])
    /// For each pair, in order.
    case pairsSelected([PairState])
    /// For each query, in order, from one snapshot.
    case listsSelected([ListPage])
    /// A chunk of `cache_repairs`.
    case repairsSelected(RepairRows)
    /// All that was committed before the call is before this place. `epoch`: nil: there is no such lane.
    case positionSelected(LogPosition, epoch: Int64?)

    case misfit(Misfit)
    case failed(StatementFailure)
}
