import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct BatchTests {
    @Test("Folding sorts the rows and keeps each pair's last wish")
    func foldingSortsTheRowsAndKeepsEach() {
        let batch = Batch([
            AdmissionEntry(pair: bob, kind: .like), AdmissionEntry(pair: ann, kind: .like),
            AdmissionEntry(pair: bob, kind: .unlike),
        ])
        #expect(batch.rows == [BatchRow(pair: ann, wanted: true), BatchRow(pair: bob, wanted: false)])
    }

    /// Random changes against a set of pairs executed one by one.
    @Test("Replay gives every change what executing them one by one would have given", arguments: 0..<500)
    func replayGivesEveryChangeWhatExecutingThem(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var liked: Set<Pair> = []
        var versions: [Item: Int64] = [:]
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let changes = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                AdmissionEntry(
                    pair: Pair(
                        user: Int64.random(in: 0..<4, using: &random),
                        item: Item(
                            type: UInt8.random(in: 0..<2, using: &random),
                            id: Int64.random(in: 0..<3, using: &random))),
                    kind: Bool.random(using: &random) ? .like : .unlike)
            }
            var model = liked
            let expected = changes.map { change -> (Bool, Int64) in
                let changed =
                    change.kind == .like ? model.insert(change.pair).inserted : model.remove(change.pair) != nil
                return (changed, Int64(model.count { $0.item == change.pair.item }))
            }
            let batch = Batch(changes)
            let changed = batch.rows.map { liked.contains($0.pair) != $0.wanted }
            for row in batch.rows {
                if row.wanted { liked.insert(row.pair) } else { liked.remove(row.pair) }
            }
            #expect(liked == model)
            let items = Set(zip(batch.rows, changed).filter { $0.1 }.map { $0.0.pair.item })
            for item in items { versions[item, default: 0] += 1 }
            func after(_ item: Item) -> Int64 { Int64(liked.count { $0.item == item }) }
            let counters = items.sorted { ($0.type, $0.id) < ($1.type, $1.id) }
                .map { CounterState(item: $0, count: after($0), version: versions[$0] ?? 0) }
            let results = batch.replay(BatchOutcome(changed: changed, counters: counters))
            for (change, (result, wanted)) in zip(changes, zip(results, expected)) {
                #expect(result.changed == wanted.0)
                let count = result.isCountKnown ? result.count : result.count + after(change.pair.item)
                #expect(count == wanted.1)
            }
        }
    }
}

@Suite struct LocalRateTests {
    @Test("A window is fixed from its first request and then starts anew")
    func aWindowIsFixedFromItsFirst() {
        var rate = LocalRate(requestsMax: 2, windowSeconds: 10)
        #expect(rate.count(user: 1, now: .ms(0)) == nil)
        #expect(rate.count(user: 1, now: .ms(4_000)) == nil)
        #expect(rate.count(user: 1, now: .ms(9_001)) == 1)
        #expect(rate.count(user: 2, now: .ms(9_001)) == nil)
        #expect(rate.count(user: 1, now: .ms(10_000)) == nil)
    }

    @Test("Users over the limit of the table never make it grow")
    func usersOverTheLimitOfTheTable() {
        var rate = LocalRate(requestsMax: 2, windowSeconds: 10, usersMax: 100)
        for user in 0..<1_000 { _ = rate.count(user: Int64(user), now: .ms(Int64(user))) }
        #expect(rate.usersCount <= 100)
    }
}
