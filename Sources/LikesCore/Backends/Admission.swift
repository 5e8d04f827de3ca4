import LikesProtocol

/// What kind of change a client asks for.
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

/// What Redis decided about one change.
package enum AdmissionVerdict: Hashable, Sendable {
    /// The user is under the limit. `recent`: the item is in the user's recent likes (always false for an unlike).
    case admitted(recent: Bool)
    /// The user is over the limit, for this many seconds (1 or more).
    case limited(retrySeconds: Int64)
}
