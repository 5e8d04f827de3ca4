import LikesSettings
import LikesStorage
import LikesProtocol

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
