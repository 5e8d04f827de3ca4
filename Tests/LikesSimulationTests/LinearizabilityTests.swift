import LikesCore
import LikesSimulation
import Testing

private typealias Entry = Linearizability.Entry

@Suite struct LinearizabilityTests {
    @Test("A read between two others of the same answer, with another, is found")
    func aReadThatFitsNowhereIsFound() {
        let entries = [
            Entry(.like, calledAt: 0, repliedAt: 10, result: true),
            Entry(.liked, calledAt: 20, repliedAt: 30, result: false),
        ]
        #expect(Linearizability.violation(entries) == 1)
    }

    @Test("Two likes cannot both have changed the pair")
    func twoLikesCannotBothHaveChangedThePair() {
        let entries = [
            Entry(.like, calledAt: 0, repliedAt: 10, result: true),
            Entry(.like, calledAt: 5, repliedAt: 15, result: true),
        ]
        #expect(Linearizability.violation(entries) != nil)
    }

    @Test("A change without an answer may happen late, once, or never")
    func aChangeWithoutAnAnswerMayHappenLateOnceOrNever() {
        let lost = Entry(.like, calledAt: 0, repliedAt: .never, result: true)
        func reads(_ results: [Bool]) -> [Entry] {
            results.enumerated().map { place, result in
                let at = Micros(place) * 10 + 100
                return Entry(.liked, calledAt: at, repliedAt: at + 5, result: result)
            }
        }
        #expect(Linearizability.violation([lost] + reads([false, false])) == nil)
        #expect(Linearizability.violation([lost] + reads([false, true])) == nil)
        #expect(Linearizability.violation([lost] + reads([true, false])) != nil)
    }

    @Test("The search agrees with trying every order", arguments: 0..<400)
    func theSearchAgreesWithTryingEveryOrder(seed: UInt64) {
        var chance = Chance(seed: seed)
        var entries: [Entry] = []
        for _ in 0..<(2 + chance.below(5)) {
            let kind: Entry.Kind = [.like, .unlike, .liked][chance.below(3)]
            let at = chance.between(0, 20)
            let isLost = kind != .liked && chance.hits(percent: 20)
            entries.append(
                Entry(
                    kind, calledAt: at, repliedAt: isLost ? .never : at + chance.between(1, 12),
                    result: isLost || chance.hits(percent: 50)))
        }
        #expect((Linearizability.violation(entries) == nil) == Self.explains(entries, from: false))
    }

    /// Every order there is.
    private static func explains(_ entries: [Entry], from state: Bool) -> Bool {
        if entries.allSatisfy({ $0.repliedAt == .never }) { return true }
        let firstReply = entries.map(\.repliedAt).min() ?? .never
        for place in entries.indices where entries[place].calledAt <= firstReply {
            let entry = entries[place]
            var rest = entries
            rest.remove(at: place)
            let wanted = entry.kind == .like
            if entry.repliedAt == .never {
                if explains(rest, from: wanted) { return true }
            } else if entry.kind == .liked {
                if entry.result == state, explains(rest, from: state) { return true }
            } else if entry.result == (state != wanted), explains(rest, from: wanted) {
                return true
            }
        }
        return false
    }
}
