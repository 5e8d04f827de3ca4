import LikesStorage

/// What a survey writes, and what it compares with.
package struct SurveyRequest: Equatable, Sendable {
    package var lane: Int64
    /// The token of the generation in Redis that this host uses; empty: none.
    package var token: String
    /// `Generation.server` of that data, empty for none.
    package var server: String
    /// `Generation.snapshot` of that data.
    package var snapshot: DatabaseSnapshot
    /// The number of this sign of life on its lane, from 1.
    package var signOfLife: Int64
    /// The age, in milliseconds, up to which another host's sign of life counts as fresh.
    package var freshMs: Int64
    package init(
        lane: Int64, token: String, server: String = "", snapshot: DatabaseSnapshot = .unknown, signOfLife: Int64,
        freshMs: Int64
    ) {
        self.lane = lane
        self.token = token
        self.server = server
        self.snapshot = snapshot
        self.signOfLife = signOfLife
        self.freshMs = freshMs
    }
}

/// What a survey found.
package struct Survey: Equatable, Sendable {
    /// How many lanes of silent hosts it fenced. The items in their journals are in `cache_repairs` now.
    package var silentLanesFenced: Int
    package var identity: DatabaseIdentity
    package var snapshot: DatabaseSnapshot
    /// The tokens of the generations that other hosts use, each once. Silent hosts are left out.
    package var tokens: [String]
    /// The tokens among them that a host named in a fresh sign of life.
    package var freshTokens: [String]
    /// `Generation.snapshot.next` of the latest generation that any host has used, 0 for none.
    package var latest: Int64
    /// Transactions that had not ended by `SurveyRequest.snapshot`, and that this host or a silent one committed in
    /// order to write them to another Redis server. Only the last of each lane, at most `Limits.straysPerSurvey`.
    package var strayed: [Int64]
    /// Whether `item_types` still gives the configured types the numbers that the connection has learnt.
    package var knowsTypes: Bool
    /// The lane's previous sign of life: 0 if there was none since the fence, -1 if the row is missing. It never goes
    /// back unless the database does.
    package var signOfLife: Int64
    /// nil: the table has no secret.
    package var seals: SealFacts?
    package init(
        silentLanesFenced: Int, identity: DatabaseIdentity, snapshot: DatabaseSnapshot, tokens: [String],
        freshTokens: [String], latest: Int64, strayed: [Int64] = [], knowsTypes: Bool = true,
        signOfLife: Int64, seals: SealFacts?
    ) {
        self.silentLanesFenced = silentLanesFenced
        self.identity = identity
        self.snapshot = snapshot
        self.tokens = tokens
        self.freshTokens = freshTokens
        self.latest = latest
        self.strayed = strayed
        self.knowsTypes = knowsTypes
        self.signOfLife = signOfLife
        self.seals = seals
    }
}
