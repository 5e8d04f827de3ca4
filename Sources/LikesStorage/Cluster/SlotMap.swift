/// Which node has which slot, by everything that nodes have said.
///
/// A node that is cut off goes on naming former owners. Each owner has taken its slots at a higher epoch than the one
/// before, so of two owners of a slot the one with the higher epoch is right. An owner that all others have forgotten
/// is right no more, whatever its epoch. One that a single node does not name may have joined while that one was away.
package struct SlotMap: Sendable {
    /// The place of a node in `nodes`.
    package typealias Place = Int

    /// All primaries that were ever named, up to `nodesMax`. A place is never given to another node.
    package private(set) var nodes: [ClusterView.Node] = []
    /// By place: how many slots the node has.
    private var slotsCounts: [Int] = []
    /// Primaries without slots that the last view named: they may be about to get some.
    private var idle: Set<Place> = []
    private var places: [String: Place] = [:]
    /// By place: how many views in a row did not name the node.
    private var unnamed: [Int] = []
    /// By slot; −1: nobody has named an owner.
    private var owners = [Int16](repeating: -1, count: RedisSlot.count)
    /// By slot: at which epoch the owner took it.
    private var epochs = [Int64](repeating: -1, count: RedisSlot.count)
    /// By slot: one bit for each node that has had it, by the last bits of its place.
    private var former = [UInt64](repeating: 0, count: RedisSlot.count)

    package init() {}

    /// The node that has the slot; nil: nobody has named one.
    package func owner(of slot: Int) -> Place? {
        owners[slot] < 0 ? nil : Place(owners[slot])
    }

    /// Whether every slot has an owner.
    package var isWhole: Bool { slotsCount == RedisSlot.count }

    /// What changed with a view.
    package struct Change: Equatable, Sendable {
        /// The nodes that have lost slots to others, and those that have got some.
        package var losers: Set<Place> = []
        package var winners: Set<Place> = []
        /// Winners that got a slot back. They may still have keys of it from before, or get them back, that other
        /// nodes' data never replaced.
        package var regainers: Set<Place> = []
        /// How many slots have another owner than before, or their first.
        package var slotsCount = 0
        package var isEmpty: Bool { winners.isEmpty }

        package init(
            losers: Set<Place> = [], winners: Set<Place> = [], regainers: Set<Place> = [], slotsCount: Int = 0
        ) {
            self.losers = losers
            self.winners = winners
            self.regainers = regainers
            self.slotsCount = slotsCount
        }
    }

    /// Takes in what a node says.
    package mutating func take(_ view: ClusterView) -> Change {
        var change = Change()
        // A node may hear of an owner's new epoch before it hears that the owner has lost a slot at a lower one. What
        // it says then is taken back by whoever has heard both.
        let known = Dictionary(view.primaries.map { ($0.id, $0.epoch) }, uniquingKeysWith: max)
        for place in nodes.indices { unnamed[place] = view.ids.contains(nodes[place].id) ? 0 : unnamed[place] + 1 }
        let owning = nodes.indices.filter(hasSlots)
        // Each of the others is asked in turn, unless the cluster was set up anew.
        let isOfAnother = owning.allSatisfy { unnamed[$0] > 0 }
        let forgottenAfter = isOfAnother ? 1 : owning.count
        for primary in view.primaries {
            guard let place = place(of: primary) else { continue }
            for slot in primary.slots.joined() {
                let owner = Place(owners[slot])
                if owner == place {
                    epochs[slot] = max(epochs[slot], primary.epoch)
                } else if owner < 0 || primary.epoch > epochs[slot] || unnamed[owner] >= forgottenAfter
                    || known[nodes[owner].id] ?? -1 >= epochs[slot]
                {
                    if owner >= 0 {
                        change.losers.insert(owner)
                        slotsCounts[owner] -= 1
                        former[slot] |= Self.bit(owner)
                    }
                    change.winners.insert(place)
                    change.slotsCount += 1
                    if former[slot] & Self.bit(place) != 0 { change.regainers.insert(place) }
                    slotsCounts[place] += 1
                    owners[slot] = Int16(place)
                    epochs[slot] = primary.epoch
                }
            }
        }
        idle = Set(view.primaries.compactMap { $0.slots.isEmpty ? places[$0.id] : nil })
        return change
    }

    private static func bit(_ place: Place) -> UInt64 { 1 << UInt64(place % 64) }

    /// The node has no keys of former slots any more that could be believed.
    package mutating func forgetFormer(_ place: Place) {
        for slot in former.indices { former[slot] &= ~Self.bit(place) }
    }

    package func slotsCount(of place: Place) -> Int { slotsCounts[place] }

    /// Whether the node has slots.
    package func hasSlots(_ place: Place) -> Bool { slotsCounts[place] > 0 }

    /// Whether the node has slots, or may be about to get some.
    package func isOfUse(_ place: Place) -> Bool { hasSlots(place) || idle.contains(place) }

    /// The node that answers at this address; nil: none is known.
    package func place(host: String, port: Int) -> Place? {
        nodes.indices.last {
            (nodes[$0].host == host || nodes[$0].hostname == host) && nodes[$0].port == port && isOfUse($0)
        }
    }

    /// How many slots have an owner.
    package var slotsCount: Int { slotsCounts.reduce(0, +) }

    /// No cluster has had so many primaries while a process ran. What names ever new ones is none, and each costs
    /// memory.
    static let nodesMax = 4 * ClusterView.nodesMax

    /// A node may move to another address. nil: there were too many others.
    private mutating func place(of primary: ClusterView.Node) -> Place? {
        if let place = places[primary.id] {
            if nodes[place].epoch <= primary.epoch { nodes[place] = primary }
            return place
        }
        guard nodes.count < Self.nodesMax else { return nil }
        nodes.append(primary)
        slotsCounts.append(0)
        unnamed.append(0)
        places[primary.id] = nodes.count - 1
        return nodes.count - 1
    }

    /// Whether the node of this id, or beginning of an id, is known, and the other one has not taken its place: it
    /// still has slots itself, or never had any of those that the other one has.
    package func isOther(_ idPrefix: Substring, than other: Place) -> Bool {
        guard let place = nodes.indices.first(where: { nodes[$0].id.hasPrefix(idPrefix) }), place != other else {
            return false
        }
        guard !hasSlots(place) else { return true }
        return !owners.indices.contains { owners[$0] == other && former[$0] & Self.bit(place) != 0 }
    }

    /// The nodes that have slots which this one has, or had when its data was the same.
    package func successors(of place: Place) -> Set<Place> {
        var found: Set<Place> = hasSlots(place) ? [place] : []
        var last: Int16 = -1
        for slot in owners.indices where former[slot] & Self.bit(place) != 0 && owners[slot] != last {
            last = owners[slot]
            found.insert(Place(last))
        }
        return found
    }

    /// The slots that the node has.
    package func slots(of place: Place) -> [Int] { owners.indices.filter { owners[$0] == place } }

    /// The slot whose key says which data the node has. All hosts with the same map choose the same. A slot that moves
    /// changes the choice of another node than its own only if it is better than all of that node's. nil: the node has
    /// none besides those that are excepted.
    package func markerSlot(of place: Place, except: Set<Int> = []) -> Int? {
        var best: (slot: Int, rank: UInt64)?
        let seed = Self.hash(nodes[place].id)
        for slot in owners.indices where owners[slot] == place && (except.isEmpty || !except.contains(slot)) {
            let rank = Self.rank(slot, seed)
            if best.map({ rank > $0.rank }) ?? true { best = (slot, rank) }
        }
        return best?.slot
    }

    /// FNV-1a.
    private static func hash(_ id: String) -> UInt64 {
        id.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    /// Mixed once more: by the last bytes alone, neighbouring slots would rank in order.
    private static func rank(_ slot: Int, _ seed: UInt64) -> UInt64 {
        var rank = (seed ^ UInt64(slot)) &* 0x9e37_79b9_7f4a_7c15
        rank = (rank ^ rank >> 32) &* 0xd6e8_feb8_6659_fd93
        return rank ^ rank >> 32
    }
}
