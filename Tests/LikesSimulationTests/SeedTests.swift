import LikesCore
import LikesSimulation
import Testing

@Suite struct SeedTests {
    @Test("Whatever fails, no guarantee is broken", arguments: 0..<32)
    func whateverFailsNoGuaranteeIsBroken(chunk: UInt64) {
        for seed in (chunk * 25)..<(chunk * 25 + 25) { expectNothingBroken(seed) }
    }

    @Test("Two databases on one Redis keep apart", arguments: 0..<4)
    func twoDatabasesOnOneRedisKeepApart(chunk: UInt64) {
        for seed in (chunk * 10)..<(chunk * 10 + 10) {
            expectNothingBroken(seed, focus: Focus([.databasesShareRedis]))
        }
    }

    @Test("Beside the reference service no guarantee is broken, and COUNT is right within seconds", arguments: 0..<2)
    func besideTheReferenceServiceNoGuaranteeIsBroken(chunk: UInt64) throws {
        let focus = try #require(Focus.on("referenceWrites"))
        for seed in (chunk * 25)..<(chunk * 25 + 25) { expectNothingBroken(seed, focus: focus) }
    }

    @Test("Whatever fails beside the reference service, no guarantee is broken", arguments: 0..<2)
    func whateverFailsBesideTheReferenceServiceNoGuaranteeIsBroken(chunk: UInt64) throws {
        let focus = try #require(Focus.on("reference"))
        for seed in (chunk * 25)..<(chunk * 25 + 25) { expectNothingBroken(seed, focus: focus) }
    }

    @Test("Without the notes of what the reference service writes, its likes stay unseen")
    func withoutTheNotesOfTheReferenceServiceItsLikesStayUnseen() throws {
        var focus = try #require(Focus.on("referenceWrites"))
        focus.isReferenceNoted = false
        let found = (0..<50 as Range<UInt64>).first { Simulation(seed: $0, focus: focus).run()?.rule == .fresh }
        #expect(found != nil)
    }

    @Test("Whatever fails in a cluster, no guarantee is broken", arguments: 0..<4)
    func whateverFailsInAClusterNoGuaranteeIsBroken(chunk: UInt64) throws {
        let focus = try #require(Focus.on("cluster"))
        for seed in (chunk * 25)..<(chunk * 25 + 25) { expectNothingBroken(seed, focus: focus) }
    }

    @Test("The rate limit is exact while slots move", arguments: 0..<2)
    func theRateLimitIsExactWhileSlotsMove(chunk: UInt64) throws {
        let focus = try #require(Focus.on("clusterRates"))
        for seed in (chunk * 25)..<(chunk * 25 + 25) { expectNothingBroken(seed, focus: focus) }
    }

    @Test("The same seed is the same run")
    func theSameSeedIsTheSameRun() {
        for seed: UInt64 in 0..<10 {
            let (first, second) = (Simulation(seed: seed), Simulation(seed: seed, isTracing: true))
            _ = first.run()
            _ = second.run()
            #expect(first.digest == second.digest, "seed \(seed)")
        }
    }

    @Test("Seeds bring about what is rare, and hold many COUNTs tightly")
    func seedsBringAboutWhatIsRare() {
        var coverage = Coverage()
        var countsByStrictness = [Int](repeating: 0, count: Bound.Strictness.allCases.count)
        for seed: UInt64 in 0..<600 {
            let simulation = Simulation(seed: seed)
            _ = simulation.run()
            coverage.add(simulation.coverage)
            for strictness in Bound.Strictness.allCases {
                countsByStrictness[strictness.rawValue] += simulation.countsByStrictness[strictness.rawValue]
            }
        }
        // So rare that it takes seeds that are about it.
        for (name, seeds) in [
            ("standbyWait", 200), ("scriptOrder", 200), ("standbys", 200), ("cluster", 60), ("reference", 5),
        ] {
            for seed: UInt64 in 0..<UInt64(seeds) {
                let simulation = Simulation(seed: seed, focus: Focus.on(name))
                _ = simulation.run()
                coverage.add(simulation.coverage)
            }
        }
        for rarity in Rarity.allCases where rarity != .deadlocks && rarity != .lockTimeouts {
            #expect(coverage[rarity] > 0, "\(rarity)")
        }
        #expect(coverage[.deadlocks] == 0)
        let share = countsByStrictness[Bound.Strictness.tightly.rawValue] * 100 / countsByStrictness.reduce(0, +)
        #expect(share >= 40, "\(share) % of COUNTs were held tightly")
    }

    @Test("A failing seed prints its history")
    func aFailingSeedPrintsItsHistory() throws {
        var safeguards = Safeguards()
        safeguards.hintConfirmation = false
        let failing = (0..<2_000 as Range<UInt64>).lazy.map { Simulation(seed: $0, safeguards: safeguards) }
            .first { $0.run() != nil }
        let seed = try #require(failing).seed
        let simulation = Simulation(seed: seed, safeguards: safeguards, isTracing: true)
        let violation = try #require(simulation.run())
        let report = simulation.report(linesMax: .max)
        #expect(report.hasPrefix("seed \(seed): \(violation.rule.rawValue)"))
        #expect(report.contains("PostgreSQL: user"))
        #expect(report.split(separator: "\n").count > 10)
    }
}

func expectNothingBroken(_ seed: UInt64, focus: Focus? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    let simulation = Simulation(seed: seed, focus: focus)
    guard let violation = simulation.run() else { return }
    Issue.record(
        "seed \(seed): \(violation.rule): \(violation.text); see it with simulate --first \(seed) --seeds 1 --trace",
        sourceLocation: sourceLocation)
}
