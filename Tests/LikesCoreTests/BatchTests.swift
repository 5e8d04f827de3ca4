import LikesProtocol
import LikesRandom
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct BatchTests {
    @Test("Rows are sorted, and each pair is sent once")
    func rowsAreSortedAndEachPairIsSentOnce() {
        var batch = Batch()
        let taken = [bob, ann, bob].map { batch.add($0, .like) }
        #expect(taken == [true, true, true])
        let rows = batch.seal()
        #expect(rows == [BatchRow(pair: ann, wanted: true), BatchRow(pair: bob, wanted: true)])
        #expect(batch.changesCount == 3)
    }

    @Test("The opposite of a change that is in the batch is not taken")
    func theOppositeOfAChangeInTheBatchIsNotTaken() {
        var batch = Batch()
        let taken = [ChangeKind.unlike, .like].map { batch.add(ann, $0) }
        let rows = batch.seal()
        #expect(taken == [true, false])
        #expect(rows == [BatchRow(pair: ann, wanted: false)])
    }

    /// Random changes against a set of pairs executed one by one.
    @Test("Replay gives every change what executing them one by one would have given", arguments: 0..<500)
    func replayGivesWhatExecutingTheChangesOneByOneWouldHaveGiven(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var liked: Set<Pair> = []
        func count(_ item: Item) -> Int64 { Int64(liked.count { $0.item == item }) }
        for _ in 0..<6 {
            var batch = Batch()
            let before = liked
            var expected: [(changed: Bool, item: Item, count: Int64)] = []
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let item = Item(
                    type: UInt8.random(in: 0..<2, using: &random), id: Int64.random(in: 0..<3, using: &random))
                let pair = Pair(user: Int64.random(in: 0..<4, using: &random), item: item)
                let kind = Bool.random(using: &random) ? ChangeKind.like : .unlike
                guard batch.add(pair, kind) else { continue }
                let changed = kind == .like ? liked.insert(pair).inserted : liked.remove(pair) != nil
                expected.append((changed, item, count(item)))
            }
            let changed = batch.seal().map { before.contains($0.pair) != $0.wanted }
            let items = Set(before.symmetricDifference(liked).map(\.item))
            let counters = items.sorted { ($0.type, $0.id) < ($1.type, $1.id) }
                .map { CounterState(item: $0, count: count($0), version: 1) }
            let (results, uncounted) = batch.replay(BatchOutcome(changed: changed, counters: counters))
            #expect(uncounted == [])
            #expect(results.map(\.changed) == expected.map(\.changed))
            #expect(results.map(\.count) == expected.map { items.contains($0.item) ? $0.count : nil })
        }
    }
}

@Suite struct LocalRateTests {
    @Test("A window is fixed from its first request and then starts anew")
    func aWindowIsFixedFromItsFirstRequestAndThenStartsAnew() {
        var rate = LocalRate(requestsMax: 2, windowSeconds: 10)
        #expect(rate.count(user: 1, now: .ms(0)) == nil)
        #expect(rate.count(user: 1, now: .ms(4_000)) == nil)
        #expect(rate.count(user: 1, now: .ms(9_001)) == 1)
        #expect(rate.count(user: 2, now: .ms(9_001)) == nil)
        #expect(rate.count(user: 1, now: .ms(10_000)) == nil)
    }

    @Test("Users over the limit of the table never make it grow")
    func usersOverTheLimitOfTheTableNeverMakeItGrow() {
        var rate = LocalRate(requestsMax: 2, windowSeconds: 10, usersMax: 100)
        for user in 0..<1_000 { _ = rate.count(user: Int64(user), now: .ms(Int64(user))) }
        #expect(rate.usersCount <= 100)
    }
}
