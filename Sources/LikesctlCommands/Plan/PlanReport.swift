import LikesProtocol
import LikesStorage

/// A plan as text and as JSON.
package struct PlanReport {
    private let plan: CapacityPlan

    /// Limits that the text names; the others are farther away.
    private static let limitsShown = 4
    private static let columns = 96
    private static let textColumn = 15

    package init(_ plan: CapacityPlan) { self.plan = plan }

    // MARK: Text

    package var text: String {
        var lines = Markup.wrapped(headline, columns: Self.columns) + [""]
        for (word, text) in parts { lines += entry(word, text) }
        lines += ["", "What reaches its limit first as the load grows; 100 % is all that it may take:"]
        for limit in plan.limits.prefix(Self.limitsShown) {
            lines += entry(Quantity.percent(limit.share), limit.kind.what)
            lines += entry("", "then: \(limit.remedy)")
        }
        if !plan.isCarried { lines += ["", "This does not carry the load: what is over 100 % comes first."] }
        return (lines + [""] + Markup.wrapped(assumptions, columns: Self.columns) + [""]).joined(separator: "\n")
    }

    private var headline: String {
        let load = plan.load
        return "\(Quantity.parted(load.likes)) likes/s and \(Quantity.parted(load.counts)) counts/s at the peak, "
            + "\(Quantity.parted(load.peak)) times the average; \(Quantity.parted(load.users)) users a day, "
            + "\(Quantity.parted(load.items)) items an hour, \(Quantity.parted(load.likesStored)) likes stored"
    }

    /// What of several PostgreSQL is said of each.
    private var each: String { plan.databases > 1 ? "each " : "" }

    private var parts: [(word: String, text: String)] {
        [
            ("hosts", hosts), ("Redis", redis), ("PostgreSQL", primaries), ("disk", disk), ("WAL", log),
            ("standbys", standbys), ("connections", connections),
        ]
    }

    private var hosts: String {
        let needs = plan.needs
        let all = Quantity.cores(Double(plan.databases) * needs.daemonCores)
        let daemons =
            plan.databases > 1 ? ", with \(plan.databases) likesd on each, \(all) together; each likesd" : "; likesd"
        return "\(plan.hosts)\(daemons) takes \(Quantity.cores(needs.daemonCores)) and "
            + "\(Quantity.bytes(needs.daemonBytes)) of memory, with "
            + "\(Quantity.parted(PlanAssumptions.connectionsPerHost)) "
            + "clients"
    }

    private var redis: String {
        let needs = plan.needs
        let servers = plan.redisNodes == 1 ? "1 primary" : "a cluster of \(plan.redisNodes) primaries"
        let all = plan.databases > 1 ? "\(servers) for each PostgreSQL" : servers
        return "\(all), and as many replicas; each primary takes \(Quantity.cores(needs.redisCores)) and "
            + "\(Quantity.bytes(needs.redisBytes)) of memory, \(Quantity.bytes(needs.redisBytesIn))/s in and "
            + "\(Quantity.bytes(needs.redisBytesOut))/s out"
    }

    private var primaries: String {
        let needs = plan.needs
        return
            "\(Counted.text(plan.databases, "primary", plural: "primaries")); "
            + "\(each)\(Quantity.cores(needs.primaryCores)), "
            + "\(Quantity.bytes(needs.indexBytes)) of memory for the index and "
            + "\(Quantity.bytes(needs.connections * PlanFigures.connectionMemory.value)) for connections, "
            + "\(Quantity.bytes(needs.primaryBytesIn))/s in and "
            + "\(Quantity.bytes(needs.primaryBytesOut))/s out for likes"
    }

    private var disk: String {
        "\(each)\(Quantity.bytes(plan.needs.diskBytes)) now, "
            + "\(Quantity.bytes(plan.needs.diskBytesPerYear)) more in a year; "
            + (plan.needs.partitions > 1 ? "likes in \(plan.needs.partitions) partitions" : "likes in one table")
            + ", after a year \(Quantity.parted(plan.needs.likesAfterAYear / Double(plan.needs.partitions))) in each"
    }

    private var log: String {
        "\(each)\(Quantity.bytes(plan.needs.logBytes))/s, of which "
            + "\(Quantity.bytes(plan.needs.logBytesOfPages))/s are whole "
            + "pages; as much to each standby"
    }

    private var connections: String {
        "max_connections = \(Int(plan.needs.connections)) of \(each)PostgreSQL; "
            + "\(Quantity.parted(Double(2 * plan.hosts))) to each Redis"
    }

    private var standbys: String {
        let replay = "the replay takes \(Quantity.cores(plan.needs.replayCores)) on each"
        guard plan.readingStandbys > 0 else { return "\(each)1 for a failover, none for counts; \(replay)" }
        return
            "\(each)\(plan.readingStandbys) that answer counts with \(Quantity.cores(plan.needs.coldCores)) together, "
            + "and 1 for a failover; \(replay)"
    }

    private var assumptions: String {
        "A PostgreSQL of \(Quantity.plain(PlanAssumptions.databaseCores)) cores, "
            + "\(Quantity.bytes(PlanAssumptions.databaseMemoryBytes)) of memory and "
            + "\(Quantity.bytes(PlanAssumptions.databaseDiskBytes)) of disk is taken for granted, "
            + "and no core busier than "
            + "\(Quantity.percent(PlanAssumptions.usableShare))."
    }

    private func entry(_ word: String, _ text: String) -> [String] {
        let margin = String(repeating: " ", count: Self.textColumn)
        let lines = Markup.wrapped(text, columns: Self.columns - Self.textColumn)
        return lines.enumerated().map { place, line in
            guard place == 0, !word.isEmpty else { return margin + line }
            let padding = String(repeating: " ", count: max(1, Self.textColumn - 2 - word.count))
            return "  " + word + padding + line
        }
    }

    // MARK: JSON

    /// Numbers alone: cores are CPU seconds a second, sizes are bytes, and `share` is 1 where a limit is reached.
    package var json: JSON {
        let needs = plan.needs
        return .object([
            ("carried", .bool(plan.isCarried)),
            (
                "hosts",
                .object([
                    ("number", whole(plan.hosts)), ("cores", .number(needs.daemonCores)),
                    ("bytes", .number(needs.daemonBytes)), ("likes_per_second", .number(needs.laneLikes)),
                ])
            ),
            (
                "redis",
                .object([
                    ("primaries", whole(plan.redisNodes)), ("cores", .number(needs.redisCores)),
                    ("bytes", .number(needs.redisBytes)), ("bytes_in_per_second", .number(needs.redisBytesIn)),
                    ("bytes_out_per_second", .number(needs.redisBytesOut)),
                ])
            ),
            (
                "postgresql",
                .object([
                    ("primaries", whole(plan.databases)), ("cores", .number(needs.primaryCores)),
                    ("index_bytes", .number(needs.indexBytes)), ("disk_bytes", .number(needs.diskBytes)),
                    ("disk_bytes_per_year", .number(needs.diskBytesPerYear)),
                    ("wal_bytes_per_second", .number(needs.logBytes)),
                    ("partitions", plan.needs.partitions > 1 ? whole(plan.needs.partitions) : .null),
                    ("max_connections", whole(Int(needs.connections))),
                ])
            ),
            (
                "standbys",
                .object([
                    ("for_counts", whole(plan.readingStandbys)), ("for_failover", whole(1)),
                    ("cores_of_counts", .number(needs.coldCores)), ("cores_of_replay", .number(needs.replayCores)),
                ])
            ),
            (
                "limits",
                .array(
                    plan.limits.map {
                        .object([
                            ("limit", .string($0.kind.rawValue)), ("what", .string($0.kind.what)),
                            ("share", .number($0.share)), ("then", .string($0.remedy)),
                        ])
                    })
            ),
        ])
    }

    private func whole(_ number: Int) -> JSON { .integer(Int64(number)) }
}
