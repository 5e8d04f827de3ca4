import LikesProtocol
import LikesSettings
import LikesStorage

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
