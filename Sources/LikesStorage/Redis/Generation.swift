/// Identifies the data in Redis: made during one server's life, for one past of the database. Counters of another
/// generation do not count, so a new generation purges everything in one command.
package struct Generation: Hashable, Sendable {
    /// Redis' run and replication ids; no spaces.
    package var server: String
    /// The database that the counts belong to.
    package var database: DatabaseIdentity
    /// How often the cached data turned out to belong to a past that is over when no other field showed it.
    package var era: Int64
    /// The transactions that had ended before the generation was made: every counter of it includes their changes.
    package var snapshot: DatabaseSnapshot
    /// Each counter's version begins with it; no spaces, no colons.
    package var token: String
    /// Proves that a host of this database made the marker: 16 hex digits, `-` for no proof.
    package private(set) var seal = "-"

    /// The highest era. Reaching it takes a hundred years, and no host writes a marker that claims more.
    package static let eraMax: Int64 = 999_999_999

    package init(
        server: String, database: DatabaseIdentity, era: Int64 = 0, snapshot: DatabaseSnapshot = .unknown, token: String
    ) {
        self.server = server
        self.database = database
        self.era = era
        self.snapshot = snapshot
        self.token = token
    }

    /// Whether a host of the same database made it before the other one, on the same server. Each is made with a later
    /// transaction than the one before.
    package func isOlder(than other: Generation) -> Bool {
        server == other.server && database == other.database
            && (era, snapshot.next) < (other.era, other.snapshot.next)
    }

    /// As Redis holds it.
    package var marker: String { "\(sealedText) \(seal)" }

    /// The part that is sealed.
    private var sealedText: String { "\(server) \(Self.word(database)) \(era) \(snapshot.text) \(token)" }

    /// The same generation with a seal.
    package func sealed(by secret: Secret) -> Generation {
        var sealed = self
        sealed.seal = sealWord(secret)
        return sealed
    }

    package func isSealed(by secret: Secret) -> Bool { seal == sealWord(secret) }

    private func sealWord(_ secret: Secret) -> String {
        let digits = String(secret.hash("marker", sealedText), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// nil: not a marker as a host of likesd writes it.
    package init?(marker: String) {
        let words = marker.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words.allSatisfy({ !$0.isEmpty }), let era = Int64(words[2]),
            (0...Self.eraMax).contains(era), let snapshot = DatabaseSnapshot(words[3])
        else { return nil }
        let parts = words[1].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }), let timeline = Int64(parts[1]),
            (0...DatabaseIdentity.timelineMax).contains(timeline)
        else {
            return nil
        }
        server = String(words[0])
        database = DatabaseIdentity(system: String(parts[0]), timeline: timeline, tables: String(parts[2]))
        self.era = era
        self.snapshot = snapshot
        token = String(words[4])
        seal = String(words[5])
        // Scripts compare the exact bytes with what they find.
        guard marker.utf8.elementsEqual(self.marker.utf8) else { return nil }
    }

    /// The database as one word of the marker.
    private static func word(_ database: DatabaseIdentity) -> String {
        "\(database.system):\(database.timeline):\(database.tables)"
    }

    /// Whether data made for this past of the database still holds for `known`, the past that this host knows, and for
    /// its era. A host that has not reached PostgreSQL yet accepts what is there, and so does one that is behind.
    package func fits(_ known: DatabaseIdentity?, era knownEra: Int64) -> Bool {
        guard let known else { return true }
        return database.isSameDatabase(known) && database.timeline >= known.timeline && era >= knownEra
    }
}

/// The value that Redis has as the marker.
package struct FoundMarker: Hashable, Sendable {
    /// Empty if there is none.
    package var text: String
    /// What the server that has it calls itself in its present life.
    package var server: String

    package init(text: String, server: String) {
        self.text = text
        self.server = server
    }

    /// nil: not a marker of likesd's.
    package var generation: Generation? { Generation(marker: text) }
    /// The running server made it, not an earlier one whose data it has.
    package var isOfThisLife: Bool { generation?.server == server }
}
