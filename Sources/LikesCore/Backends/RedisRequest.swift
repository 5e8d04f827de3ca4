import LikesProtocol
import LikesStorage

/// One call to Redis. Its `RedisAnswer` is the matching case, or `failed`.
package enum RedisRequest: Equatable, Sendable {
    /// Read the marker to learn which data Redis holds. If a new marker is given, and Redis still has the one that was
    /// found not to fit, replace it.
    case identify(IdentifyRequest)
    case admit([AdmissionEntry])
    /// Read the counts and versions of these items. Without items: check that Redis still holds that generation.
    case readCounters(Generation, [Item])
    /// Set each counter unless Redis has a newer version, tell all hosts, and update the recent likes.
    case writeThrough(Generation, counters: [SealedCounter], recent: [RecentLike])
    /// Set each counter unless Redis has a newer version. No host is told.
    case fill(Generation, [SealedCounter])
    /// Delete these counters unless they have changed.
    case drop(Generation, [KeptCounter])
}

/// What Redis answered to a call.
package enum RedisAnswer: Equatable, Sendable {
    /// The marker that is there now.
    case identified(FoundMarker)
    /// A verdict for each entry, in order.
    case admitted([AdmissionVerdict])
    /// For each item, in order, its counter, or nil where Redis has none.
    case countersRead([SealedCounter?])
    /// `refusal`: Redis had no room for some counters, and dropped them so that no old value is left. `kept`: counters
    /// that Redis kept instead of the ones given, because they look newer.
    case wroteThrough(refusal: String?, kept: [KeptCounter])
    case filled(kept: [KeptCounter])
    /// The counters are gone, or have changed since.
    case dropped
    case failed(RedisFailure)
}
