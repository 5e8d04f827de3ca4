import LikesProtocol
import LikesSettings
import LikesStorage

/// What is asked of Redis' marker.
package struct IdentifyRequest: Hashable, Sendable {
    /// A marker to be made in place of one that does not fit.
    package struct New: Hashable, Sendable {
        package var database: DatabaseHistory
        package var era: Int64
        /// `Generation.token` and `Generation.snapshot`.
        package var token: String
        package var snapshot: DatabaseSnapshot
        /// What was found not to fit, empty for none. Where something else stands by now, another host was first, and
        /// that stays.
        package var instead: String
        /// With which it is sealed.
        package var secret: Secret?
        package init(
            database: DatabaseHistory, era: Int64 = 0, token: String, snapshot: DatabaseSnapshot, instead: String = "",
            secret: Secret? = nil
        ) {
            self.database = database
            self.era = era
            self.token = token
            self.snapshot = snapshot
            self.instead = instead
            self.secret = secret
        }

        /// As `server` is to have it.
        package func generation(on server: String) -> Generation {
            let made = Generation(server: server, database: database, era: era, snapshot: snapshot, token: token)
            return secret.map { made.sealed(by: $0) } ?? made
        }
    }
    /// nil: only look.
    package var new: New?
    package init(new: New?) { self.new = new }
}
