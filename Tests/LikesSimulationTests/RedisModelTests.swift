import LikesSimulation
import Testing

@testable import TestSupport

/// Not in the model, and left to the scripts' own tests: keys of a foreign type or without their TTL, and writes that
/// take more than one run of a script.
@Suite struct RedisModelTests {
    private static let rounds = 100
    private static let stepsPerRound = 80

    @Test("The simulated Redis answers, keeps and tells what the real one does with the daemon's scripts")
    func theSimulatedRedisDoesWhatTheRealOneDoes() throws {
        let seed = runSeed()
        var chance = Chance(seed: seed)
        let server = try RedisServer()
        var sights: Set<RedisTrial.Sight> = []
        for round in 0..<Self.rounds {
            var trial = try RedisTrial(server, seed: chance.next())
            for step in 0..<Self.stepsPerRound {
                guard let difference = try trial.step() else { continue }
                Issue.record("LIKESD_SEED=\(seed): round \(round), step \(step): \(difference)")
                return
            }
            sights.formUnion(trial.sights)
        }
        let missing = Set(RedisTrial.Sight.allCases).subtracting(sights)
        #expect(missing.isEmpty, "LIKESD_SEED=\(seed) brought about no \(missing)")
    }
}
