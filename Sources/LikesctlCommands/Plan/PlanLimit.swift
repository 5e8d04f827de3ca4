/// Something that a growing load brings to its limit, and what to do then.
package struct PlanLimit: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case daemon, lane, messages, redis, redisMemory, primary, log, index, connections, disk, replay

        var what: String {
            switch self {
            case .daemon: "likesd, one thread on each host"
            case .lane: "likes that each host writes on its one connection"
            case .messages: "likesd, what each host hears of the others"
            case .redis: "Redis, one thread of each primary"
            case .redisMemory: "Redis, memory of each primary"
            case .primary: "PostgreSQL, processors of the primary"
            case .log: "PostgreSQL, WAL of the primary"
            case .index: "PostgreSQL, memory for the index that a day's users touch"
            case .connections: "PostgreSQL, memory for connections"
            case .disk: "PostgreSQL, disk after a year at this rate"
            case .replay: "a standby, the one process that replays"
            }
        }
    }

    package let kind: Kind
    /// Of what it may take; 1: all of it.
    package let share: Double
    package let remedy: String
}

extension CapacityPlan {
    /// All limits, the nearest first.
    package var limits: [PlanLimit] {
        PlanLimit.Kind.allCases.map { PlanLimit(kind: $0, share: share(of: $0), remedy: remedy(for: $0)) }
            .sorted { $0.share > $1.share }
    }

    /// Whether the load is carried now; the disk has a year.
    package var isCarried: Bool { limits.allSatisfy { $0.kind == .disk || $0.share <= 1 } }

    private func share(of kind: PlanLimit.Kind) -> Double {
        let usable = PlanAssumptions.usableShare
        return switch kind {
        case .daemon: needs.daemonCores / usable
        case .lane: needs.laneLikes / (usable * PlanFigures.laneMax.value)
        case .messages: needs.hearingCores / (usable * PlanAssumptions.hearingShare)
        case .redis: needs.redisCores / usable
        case .redisMemory: needs.redisBytes / PlanAssumptions.redisMemoryBytes
        case .primary: needs.primaryCores / (usable * PlanAssumptions.databaseCores)
        case .log: needs.logBytes / PlanAssumptions.logBytesPerSecond
        case .index: needs.indexBytes / (PlanAssumptions.indexMemoryShare * PlanAssumptions.databaseMemoryBytes)
        case .connections:
            needs.connections * PlanFigures.connectionMemory.value
                / (PlanAssumptions.connectionMemoryShare * PlanAssumptions.databaseMemoryBytes)
        case .disk: (needs.diskBytes + needs.diskBytesPerYear) / PlanAssumptions.databaseDiskBytes
        case .replay: needs.replayCores / usable
        }
    }

    private func remedy(for kind: PlanLimit.Kind) -> String {
        let divide = "several PostgreSQL, from the first like on, each with a part of the items: likesd@s0, likesd@s1"
        let nodes =
            redisNodes == 1 ? "a Redis Cluster of \(PlanAssumptions.clusterNodesMin) primaries" : "more Redis primaries"
        return switch kind {
        case .daemon where needs.countCores > needs.daemonCores / 2:
            "ask for many counts in one MCOUNT; raise LOCAL_CACHE_TTL_MS; then more hosts"
        case .daemon, .lane: "more hosts"
        case .messages: divide
        case .redis: "raise LOCAL_CACHE_TTL_MS, if counts are most of it; then \(nodes)"
        case .redisMemory: "lower RECENT_LIKES_TTL or CACHE_TTL_SECONDS; then \(nodes)"
        case .primary where needs.coldCores > needs.primaryCores / 2 && readingStandbys == 0:
            "standbys that answer counts (DATABASE_REPLICA_URLS)"
        case .primary: "fewer hosts, whose batches are larger; more cores; then \(divide)"
        case .log: "raise checkpoint_timeout and max_wal_size, and set wal_compression; then \(divide)"
        case .index: "more memory; then \(divide)"
        case .connections: "fewer hosts; or a session pooler in front of PostgreSQL"
        case .disk: "more disk, and partitions before the first like; then \(divide)"
        case .replay: divide
        }
    }
}
