import LikesStorage

/// What a survey writes, and what it compares with.
package struct SurveyRequest: Equatable, Sendable {
    package var lane: Int64
    /// The generations in Redis that this host uses, one for each node: `NodeToken.text`.
    package var tokens: [String]
    /// `Generation.server` of that data.
    package var servers: [String]
    /// Every transaction that had not ended by one of that data's snapshots had not ended by this one.
    package var snapshot: DatabaseSnapshot
    /// All of the data that this host uses was made after the transactions before this one had begun. 0: unknown.
    package var since: Int64
    /// The number of this sign of life on its lane, from 1.
    package var signOfLife: Int64
    package init(
        lane: Int64, tokens: [String], servers: [String] = [], snapshot: DatabaseSnapshot = .unknown,
        since: Int64 = 0, signOfLife: Int64
    ) {
        self.lane = lane
        self.tokens = tokens
        self.servers = servers
        self.snapshot = snapshot
        self.since = since
        self.signOfLife = signOfLife
    }
}

/// The data that a host uses on one node.
package struct NodeToken {
    /// Characters of `ClusterView.Node.id` that are named.
    private static let idBytes = 8
    package var token: Substring
    /// The beginning of the node's id; empty: Redis is no cluster.
    package var node: Substring

    /// Reads what another host wrote.
    init(_ text: some StringProtocol) {
        let text = Substring(text)
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        token = parts[0]
        node = parts.count > 1 ? parts[1] : ""
    }

    init(_ token: String, on node: ClusterView.Node?) {
        self.token = Substring(token)
        self.node = node?.id.prefix(Self.idBytes) ?? ""
    }

    package var text: String { node.isEmpty ? String(token) : "\(token):\(node)" }
}

/// Other living hosts that use the same data in Redis.
package struct OtherHosts: Hashable, Sendable {
    /// The generations that they use, one for each node: `NodeToken.text`.
    package var tokens: Set<String>
    /// The latest sign of life of each host, of at most `Limits.hostsPerToken`: those with the lowest lanes.
    package var signs: [SignOfLife]
    package init(tokens: Set<String>, signs: [SignOfLife]) {
        self.tokens = tokens
        self.signs = signs
    }
}

/// A host's sign of life, as a survey finds it.
package struct SignOfLife: Hashable, Sendable {
    package var lane: Int64
    /// In milliseconds, when the survey was made.
    package var ageMs: Int64
    package init(lane: Int64, ageMs: Int64) {
        self.lane = lane
        self.ageMs = ageMs
    }
}

/// A transaction that was committed in order to write it to some Redis servers, compared with `SurveyRequest.servers`.
package struct WrittenTo: Hashable, Sendable {
    package var transaction: Int64
    /// Those among them that the survey did not name.
    package var unknown: Set<String>
    /// Those that the survey named, and that it was not to be written to.
    package var lacking: Set<String>

    package init(transaction: Int64, unknown: Set<String>, lacking: Set<String>) {
        self.transaction = transaction
        self.unknown = unknown
        self.lacking = lacking
    }

    package init(transaction: Int64, servers: Set<String>, surveyed: [String]) {
        self.init(
            transaction: transaction, unknown: servers.subtracting(surveyed),
            lacking: Set(surveyed).subtracting(servers))
    }
}

/// What a survey found.
package struct Survey: Equatable, Sendable {
    /// How many lanes of silent hosts it fenced. The items in their journals are in `cache_repairs` now.
    package var silentLanesFenced: Int
    package var identity: DatabaseIdentity
    package var snapshot: DatabaseSnapshot
    /// What other hosts use. Silent hosts, and those without Redis, are left out.
    package var others: [OtherHosts]
    /// The greatest `SurveyRequest.since` of any host.
    package var latest: Int64
    /// Transactions that had not ended by `SurveyRequest.snapshot`, and that this host or a silent one committed in
    /// order to write them to another Redis server. Only the last of each lane, at most `Limits.straysPerSurvey`, this
    /// host's own first and then the latest.
    package var strayed: [WrittenTo]
    /// Whether `item_types` still gives the configured types the numbers that the connection has learnt.
    package var knowsTypes: Bool
    /// The lane's previous sign of life: 0 if there was none since the fence, -1 if the row is missing. It never goes
    /// back unless the database does.
    package var signOfLife: Int64
    /// nil: the table has no secret.
    package var seals: SealFacts?
    package init(
        silentLanesFenced: Int, identity: DatabaseIdentity, snapshot: DatabaseSnapshot,
        others: [OtherHosts], latest: Int64, strayed: [WrittenTo] = [], knowsTypes: Bool = true,
        signOfLife: Int64, seals: SealFacts?
    ) {
        self.silentLanesFenced = silentLanesFenced
        self.identity = identity
        self.snapshot = snapshot
        self.others = others
        self.latest = latest
        self.strayed = strayed
        self.knowsTypes = knowsTypes
        self.signOfLife = signOfLife
        self.seals = seals
    }
}
