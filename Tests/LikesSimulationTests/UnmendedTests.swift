import LikesCore
import LikesSimulation
import Testing

/// Kinds of failure that the simulation knows and the core does not withstand yet.
@Suite struct UnmendedTests {
    private static let seedsMax: UInt64 = 500

    @Test("A kind of failure that is not drawn is one that breaks a guarantee", arguments: FaultKind.notMended)
    func aKindThatIsNotDrawnBreaksAGuarantee(kind: FaultKind) throws {
        let focus = try #require(Focus.on("\(kind)"))
        let isBroken = (0..<Self.seedsMax).contains { Simulation(seed: $0, focus: focus).run() != nil }
        #expect(isBroken, "\(kind) is withstood: take it out of FaultKind.notMended, so that it is drawn")
    }
}
