import LikesSettings
import LikesStorage
import LikesProtocol

/// One call to Redis. Its `RedisAnswer` is the case of the same name, or `failed`.
package enum RedisRequest: Equatable, Sendable {
    /// Look which data Redis holds, by its marker; where a marker is given and the one there is still the one that was
    /// found not to fit, make the given one instead.
    case identify(IdentifyRequest)
    case admit([AdmissionEntry])
    /// Counts and versions of these items; of none: whether Redis' data is still of that generation.
    case readCounters(Generation, [Item])
    /// Set each counter unless Redis has a newer version, tell all hosts, and keep the recent likes.
    case writeThrough(Generation, counters: [SealedCounter], recent: [RecentLike])
    /// Set each counter unless Redis has a newer version; nobody is told.
    case fill(Generation, [SealedCounter])
    /// Delete these counters, where they still are what they were.
    case drop(Generation, [KeptCounter])
}

package enum RedisAnswer: Equatable, Sendable {
    /// The marker that is there now.
    case identified(FoundMarker)
    /// A verdict for each entry, in order.
    case admitted([AdmissionVerdict])
    /// For each item, in order, its counter, or nil where Redis has none.
    case countersRead([SealedCounter?])
    /// `refusal`: it had no room for some counters, and dropped them instead, so that nothing old is left of them.
    /// `kept`: counters that it kept instead of what it was given, because they look newer.
    case wroteThrough(refusal: String?, kept: [KeptCounter])
    case filled(kept: [KeptCounter])
    /// They are gone, or have changed since.
    case dropped
    case failed(RedisFailure)
}
