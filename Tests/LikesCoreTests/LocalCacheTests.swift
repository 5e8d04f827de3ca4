import LikesProtocol
import LikesRandom
import LikesStorage
import TestSupport
import Testing

@testable import LikesCore

private func item(_ id: Int64, type: UInt8 = 0) -> Item { Item(type: type, id: id) }
private func counter(_ id: Int64, _ count: Int64, _ version: Int64) -> CounterState {
    CounterState(item: item(id), count: count, version: version)
}
private func cache(_ entriesMax: Int, ttlMs: Int64 = 1_000) -> LocalCache {
    LocalCache(entriesMax: entriesMax, ttlMs: ttlMs, seed: 1)
}

@Test("A stored count is fresh until the TTL has passed, and can be read as stale for ever")
func aStoredCountIsFreshUntilTheTTLHasPassed() {
    var cache = cache(10)
    _ = cache.store(counter(1, 5, 1), now: .ms(100))
    #expect(cache.fresh(item(1), now: .ms(100)) == 5)
    #expect(cache.fresh(item(1), now: Instant(microseconds: 1_099_999)) == 5)
    #expect(cache.fresh(item(1), now: .ms(1_100)) == nil)
    #expect(cache.stale(item(1)) == counter(1, 5, 1))
    #expect(cache.fresh(item(2), now: .ms(100)) == nil)
    #expect(cache.stale(item(2)) == nil)
}

@Test("A hit does not make a count fresh for longer")
func aHitDoesNotMakeACountFreshForLonger() {
    var cache = cache(10)
    _ = cache.store(counter(1, 5, 1), now: .ms(0))
    #expect(cache.fresh(item(1), now: .ms(900)) == 5)
    #expect(cache.fresh(item(1), now: .ms(1_000)) == nil)
}

@Test("An entry becomes stale once a later version is heard of, and since when it was true is not known any more")
func anEntryIsStaleOnceALaterVersionIsToldOf() {
    var cache = cache(10)
    let now = Instant(microseconds: 5)
    _ = cache.store(counter(1, 3, 4), now: now)
    cache.expire(item(1), below: 4)
    #expect(cache.fresh(item(1), now: now) == 3)
    cache.expire(item(1), below: 5)
    #expect(cache.fresh(item(1), now: now) == nil)
    #expect(cache.known(item(1))?.0.version == 4)
    #expect(cache.known(item(1))?.since == nil)
    _ = cache.store(counter(1, 4, 5), now: now)
    #expect(cache.fresh(item(1), now: now) == 4)
}

@Test("A newer version replaces, the same version is fresh again, an older one changes nothing")
func aNewerVersionReplacesAndAnOlderOneChangesNothing() {
    var cache = cache(10)
    _ = cache.store(counter(1, 5, 7), now: .ms(0))
    #expect(cache.store(counter(1, 4, 6), now: .ms(500)) == counter(1, 5, 7))
    #expect(cache.fresh(item(1), now: .ms(1_000)) == nil, "an older version renewed it")
    #expect(cache.store(counter(1, 5, 7), now: .ms(1_000)) == counter(1, 5, 7))
    #expect(cache.fresh(item(1), now: .ms(1_999)) == 5)
    #expect(cache.store(counter(1, 3, 8), now: .ms(2_000)) == counter(1, 3, 8))
    #expect(cache.fresh(item(1), now: .ms(2_000)) == 3)
    #expect(cache.count == 1)
}

@Test("Items with the same id and different types are different items")
func itemsOfTheSameIdAndAnotherTypeAreOthers() {
    var cache = cache(10)
    for type in [0, 1, 63] as [UInt8] {
        _ = cache.store(CounterState(item: item(1, type: type), count: Int64(type), version: 1), now: .ms(0))
    }
    #expect(cache.count == 3)
    for type in [0, 1, 63] as [UInt8] { #expect(cache.fresh(item(1, type: type), now: .ms(0)) == Int64(type)) }
}

@Test("An entry used since the hand passed it stays; reading it as stale or storing an older one is no use")
func anEntryThatWasUsedSinceTheHandPassedItStays() {
    var cache = cache(3)
    for id in 1...3 as ClosedRange<Int64> { _ = cache.store(counter(id, id, 1), now: .ms(0)) }
    // The hand starts behind the first place, as if that place had been reused last.
    #expect(cache.fresh(item(2), now: .ms(1)) == 2)
    #expect(cache.stale(item(3)) != nil)
    _ = cache.store(counter(3, 2, 0), now: .ms(1))
    _ = cache.store(counter(4, 4, 1), now: .ms(2))
    #expect(cache.stale(item(3)) == nil, "what is no use of an entry kept it")
    #expect([1, 2, 4].map { cache.stale(item($0))?.count } == [1, 2, 4])
    _ = cache.store(counter(5, 5, 1), now: .ms(3))
    _ = cache.store(counter(6, 6, 1), now: .ms(3))
    #expect([1, 2].map { cache.stale(item($0))?.count } == [nil, nil], "a use counts for one round of the hand")
    #expect([4, 5, 6].map { cache.stale(item($0))?.count } == [4, 5, 6])
    #expect(cache.count == 3)
    #expect(cache.evictions == 3)
}

@Test("What is used again and again survives any number of others that are asked for once")
func whatIsUsedAgainAndAgainSurvivesScans() {
    var cache = cache(1_000)
    let hot = 0..<100 as Range<Int64>
    for id in hot { _ = cache.store(counter(id, id, 1), now: .ms(0)) }
    for id in 1_000..<50_000 as Range<Int64> {
        // Each is used once in 500 insertions, well within a round of the hand.
        if id % 5 == 0 { #expect(cache.fresh(item(id / 5 % 100), now: .ms(0)) != nil) }
        _ = cache.store(counter(id, id, 1), now: .ms(0))
    }
    #expect(hot.allSatisfy { cache.fresh(item($0), now: .ms(0)) == $0 })
}

@Test("If all entries were used, one is still evicted after a bounded search")
func whereAllEntriesWereUsedOneGoesAfterABoundedSearch() {
    let entries = Int64(Limits.standard.cacheHandStepsMax) * 3
    var cache = cache(Int(entries))
    for id in 0..<entries {
        _ = cache.store(counter(id, id, 1), now: .ms(0))
        #expect(cache.fresh(item(id), now: .ms(0)) == id)
    }
    _ = cache.store(counter(entries, 1, 1), now: .ms(0))
    #expect(cache.count == Int(entries))
    #expect(cache.stale(item(Int64(Limits.standard.cacheHandStepsMax))) == nil)
    #expect(cache.evictions == 1)
}

@Test("expireAll makes everything stale at once, and what is stored after it is fresh, in the same microsecond too")
func expireAllMakesEverythingStaleAndWhatIsStoredAfterItIsFresh() {
    var cache = cache(10)
    let now = Instant.ms(7)
    for _ in 0..<3 {
        _ = cache.store(counter(1, 5, 1), now: now)
        #expect(cache.fresh(item(1), now: now) == 5)
        cache.expireAll()
        #expect(cache.fresh(item(1), now: now) == nil)
        #expect(cache.stale(item(1)) == counter(1, 5, 1))
    }
    cache.expireAll()
    _ = cache.store(counter(2, 6, 1), now: now)
    #expect(cache.fresh(item(2), now: now) == 6)
    #expect(cache.fresh(item(1), now: now) == nil)
}

@Test("A cache with room for no entries keeps nothing")
func aCacheOfNoEntriesKeepsNothing() {
    var cache = cache(0)
    #expect(cache.store(counter(1, 5, 1), now: .ms(0)) == counter(1, 5, 1))
    #expect(cache.fresh(item(1), now: .ms(0)) == nil)
    #expect(cache.stale(item(1)) == nil)
    #expect(cache.count == 0)
    #expect(cache.evictions == 0)
}

@Test("With a TTL of 0 nothing is ever fresh")
func withATTLOfZeroNothingIsEverFresh() {
    var cache = cache(10, ttlMs: 0)
    _ = cache.store(counter(1, 5, 1), now: .ms(3))
    #expect(cache.fresh(item(1), now: .ms(3)) == nil)
    cache.expireAll()
    _ = cache.store(counter(1, 5, 1), now: .ms(3))
    #expect(cache.fresh(item(1), now: .ms(3)) == nil)
    #expect(cache.stale(item(1)) == counter(1, 5, 1))
}

@Test("Items, counts and versions may have the largest values, and the TTL too")
func itemsCountsVersionsAndTheTTLMayHaveTheLargestValues() {
    var cache = cache(10, ttlMs: .max)
    let largest = CounterState(item: item(.max, type: 63), count: .max, version: CounterState.versionMax)
    _ = cache.store(largest, now: .ms(0))
    #expect(cache.fresh(largest.item, now: .ms(1_000_000_000_000)) == .max)
    #expect(cache.stale(largest.item) == largest)
}

@Test("A copy of the cache goes its own way, and both stay whole")
func aCopyOfTheCacheGoesItsOwnWay() {
    var cache = cache(5_000)
    for id in 0..<1_024 as Range<Int64> { _ = cache.store(counter(id, id, 1), now: .ms(0)) }
    var copy = cache
    for id in 2_000..<6_000 as Range<Int64> { _ = copy.store(counter(id, id, 1), now: .ms(0)) }
    for id in 0..<1_024 as Range<Int64> { #expect(cache.stale(item(id))?.count == id) }
    #expect(cache.count == 1_024)
    #expect(copy.count == 5_000)
    #expect(copy.stale(item(5_999))?.count == 5_999)
}

/// A model of the cache, as simple as possible.
private struct ModelCache {
    struct Held {
        var state: CounterState
        var storedAt: Instant
        var expired = false
        var used = false
    }
    let entriesMax: Int
    let ttlMs: Int64
    var held: [Item: Held] = [:]
    /// The items by place.
    var places: [Item] = []
    var hand = 0
    var evictions: UInt64 = 0

    mutating func fresh(_ item: Item, now: Instant) -> Int64? {
        guard let entry = held[item], !entry.expired, now < entry.storedAt.adding(ms: ttlMs) else { return nil }
        held[item]?.used = true
        return entry.state.count
    }
    mutating func store(_ counter: CounterState, now: Instant) -> CounterState {
        guard entriesMax > 0 else { return counter }
        let isHeld = held[counter.item] != nil
        if let entry = held[counter.item], entry.state.version > counter.version { return entry.state }
        if !isHeld, places.count == entriesMax {
            hand = (hand + 1) % entriesMax
            while held[places[hand]]?.used == true {
                held[places[hand]]?.used = false
                hand = (hand + 1) % entriesMax
            }
            held[places[hand]] = nil
            places[hand] = counter.item
            evictions += 1
        } else if !isHeld {
            places.append(counter.item)
        }
        held[counter.item] = Held(state: counter, storedAt: now, used: isHeld)
        return counter
    }
    mutating func expireAll() {
        for item in held.keys { held[item]?.expired = true }
    }
}

@Test("The cache does what a dictionary and a list do, over any sequence of operations")
func theCacheDoesWhatADictionaryAndAListDo() {
    let seed = runSeed()
    var random = SplitMix64(seed: seed)
    for round in 0..<60 {
        let entriesMax = Int.random(in: 0...40, using: &random)
        // Ids a power of two apart as well: they must not pile up in one corner of the index.
        let stride = Int64(1) << Int64.random(in: 0...40, using: &random)
        var cache = LocalCache(entriesMax: entriesMax, ttlMs: 50, seed: random.next())
        var model = ModelCache(entriesMax: entriesMax, ttlMs: 50)
        var now = Instant.ms(0)
        for step in 0..<1_000 {
            let item = Item(
                type: UInt8.random(in: 0...2, using: &random), id: Int64.random(in: 0...20, using: &random) * stride)
            now = Instant(microseconds: now.microseconds + Int64.random(in: 0...2_000, using: &random))
            let agree: Bool
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50:
                agree = cache.fresh(item, now: now) == model.fresh(item, now: now)
            case 50..<60:
                agree = cache.stale(item) == model.held[item]?.state
            case 60..<99:
                // A version stands for one count only.
                let version = Int64.random(in: 0...30, using: &random)
                let counter = CounterState(item: item, count: version * 3, version: version)
                agree = cache.store(counter, now: now) == model.store(counter, now: now)
            default:
                cache.expireAll()
                model.expireAll()
                agree = true
            }
            guard agree, cache.count == model.held.count, cache.evictions == model.evictions else {
                Issue.record("LIKESD_SEED=\(seed): round \(round), step \(step) differs from the model")
                return
            }
        }
    }
}

@Test("A full cache of entries used once keeps exactly the last ones while it grows and turns over many times")
func aFullCacheOfEntriesUsedOnceKeepsExactlyTheLastOnes() {
    var cache = cache(5_000)
    for id in 0..<50_000 as Range<Int64> { _ = cache.store(counter(id &* 4_096, id, 1), now: .ms(0)) }
    #expect(cache.count == 5_000)
    #expect(cache.evictions == 45_000)
    let missing = (45_000..<50_000).filter { cache.fresh(item(Int64($0) * 4_096), now: .ms(0)) != Int64($0) }
    #expect(missing == [])
    #expect((0..<45_000).allSatisfy { cache.stale(item(Int64($0) * 4_096)) == nil })
}

@Test("What others changed replaces an older entry, and makes it no fresher")
func whatOthersChangedIsTakenInWhereTheItemIsHeldAndOlder() {
    var cache = cache(10, ttlMs: 100)
    _ = cache.store(counter(1, 5, 5), now: .ms(0))
    cache.update(counter(1, 4, 4))
    cache.update(counter(2, 1, 1))
    #expect(cache.fresh(item(1), now: .ms(60)) == 5)
    cache.update(counter(1, 6, 6))
    #expect(cache.fresh(item(1), now: .ms(99)) == 6)
    #expect(cache.fresh(item(1), now: .ms(100)) == nil)
    #expect(cache.count == 1)
}

@Test("Emptied, it holds nothing, not even a newer version, and fills again")
func anEmptiedCacheHoldsNothingAndFillsAgain() {
    var cache = cache(4)
    for id in 0..<9 as Range<Int64> { _ = cache.store(counter(id, 9, 9), now: .ms(0)) }
    cache.removeAll()
    #expect(cache.count == 0)
    for id in 0..<9 as Range<Int64> { _ = cache.store(counter(id, 1, 1), now: .ms(0)) }
    #expect(cache.fresh(item(8), now: .ms(0)) == 1)
    #expect(cache.count == 4)
}
