import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

@Suite struct RecentCountersTests {
    private func counter(_ id: Int, _ version: Int64) -> CounterState {
        CounterState(item: Item(type: 0, id: Int64(id)), count: 1, version: version)
    }

    @Test("What is still remembered survives when the memory of a burst is given back")
    func whatIsRememberedSurvivesThatMemoryIsGivenBack() {
        var recent = RecentCounters(redisCallMs: 100, now: .ms(0))
        let burst = 10 * Limits.standard.recentCountersKept
        for id in 0..<burst { recent.write(counter(id, 5), isFill: true, now: .ms(0)) }
        for id in 0..<10 { recent.write(counter(burst + id, 7), isFill: true, now: .ms(5_000)) }
        recent.forget(heardUntil: .ms(4_000))
        #expect(recent.count == 10)
        #expect(recent.capacity < burst / 100)
        for id in 0..<10 { #expect(recent.newest(counter(burst + id, 6)).version == 7) }
        #expect(recent.newest(counter(0, 4)).version == 4)
        #expect(recent.takeWritten { _ in true } == (0..<10).map { counter(burst + $0, 7).item })
    }

    @Test("What is served for want of an answer is never older than what was committed here")
    func whatIsServedForWantOfAnAnswerIsNotOlderThanWhatWasCommitted() {
        var known = KnownCounters(
            cache: LocalCache(entriesMax: 10, ttlMs: 1_000, seed: 1),
            recent: RecentCounters(redisCallMs: 100, now: .ms(0)), doubts: Doubts(.standard, now: .ms(0)), Safeguards())
        // The host was paused after it had sent the batch, and the cache has nothing of the item.
        _ = known.committed([counter(1, 3)], isYoung: false, isFresh: { _ in false }, node: { _ in 0 }, now: .ms(10))
        #expect(known.stale(counter(1, 0).item) == nil)
        known.storeStale(counter(1, 2), now: .ms(11))
        #expect(known.stale(counter(1, 0).item)?.version == 3)
    }

    @Test("What is taken is forgotten as of when it became known, and what stays does not count as forgotten")
    func whatStaysDoesNotCountAsForgotten() {
        var recent = RecentCounters(redisCallMs: 100, now: .ms(0))
        recent.write(counter(1, 5), isFill: false, now: .ms(10))
        recent.write(counter(2, 5), isFill: false, now: .ms(20))
        recent.know(counter(1, 5), now: .ms(30))
        #expect(recent.takeWritten { _ in false } == [] && recent.forgottenAt == .ms(0))
        #expect(recent.takeWritten { $0.id == 1 } == [counter(1, 5).item] && recent.forgottenAt == .ms(10))
        #expect(recent.newest(counter(2, 4)).version == 5)
    }

    @Test("A ring keeps its order over shrinking")
    func aRingKeepsItsOrderOverShrinking() {
        var ring = Ring<Int>()
        for number in 0..<1_000 { ring.append(number) }
        for _ in 0..<995 { ring.popFirst() }
        ring.shrink()
        ring.append(1_000)
        #expect((0..<ring.count).map { ring[$0] } == [995, 996, 997, 998, 999, 1_000])
    }
}
