import LikesStorage

/// Reads Redis' marker, and may replace it.
package struct IdentifyRequest: Hashable, Sendable {
    /// The marker to make in place of one that does not fit.
    package struct New: Hashable, Sendable {
        package var database: DatabaseIdentity
        package var era: Int64
        /// `Generation.token` and `Generation.snapshot`.
        package var token: String
        package var snapshot: DatabaseSnapshot
        /// The marker that was found not to fit, empty for none. If Redis has another one by now, another host was
        /// first and its marker stays.
        package var instead: String
        /// Seals the new marker.
        package var secret: Secret?
        package init(
            database: DatabaseIdentity, era: Int64 = 0, token: String, snapshot: DatabaseSnapshot, instead: String = "",
            secret: Secret? = nil
        ) {
            self.database = database
            self.era = era
            self.token = token
            self.snapshot = snapshot
            self.instead = instead
            self.secret = secret
        }

        /// To write the same marker in another place.
        init(copy generation: Generation, instead: String, secret: Secret?) {
            self.init(
                database: generation.database, era: generation.era, token: generation.token,
                snapshot: generation.snapshot, instead: instead, secret: secret)
        }

        /// The generation that the new marker names, on this `server`.
        package func generation(on server: String) -> Generation {
            let made = Generation(server: server, database: database, era: era, snapshot: snapshot, token: token)
            return secret.map { made.sealed(by: $0) } ?? made
        }
    }
    /// nil: only read the marker.
    package var new: New?
    package init(new: New?) { self.new = new }
}
