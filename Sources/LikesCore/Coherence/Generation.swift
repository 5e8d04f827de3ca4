/// Which data Redis holds: made by one server's life, for one past of the database. Counters of another generation are
/// none, so that a new one is a purge of everything in one command.
package struct Generation: Hashable, Sendable {
    /// Redis' run and replication ids; no spaces.
    package var server: String
    /// The database whose counts they are; nil: made while PostgreSQL was out of reach.
    package var database: DatabaseHistory?
    /// Begins the version of each of its counters; no spaces, no colons.
    package var token: String

    package init(server: String, database: DatabaseHistory?, token: String) {
        self.server = server
        self.database = database
        self.token = token
    }

    /// As it stands in Redis.
    package var marker: String { "\(server) \(Self.word(database)) \(token)" }

    /// nil: not a marker of likesd's.
    package init?(marker: some StringProtocol) {
        let words = marker.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words.allSatisfy({ !$0.isEmpty }) else { return nil }
        server = String(words[0])
        token = String(words[2])
        if words[1] == "-" {
            database = nil
        } else {
            let parts = words[1].split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let timeline = Int64(parts[1]) else { return nil }
            database = DatabaseHistory(system: String(parts[0]), timeline: timeline)
        }
    }

    /// The database as one word of the marker.
    package static func word(_ database: DatabaseHistory?) -> String {
        database.map { "\($0.system):\($0.timeline)" } ?? "-"
    }

    /// Whether what was made for this past of the database still holds for `known`, the one this host is at; a host
    /// that was not at PostgreSQL yet takes what is there, one that is behind as well.
    package func fits(_ known: DatabaseHistory?) -> Bool {
        guard let known else { return true }
        guard let database else { return false }
        return database.system == known.system && database.timeline >= known.timeline
    }
}
