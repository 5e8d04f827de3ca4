import LikesStorage

/// What a connection that is set up has learnt about its PostgreSQL server.
package struct DatabaseFacts: Hashable, Sendable {
    /// nil on a standby: its identity is its primary's.
    package var identity: DatabaseIdentity?
    /// Item types have other numbers than the ones this process knew.
    package var hasOtherTypes: Bool
    package var seals: SealFacts?
    package init(identity: DatabaseIdentity?, hasOtherTypes: Bool = false, seals: SealFacts? = nil) {
        self.identity = identity
        self.seals = seals
        self.hasOtherTypes = hasOtherTypes
    }
}

/// What PostgreSQL says about seals: the secret, and the time.
package struct SealFacts: Hashable, Sendable {
    package var secret: Secret
    /// The primary's clock, in seconds since 1970; nil on a standby, whose clock is its own.
    package var seconds: Int64?
    package init(secret: Secret, seconds: Int64?) {
        self.secret = secret
        self.seconds = seconds
    }
}
