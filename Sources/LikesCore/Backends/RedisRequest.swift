import LikesProtocol
import LikesStorage

/// One call to Redis. Its `RedisAnswer` is the matching case, or `failed`.
package enum RedisRequest: Equatable, Sendable {
    /// Read the marker to learn which data Redis holds. If a new marker is given, and Redis still has the one that was
    /// found not to fit, replace it.
    case identify(IdentifyRequest)
    /// `isAsking`: another node of the cluster has handed the keys over to this one, which does not own their slot yet.
    case admit([AdmissionEntry], isAsking: Bool = false)
    /// Read the counts and versions of these items. Without items: check that Redis still holds that generation.
    case readCounters(Generation, [Item])
    /// Set each counter unless Redis has a newer version, tell all hosts of them unless they were told of the item a
    /// moment ago, and update the recent likes.
    case writeThrough(Generation, counters: [SealedCounter], recent: [RecentLike])
    /// Set each counter unless Redis has a newer version. No host is told.
    case fill(Generation, [SealedCounter])
    /// Delete these counters unless they have changed.
    case drop(Generation, [KeptCounter])
    /// Tell all hosts of these counters, which Redis took, unless they were told since: of what Redis has now.
    /// `paceMs`: not of an item of which they were told so recently.
    case tell(Generation, [SealedCounter], paceMs: Int64)
}

/// What Redis answered to a call.
///
/// In a cluster, what a node has no more, because its slot is on its way to another node or was moved there, is
/// *elsewhere*. A counter that is elsewhere is not read, filled, dropped or told, and a recent like is not kept.
package enum RedisAnswer: Equatable, Sendable {
    /// The marker that is there now.
    case identified(FoundMarker)
    /// A verdict for each entry, in order.
    case admitted([AdmissionVerdict])
    /// For each item, in order, its counter, or nil where Redis has none.
    case countersRead([SealedCounter?])
    /// `refusal`: Redis had no room for some counters, and dropped them so that no old value is left. `kept`: counters
    /// that Redis kept instead of the ones given, because they look newer. `untold`: counters that Redis took, and of
    /// which it told nobody yet, because hosts were told of their items a moment ago. `elsewhere`: items that were not
    /// set, and of which the node has nothing left.
    case wroteThrough(refusal: String?, kept: [KeptCounter], untold: [SealedCounter] = [], elsewhere: [Item] = [])
    case filled(kept: [KeptCounter])
    /// The counters are gone, or have changed since.
    case dropped
    /// An outcome for each counter, in order.
    case told([TellingOutcome])
    case failed(RedisFailure)
}

/// What became of one counter of a telling.
package enum TellingOutcome: Equatable, Sendable {
    /// All hosts were told of this version or a newer one, now or since it was set.
    case told
    /// Hosts were told of the item a moment ago.
    case early
    /// Redis has lost the counter, or has an older one.
    case gone
}
