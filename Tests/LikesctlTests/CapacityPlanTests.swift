import Testing

@testable import LikesctlCommands

/// What a plan says of a load.
@Suite struct CapacityPlanTests {
    private let load = PlanLoad(
        likes: 5_000, counts: 50_000, users: 2_000_000, likesStored: 200_000_000, items: 500_000, countsPerRequest: 1,
        coldShare: 0.01, localFreshSeconds: 1, peak: 3, hosts: nil)

    /// A load with one of its parts changed.
    private func load(_ part: WritableKeyPath<PlanLoad, Double>, _ value: Double) -> PlanLoad {
        var changed = load
        changed[keyPath: part] = value
        return changed
    }

    private static let growing: [WritableKeyPath<PlanLoad, Double> & Sendable] = [
        \.likes, \.counts, \.users, \.likesStored, \.items, \.coldShare,
    ]

    @Test(
        "On as many servers, and with as many partitions, more of anything needs no less of anything",
        arguments: growing)
    func moreOfAnythingNeedsNoLess(part: WritableKeyPath<PlanLoad, Double> & Sendable) throws {
        var before: CapacityPlan?
        for step in 1...60 {
            var grown = load(part, load[keyPath: part] * (0.1 + Double(step) / 40))
            grown.hosts = 6
            let plan = try CapacityPlan(grown)
            if let before, before.databases == plan.databases, before.redisNodes == plan.redisNodes,
                before.readingStandbys == plan.readingStandbys, before.needs.partitions == plan.needs.partitions
            {
                for need in Self.needs {
                    #expect(before.needs[keyPath: need] <= plan.needs[keyPath: need], "\(part) \(step) \(need)")
                }
            }
            before = plan
        }
    }

    private static let needs: [KeyPath<PlanNeeds, Double> & Sendable] = [
        \.daemonCores, \.hearingCores, \.countCores, \.daemonBytes, \.laneLikes, \.redisCores, \.redisBytes,
        \.redisBytesIn, \.redisBytesOut, \.primaryCores, \.coldCores, \.logBytes, \.logBytesOfPages, \.indexBytes,
        \.diskBytes, \.diskBytesPerYear, \.connections, \.replayCores,
    ]

    @Test("A larger load takes no fewer PostgreSQL, nor hosts and Redis while PostgreSQL is one", arguments: growing)
    func aLargerLoadTakesNoFewerServers(part: WritableKeyPath<PlanLoad, Double> & Sendable) throws {
        var before = try CapacityPlan(load(part, 0.001))
        for step in 1...20 {
            let factor = Double(1 << step) / 256
            let value = part == \PlanLoad.coldShare ? min(1, factor) : load[keyPath: part] * factor
            let plan = try CapacityPlan(load(part, value))
            #expect(before.databases <= plan.databases, "\(part) \(step)")
            if plan.databases == 1 {
                #expect(before.hosts <= plan.hosts, "\(part) \(step)")
                #expect(before.redisNodes <= plan.redisNodes, "\(part) \(step)")
            }
            before = plan
        }
    }

    @Test("A plan without a number of hosts carries its load, and each limit but the disk of a year holds")
    func aPlanCarriesItsLoad() throws {
        for likes in [0, 1, 1_000, 30_000, 100_000, 1_000_000, 10_000_000] {
            for counts in [0, 1, 500_000, 5_000_000] {
                var large = load
                (large.likes, large.counts) = (Double(likes), Double(counts))
                let plan = try CapacityPlan(large)
                #expect(plan.isCarried, "\(likes) \(counts) \(plan.limits[0])")
                #expect(plan.hosts >= 2)
                #expect(plan.redisNodes == 1 || plan.redisNodes >= 3)
            }
        }
    }

    @Test("Fewer hosts than a load needs are told, with what is over its limit first")
    func tooFewHostsAreTold() throws {
        var large = load(\.counts, 1_000_000)
        large.hosts = 1
        let plan = try CapacityPlan(large)
        #expect(plan.hosts == 1)
        #expect(!plan.isCarried)
        #expect(plan.limits[0].kind == .daemon)
        #expect(plan.limits[0].share > 1)
        #expect(PlanReport(plan).text.contains("This does not carry the load"))
        #expect(PlanReport(plan).json.text.hasPrefix(#"{"carried":false,"#))
    }

    @Test("The same likes from more hosts come in smaller batches, and cost the servers more")
    func moreHostsCostTheServersMore() throws {
        var few = load(\.likes, 16_000)
        few.hosts = 2
        var many = few
        many.hosts = 40
        let (fewer, more) = (try CapacityPlan(few), try CapacityPlan(many))
        #expect(fewer.needs.primaryCores < more.needs.primaryCores)
        #expect(redisCores(fewer) < redisCores(more))
        #expect(fewer.needs.connections < more.needs.connections)
    }

    @Test("Counts that are asked for together cost likesd less, and a longer TTL spares Redis")
    func batchesAndALongerTTLSpareServers() throws {
        var hosts = load(\.counts, 400_000)
        hosts.items = 100_000
        hosts.hosts = 8
        var together = hosts
        together.countsPerRequest = 50
        var longer = hosts
        longer.localFreshSeconds = 10
        let plan = try CapacityPlan(hosts)
        #expect(try CapacityPlan(together).needs.daemonCores < plan.needs.daemonCores)
        #expect(redisCores(try CapacityPlan(longer)) < redisCores(plan))
        longer.localFreshSeconds = 0
        #expect(redisCores(try CapacityPlan(longer)) >= redisCores(plan))
    }

    /// Of all primaries.
    private func redisCores(_ plan: CapacityPlan) -> Double { plan.needs.redisCores * Double(plan.redisNodes) }

    @Test("Standbys answer counts where most counts are cold, and the primary no longer does")
    func standbysAnswerColdCounts() throws {
        var cold = load(\.coldShare, 1)
        cold.counts = 2_000_000
        let plan = try CapacityPlan(cold)
        #expect(plan.readingStandbys > 0)
        #expect(plan.needs.primaryCores < plan.needs.coldCores)
        #expect(try CapacityPlan(load).readingStandbys == 0)
    }

    @Test("Likes are divided once a table of a year from now is too large, in powers of two")
    func likesAreDividedOnceTheTableIsTooLarge() throws {
        #expect(try CapacityPlan(load(\.likes, 1)).needs.partitions == 1)
        for (stored, partitions) in [(1e9, 16), (5e9, 32), (80e9, 256)] {
            var few = load(\.likes, 1)
            few.likesStored = stored
            #expect(try CapacityPlan(few).needs.partitions == partitions)
        }
    }

    @Test("Partitions cost each batch, so small batches can pay for few, and none where they can pay for none")
    func partitionsAreAsManyAsBatchesCanPayFor() throws {
        var few = load(\.likes, 20_000)
        (few.counts, few.likesStored) = (0, 10_000_000_000)
        few.hosts = 2
        var many = few
        many.hosts = 40
        let (large, small) = (try CapacityPlan(few).needs, try CapacityPlan(many).needs)
        #expect(large.partitions > small.partitions && small.partitions > 1)
        let mayTake =
            PlanAssumptions.partitionsShare * PlanAssumptions.usableShare * PlanAssumptions.databaseCores
        let batches = 40 * LikeCost.batches(at: 500)
        let divided = Double(small.partitions) * batches * PlanFigures.partitionPerBatch.cores
        #expect(divided <= mayTake && 2 * divided > mayTake)
        many.likesStored = 0
        many.peak = 10_000
        let whole = try CapacityPlan(many).needs
        #expect(whole.partitions == 1)
        #expect(abs(small.primaryCores - whole.primaryCores - divided) < 1e-9, "they are counted")
    }

    @Test("A day changes no more pages of the index than it has likes")
    func aDayChangesNoMorePagesThanItHasLikes() throws {
        var calm = load(\.likes, 3)
        calm.likesStored = 1_000_000_000
        #expect(try CapacityPlan(calm).needs.indexBytes == 86_400 * PlanAssumptions.pageBytes)
    }

    @Test("Thousands of hosts are told to be too many for the connections")
    func thousandsOfHostsAreTooManyConnections() throws {
        var many = load(\.likes, 100)
        many.hosts = 10_000
        let plan = try CapacityPlan(many)
        #expect(!plan.isCarried)
        #expect(plan.limits.first { $0.kind == .connections }.map { $0.share > 1 } == true)
    }

    @Test("A load beyond a thousand PostgreSQL is refused")
    func aLoadBeyondAllIsRefused() {
        #expect {
            try CapacityPlan(load(\.likes, 100_000_000))
        } throws: { error in
            (error as? Failure)?.message == "that takes more than 1000 PostgreSQL servers"
        }
    }

    @Test("Each figure says what it is and where it was measured, and none is there twice")
    func eachFigureIsExplained() {
        #expect(PlanFigures.all.allSatisfy { $0.value > 0 && !$0.source.isEmpty })
        #expect(Set(PlanFigures.all.map(\.meaning)).count == PlanFigures.all.count)
    }

    @Test("Each example of the documents is a plan, and its text fits a terminal of 96 columns")
    func examplesArePlans() {
        for example in PlanExample.all {
            #expect(example.printed.split(separator: "\n").allSatisfy { $0.count <= 96 }, "\(example.name)")
            #expect(example.printed.contains("What reaches its limit first"))
        }
    }

    @Test("Numbers are shown with three digits that count")
    func numbersAreShownWithThreeDigits() {
        let shown: [(Double, String)] = [
            (0, "0 B"), (1, "1 B"), (999.4, "999 B"), (999.6, "1 kB"), (1_234, "1.23 kB"), (45_600_000, "45.6 MB"),
            (2.5e12, "2.5 TB"), (7.777e17, "778 PB"),
        ]
        for (value, text) in shown { #expect(Quantity.bytes(value) == text) }
        #expect(Quantity.cores(0.001) == "0.01 of a core")
        #expect(Quantity.cores(12.341) == "12.4 cores")
        #expect(Quantity.percent(0.901) == "91 %")
        #expect(Quantity.parted(1_234_567) == "1,234,567")
    }
}
