/// Which database this is, and which of its pasts: a server promoted in place of another begins a timeline of its own,
/// and tables that were restored are others than before.
package struct DatabaseHistory: Hashable, Sendable {
    /// PostgreSQL's system identifier, digits.
    package var system: String
    package var timeline: Int64
    /// The database, its tables, and the file in which the counters are: numbers and dots, no spaces, no colons.
    package var tables: String
    package init(system: String, timeline: Int64, tables: String = "0") {
        self.system = system
        self.timeline = timeline
        self.tables = tables
    }

    /// Bytes of a word that a server says of itself.
    private static let wordBytesMax = 128

    /// The same, where its words can stand in Redis' marker.
    package func checked() throws(Misfit) -> DatabaseHistory {
        let isSound = [system, tables].allSatisfy { word in
            (1...Self.wordBytesMax).contains(word.utf8.count)
                && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        }
        guard isSound else { throw Misfit("a database's identity that is none") }
        return self
    }

    /// Whether the two are of one database, whichever its timeline.
    package func isSameDatabase(_ other: DatabaseHistory) -> Bool { system == other.system && tables == other.tables }
}

/// What a look around from the lane's connection is to leave behind.
package struct SurveyRequest: Equatable, Sendable {
    package var lane: Int64
    /// The token of the data in Redis that this host uses; empty: none.
    package var generation: String
    /// `Generation.server` of that data, empty for none.
    package var server: String
    /// `Generation.snapshot` of that data.
    package var snapshot: DatabaseSnapshot
    /// The number of this sign of life on its lane, from 1.
    package var beat: Int64
    /// Another host's sign of life is fresh up to this age, in milliseconds.
    package var freshMs: Int64
    package init(
        lane: Int64, generation: String, server: String = "", snapshot: DatabaseSnapshot = .unknown, beat: Int64,
        freshMs: Int64
    ) {
        self.lane = lane
        self.generation = generation
        self.server = server
        self.snapshot = snapshot
        self.beat = beat
        self.freshMs = freshMs
    }
}

/// What a look around from the lane's connection found.
package struct Survey: Equatable, Sendable {
    /// Lanes of hosts that fell silent, taken over; what they left is in `cache_repairs` now.
    package var lanesRetired: Int
    package var history: DatabaseHistory
    package var snapshot: DatabaseSnapshot
    /// The tokens of the data in Redis that other hosts use which said a while ago that they live, each once.
    package var generations: [String]
    /// Of these, the ones that a host named in a fresh sign of life.
    package var freshGenerations: [String]
    /// `Generation.snapshot.next` of the latest data that any host has used, 0 for none.
    package var latest: Int64
    /// Transactions that had not ended by `SurveyRequest.snapshot`, and that this host or a silent one committed to
    /// write them to another server: the last of each lane, no more than `Limits.straysPerSurvey`.
    package var strayed: [Int64]
    /// Whether `item_types` gives the configured types the numbers that the connection has learnt.
    package var knowsTypes: Bool
    /// The lane's sign of life that was there before this one, 0 since it was fenced, -1 for none. It never goes back,
    /// unless the database does.
    package var beat: Int64
    /// nil: the table has no secret.
    package var seals: SealFacts?
    package init(
        lanesRetired: Int, history: DatabaseHistory, snapshot: DatabaseSnapshot, generations: [String],
        freshGenerations: [String], latest: Int64, strayed: [Int64] = [], knowsTypes: Bool = true,
        beat: Int64, seals: SealFacts?
    ) {
        self.lanesRetired = lanesRetired
        self.history = history
        self.snapshot = snapshot
        self.generations = generations
        self.freshGenerations = freshGenerations
        self.latest = latest
        self.strayed = strayed
        self.knowsTypes = knowsTypes
        self.beat = beat
        self.seals = seals
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

/// What is asked of Redis' marker.
package struct VerifyRequest: Hashable, Sendable {
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
