/// Which data Redis holds: made by one server's life, for one past of the database. Counters of another generation are
/// none, so that a new one is a purge of everything in one command.
package struct Generation: Hashable, Sendable {
    /// Redis' run and replication ids; no spaces.
    package var server: String
    /// The database whose counts they are.
    package var database: DatabaseHistory
    /// How often what was cached was found to be of a past that is over, although nothing else in here said so.
    package var era: Int64
    /// The transactions that had ended before it was made: what they changed is in every counter of it.
    package var snapshot: DatabaseSnapshot
    /// Begins the version of each of its counters; no spaces, no colons.
    package var token: String
    /// Proves that a host of this database's has made it: 16 hex digits, `-` for no proof.
    package private(set) var seal = "-"

    /// No more eras are counted: so many take a hundred years, and a marker that claims more is no host's.
    package static let eraMax: Int64 = 999_999_999

    package init(
        server: String, database: DatabaseHistory, era: Int64 = 0, snapshot: DatabaseSnapshot = .unknown, token: String
    ) {
        self.server = server
        self.database = database
        self.era = era
        self.snapshot = snapshot
        self.token = token
    }

    /// As it stands in Redis.
    package var marker: String { "\(claim) \(seal)" }

    /// What is sealed.
    private var claim: String { "\(server) \(Self.word(database)) \(era) \(snapshot.text) \(token)" }

    /// The same, with a proof.
    package func sealed(by secret: Secret) -> Generation {
        var sealed = self
        sealed.seal = sealWord(secret)
        return sealed
    }

    package func isSealed(by secret: Secret) -> Bool { seal == sealWord(secret) }

    private func sealWord(_ secret: Secret) -> String {
        let digits = String(secret.hash("marker", claim), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// nil: not a marker as a host of likesd's writes it.
    package init?(marker: String) {
        let words = marker.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words.allSatisfy({ !$0.isEmpty }), let era = Int64(words[2]),
            (0...Self.eraMax).contains(era), let snapshot = DatabaseSnapshot(words[3])
        else { return nil }
        let parts = words[1].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }), let timeline = Int64(parts[1]),
            (0...DatabaseHistory.timelineMax).contains(timeline)
        else {
            return nil
        }
        server = String(words[0])
        database = DatabaseHistory(system: String(parts[0]), timeline: timeline, tables: String(parts[2]))
        self.era = era
        self.snapshot = snapshot
        token = String(words[4])
        seal = String(words[5])
        // Scripts hold the very bytes against what they find.
        guard marker.utf8.elementsEqual(self.marker.utf8) else { return nil }
    }

    /// The database as one word of the marker.
    private static func word(_ database: DatabaseHistory) -> String {
        "\(database.system):\(database.timeline):\(database.tables)"
    }

    /// Whether what was made for this past of the database still holds for `known`, the one this host is at, and for
    /// the era it knows of; a host that was not at PostgreSQL yet takes what is there, one that is behind as well.
    package func fits(_ known: DatabaseHistory?, era knownEra: Int64) -> Bool {
        guard let known else { return true }
        return database.isSameDatabase(known) && database.timeline >= known.timeline && era >= knownEra
    }
}

/// What stands in Redis as the marker.
package struct FoundMarker: Hashable, Sendable {
    /// Empty: there is none.
    package var text: String
    /// What the server that has it calls itself, in this life.
    package var server: String

    package init(text: String, server: String) {
        self.text = text
        self.server = server
    }

    /// nil: none of likesd's.
    package var generation: Generation? { Generation(marker: text) }
    /// It was made by the server as it runs now, not by one before it whose data it has.
    package var isOfThisLife: Bool { generation?.server == server }
}
