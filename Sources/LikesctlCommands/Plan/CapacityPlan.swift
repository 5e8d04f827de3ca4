import LikesStorage

/// What carries a load, from measured figures. Pure arithmetic: on as many servers, more of anything never needs less.
package struct CapacityPlan: Equatable, Sendable {
    package let load: PlanLoad
    /// PostgreSQL primaries, each with a part of the items, and on each host a likesd of its own for each of them.
    package let databases: Int
    package let hosts: Int
    /// Redis primaries of each database.
    package let redisNodes: Int
    /// Standbys of each database that answer counts.
    package let readingStandbys: Int
    package let needs: PlanNeeds

    package init(_ load: PlanLoad) throws(Failure) {
        for databases in 1...PlanAssumptions.databasesMax {
            guard let hosts = load.hosts ?? Self.hostsNeeded(load, databases: databases) else { continue }
            let alone = PlanNeeds(load, databases: databases, hosts: hosts, redisNodes: 1, readingStandbys: 0)
            let nodes = Self.redisNodesNeeded(alone)
            let standbys = Self.readingStandbysNeeded(load, alone)
            let needs = PlanNeeds(
                load, databases: databases, hosts: hosts, redisNodes: nodes, readingStandbys: standbys)
            guard needs.fitOneDatabase else { continue }
            self.load = load
            self.databases = databases
            self.hosts = hosts
            redisNodes = nodes
            readingStandbys = standbys
            self.needs = needs
            return
        }
        throw Failure(
            .usage, "that takes more than \(PlanAssumptions.databasesMax) PostgreSQL servers",
            next: "plan for a smaller load")
    }

    /// nil: no number of hosts is enough, since each hears of the changes of all.
    private static func hostsNeeded(_ load: PlanLoad, databases: Int) -> Int? {
        func fits(_ hosts: Int) -> Bool {
            let needs = PlanNeeds(load, databases: databases, hosts: hosts, redisNodes: 1, readingStandbys: 0)
            return needs.daemonCores <= PlanAssumptions.usableShare
                && needs.laneLikes <= PlanAssumptions.usableShare * PlanFigures.laneMax.value
        }
        guard fits(Int(PlanOptions.hostsMax)) else { return nil }
        var tooFew = PlanAssumptions.hostsMin - 1
        var enough = Int(PlanOptions.hostsMax)
        while enough - tooFew > 1 {
            let middle = (tooFew + enough) / 2
            if fits(middle) { enough = middle } else { tooFew = middle }
        }
        return enough
    }

    private static func redisNodesNeeded(_ alone: PlanNeeds) -> Int {
        let byCores = alone.redisCores / PlanAssumptions.usableShare
        let byMemory = alone.redisBytes / PlanAssumptions.redisMemoryBytes
        let nodes = Int(max(byCores, byMemory).rounded(.up))
        return nodes <= 1 ? 1 : max(PlanAssumptions.clusterNodesMin, nodes)
    }

    /// Enough that counts never take more than a quarter of what the primary may do.
    private static func readingStandbysNeeded(_ load: PlanLoad, _ alone: PlanNeeds) -> Int {
        let mayTake = PlanAssumptions.usableShare * PlanAssumptions.databaseCores
        guard alone.coldCores > mayTake / 4 || alone.primaryCores > mayTake else { return 0 }
        return max(1, Int((alone.coldCores / mayTake).rounded(.up)))
    }
}
