import LikesProtocol
import LikesSettings
import LikesStorage

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

/// What PostgreSQL says that seals in Redis are made and judged by.
package struct SealFacts: Hashable, Sendable {
    package var secret: Secret
    /// By the primary's clock, in seconds since 1970; nil: a standby, whose clock is its own.
    package var seconds: Int64?
    package init(secret: Secret, seconds: Int64?) {
        self.secret = secret
        self.seconds = seconds
    }
}
