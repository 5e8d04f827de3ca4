/// Rare things that a simulation has to bring about, or it proves nothing.
package enum Rarity: Int, CaseIterable, Sendable {
    /// A statement of a connection that its host had given up: kept from committing by the fence, or committed.
    case zombiesFenced, zombieCommits
    case silentLanesFenced, repairsTold, repairsSettled, rowWaits, lockTimeouts, deadlocks
    /// A call that Redis came to after its deadline, for other data, with an older version than it had.
    case lateCalls, otherGenerations, olderVersions
    case evictions
    /// Something that a stranger did in Redis.
    case strangerActs
    /// Something that the reference service wrote.
    case referenceWrites
    /// A call to Redis of which some slices were done, and others were not.
    case halfCalls
    /// Scripts that Redis had lost; waits for a standby that were cancelled, and commits lost with a primary.
    case lostScripts, cancelledWaits, lostCommits
    /// A standby told of a commit that its primary did not show yet, or of a past that is not its primary's.
    case unseenCommits, otherPasts
    /// Counters of which hosts were not told when they were set, and those of which they were told later.
    case untoldCounters, tellings
    case uncertain, unavailable
    /// In a cluster: commands on keys that another node has, slots that came to another node, slots that did not get
    /// there, nodes that were replaced, keys that a node had to delete since another one owns their slots.
    case elsewhere, slotsMoved, slotsTakenBack, nodesReplaced, keysLeftBehind
}

/// How often each came about.
package struct Coverage: Sendable {
    private var counts = [Int](repeating: 0, count: Rarity.allCases.count)

    package init() {}

    package mutating func note(_ rarity: Rarity) { counts[rarity.rawValue] += 1 }

    package subscript(_ rarity: Rarity) -> Int { counts[rarity.rawValue] }

    package mutating func add(_ other: Coverage) {
        for place in counts.indices { counts[place] += other.counts[place] }
    }
}
