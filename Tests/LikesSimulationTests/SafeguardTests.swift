import LikesCore
import LikesSimulation
import Testing

/// One mechanism, and what is seen to break without it.
private struct Bite: Sendable, CustomTestStringConvertible {
    var safeguard: String
    /// What may be found first, whatever the seed.
    var rules: Set<Rule>
    /// A seed among these shows it.
    var seedsMax: UInt64
    /// Others that would hide it: they are off with it and without it.
    var others: [String] = []

    var testDescription: String { safeguard }
}

@Suite struct SafeguardTests {
    private static let bites = [
        Bite(safeguard: "versionCheck", rules: [.fresh, .repaired], seedsMax: 1_000),
        // What is put there that late is not believed for its seal either.
        Bite(safeguard: "callDeadline", rules: [.fresh, .repaired], seedsMax: 4_000, others: ["seals"]),
        Bite(safeguard: "generationCheck", rules: [.fresh, .repaired], seedsMax: 300),
        Bite(safeguard: "fence", rules: [.commits, .durable, .fresh, .linearizable], seedsMax: 600),
        // What a dead host left in Redis is not believed for its seal either, after a while.
        Bite(safeguard: "journal", rules: [.fresh, .repaired], seedsMax: 300, others: ["seals"]),
        Bite(safeguard: "repairTable", rules: [.repaired, .fresh], seedsMax: 100),
        Bite(safeguard: "repairs", rules: [.fresh, .repaired], seedsMax: 300),
        Bite(safeguard: "fetchJoining", rules: [.fresh], seedsMax: 8_000),
        Bite(safeguard: "fetchOvertaking", rules: [.fresh], seedsMax: 300),
        Bite(safeguard: "rowOrder", rules: [.deadlock], seedsMax: 600),
        Bite(safeguard: "hintConfirmation", rules: [.linearizable], seedsMax: 300),
        Bite(safeguard: "cacheExpiry", rules: [.fresh], seedsMax: 600),
        Bite(safeguard: "contradictions", rules: [.repaired, .fresh], seedsMax: 100),
        Bite(safeguard: "ownOrder", rules: [.linearizable, .durable, .commits, .changeCount], seedsMax: 100),
        Bite(safeguard: "scriptOrder", rules: [.linearizable, .durable, .commits, .changeCount], seedsMax: 400),
        Bite(safeguard: "standbyWait", rules: [.durable], seedsMax: 100),
        Bite(safeguard: "counterMemory", rules: [.fresh, .repaired], seedsMax: 1_000),
        Bite(safeguard: "tellings", rules: [.fresh], seedsMax: 100),
        Bite(safeguard: "seals", rules: [.fresh, .repaired, .changeCount, .alarms], seedsMax: 100),
        Bite(safeguard: "standbyProof", rules: [.fresh], seedsMax: 100),
        Bite(safeguard: "standbyMemory", rules: [.fresh], seedsMax: 50),
        Bite(safeguard: "admissionOrder", rules: [.linearizable, .durable, .commits, .changeCount], seedsMax: 50),
        Bite(safeguard: "redirects", rules: [.rates], seedsMax: 50),
    ]

    /// No seed was found for it. `ClusterPastTests` shows what happens without it.
    private static let unseen = ["regainedSlots"]

    @Test("Without a mechanism the simulation finds what it is for; with it, nothing", arguments: bites)
    private func withoutAMechanismTheSimulationFindsWhatItIsForAndWithItNothing(bite: Bite) throws {
        let path = try #require(Safeguards.named(bite.safeguard))
        let focus = try #require(Focus.on(bite.safeguard))
        var with = Safeguards()
        for other in bite.others { with[keyPath: try #require(Safeguards.named(other))] = false }
        var without = with
        without[keyPath: path] = false
        for seed in 0..<bite.seedsMax {
            let simulation = Simulation(seed: seed, safeguards: without, focus: focus)
            guard let violation = simulation.run(), bite.rules.contains(violation.rule) else { continue }
            // It is the mechanism's absence that shows, not the seed.
            if Simulation(seed: seed, safeguards: with, focus: focus).run() != nil { continue }
            return
        }
        Issue.record("no seed below \(bite.seedsMax) fails without \(bite.safeguard)")
    }

    @Test("Every mechanism has a name, a focus, a switch, and a row or a reason for none")
    func everyMechanismHasANameAFocusASwitchAndARow() throws {
        for name in Safeguards.names {
            let path = try #require(Safeguards.named(name))
            #expect(Safeguards()[keyPath: path], "\(name) is on")
            #expect(Focus.on(name) != nil, "\(name) has a focus")
        }
        let switches = Mirror(reflecting: Safeguards()).children.compactMap(\.label)
        #expect(Set(switches) == Set(Safeguards.names))
        #expect((Self.bites.map(\.safeguard) + Self.unseen).sorted() == switches.sorted())
    }
}
