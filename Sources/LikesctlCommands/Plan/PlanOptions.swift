import LikesSettings

/// What `likesctl plan` is to plan for.
package struct PlanOptions: Equatable, Sendable {
    /// Likes and unlikes per second of all hosts together, at the peak; nil: not given.
    package var likes: Int64?
    /// Counts asked for per second by all clients together, at the peak; nil: not given.
    package var counts: Int64?
    /// Users who like something within a day; nil: not given.
    package var users: Int64?
    /// Likes in PostgreSQL; nil: not given.
    package var likesStored: Int64?
    /// Hosts that run likesd; nil: as few as carry the load.
    package var hosts: Int64?
    /// Items that are asked for or change within an hour.
    package var items: Int64 = 1_000_000
    /// Counts asked for in one request.
    package var batch: Int64 = 1
    /// Of 100 counts, those that neither the hosts' memory nor Redis has.
    package var cold: Int64 = 1
    /// LOCAL_CACHE_TTL_MS of the hosts.
    package var ttlMs = Int64(Configuration().localCacheTTLMs)
    /// How many times the average the peak is.
    package var peak: Int64 = 3

    /// More than any installation has; sums of these stay exact.
    package static let rateMax: Int64 = 100_000_000
    package static let populationMax: Int64 = 1_000_000_000_000
    package static let hostsMax: Int64 = 10_000
    /// As LOCAL_CACHE_TTL_MS.
    package static let ttlMsMax: Int64 = 3_600_000
    package static let peakMax: Int64 = 100

    package init() {}

    /// The options without which there is nothing to plan, and whether they were given.
    private var required: [(name: String, isGiven: Bool)] {
        [
            ("--likes", likes != nil), ("--counts", counts != nil), ("--users", users != nil),
            ("--likes-stored", likesStored != nil),
        ]
    }

    /// What to plan for, if everything that it takes was given.
    package func load() throws(Failure) -> PlanLoad {
        guard let likes, let counts, let users, let likesStored else {
            let missing = required.filter { !$0.isGiven }.map(\.name)
            let last = missing.last ?? ""
            let names = missing.count <= 1 ? last : missing.dropLast().joined(separator: ", ") + " and " + last
            throw Failure(
                .usage, "plan needs \(names)",
                next: "add what you expect, as in 'likesctl plan --likes 30000 --counts 500000 --users 10000000 "
                    + "--likes-stored 1000000000'")
        }
        return PlanLoad(
            likes: Double(likes), counts: Double(counts), users: Double(users), likesStored: Double(likesStored),
            items: Double(items), countsPerRequest: Double(batch), coldShare: Double(cold) / 100,
            localFreshSeconds: Double(ttlMs) / 1_000, peak: Double(peak), hosts: hosts.map(Int.init))
    }
}

/// A load to plan for: rates are per second, of all hosts together, at the peak.
package struct PlanLoad: Equatable, Sendable {
    package var likes: Double
    package var counts: Double
    /// Users who like something within a day.
    package var users: Double
    package var likesStored: Double
    /// Items that are asked for or change within an hour.
    package var items: Double
    package var countsPerRequest: Double
    /// Of all counts, those that neither the hosts' memory nor Redis has.
    package var coldShare: Double
    /// A host asks Redis for a count again after so long.
    package var localFreshSeconds: Double
    /// How many times the average the peak is.
    package var peak: Double
    /// nil: as few as carry it.
    package var hosts: Int?
}
