import LikesProtocol

/// What kind of change a client asks for.
package enum ChangeKind: Hashable, Sendable {
    case like, unlike
}

/// One change to admit: count it towards its user's rate, and for a like look up the hint.
package struct AdmissionEntry: Hashable, Sendable {
    package var pair: Pair
    package var kind: ChangeKind
    package var part: AdmissionPart
    package init(pair: Pair, kind: ChangeKind, part: AdmissionPart = .both) {
        self.pair = pair
        self.kind = kind
        self.part = part
    }
}

/// What of an admission a node of Redis is asked. A user's rate and recent likes may be on two nodes.
package enum AdmissionPart: Hashable, Sendable {
    case both
    case rate
    case hint
}

/// What Redis decided about one change.
package enum AdmissionVerdict: Hashable, Sendable {
    /// The user is under the limit. `recent`: the item is in the user's recent likes (always false for an unlike).
    case admitted(recent: Bool)
    /// The user is over the limit, for this many seconds (1 or more).
    case limited(retrySeconds: Int64)
    /// Another node of the cluster has the user's rate, so it was not counted here. nil: nobody knows which.
    case elsewhere(RedisRedirect?)
}

/// Where a node of a cluster sends those who ask for a key that it does not have.
package struct RedisRedirect: Hashable, Sendable {
    package var host: String
    package var port: Int
    /// ASK: the slot is on its way there. Otherwise MOVED: that node owns it.
    package var isAsk: Bool
    package init(host: String, port: Int, isAsk: Bool) {
        self.host = host
        self.port = port
        self.isAsk = isAsk
    }
}
