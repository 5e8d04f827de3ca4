import LikesSimulation
import Testing

private typealias Entry = Linearizability.Entry

@Suite struct LinearizabilityTests {
    @Test("A read between two others of the same answer, with another, is found")
    func aReadThatFitsNoOrderIsFound() {
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

    @Test("Of one connection the later takes effect later: UNLIKE before LIKE is found")
    func ofOneConnectionTheLaterRequestTakesEffectLater() {
        var entries = [
            Entry(.like, calledAt: 0, repliedAt: 10, result: true),
            Entry(.unlike, calledAt: 0, repliedAt: 10, result: false),
        ]
        #expect(Linearizability.violation(entries) == nil)
        entries[1].follows = 0
        #expect(Linearizability.violation(entries) == 1)
    }

    @Test("The search agrees with trying every order", arguments: 0..<400)
    func theSearchAgreesWithTryingEveryOrder(seed: UInt64) {
        var chance = Chance(seed: seed)
        var entries: [Entry] = []
        for place in 0..<(2 + chance.below(5)) {
            let kind: Entry.Kind = [.like, .unlike, .liked][chance.below(3)]
            let at = chance.between(0, 20)
            let isLost = kind != .liked && chance.hits(percent: 20)
            var entry = Entry(
                kind, calledAt: at, repliedAt: isLost ? .never : at + chance.between(1, 12),
                result: isLost || chance.hits(percent: 50))
            // Of the same connection: asked no earlier, answered no earlier.
            if !isLost, place > 0, chance.hits(percent: 50), entries[place - 1].repliedAt != .never {
                entry.calledAt = max(entry.calledAt, entries[place - 1].calledAt)
                entry.repliedAt = max(entry.repliedAt, entries[place - 1].repliedAt)
                entry.follows = place - 1
            }
            entries.append(entry)
        }
        let isExplained = Self.explains(entries, left: Set(entries.indices), false)
        #expect((Linearizability.violation(entries) == nil) == isExplained)
    }

    /// Every order there is of those that are left.
    private static func explains(_ entries: [Entry], left: Set<Int>, _ state: Bool) -> Bool {
        if left.allSatisfy({ entries[$0].repliedAt == .never }) { return true }
        let firstReply = left.map { entries[$0].repliedAt }.min() ?? .never
        for place in left where entries[place].calledAt <= firstReply {
            let entry = entries[place]
            if let earlier = entry.follows, left.contains(earlier) { continue }
            let rest = left.subtracting([place])
            let wanted = entry.kind == .like
            if entry.repliedAt == .never {
                if explains(entries, left: rest, wanted) { return true }
            } else if entry.kind == .liked {
                if entry.result == state, explains(entries, left: rest, state) { return true }
            } else if entry.result == (state != wanted), explains(entries, left: rest, wanted) {
                return true
            }
        }
        return false
    }
}
