import LikesStorage

/// A cluster's slots, cut into pieces that move as one: each slot that a key of the plan is in is a piece of its own,
/// and so is what lies between. Markers are in whatever piece has their slot.
struct SlotPieces {
    /// In order, without gaps.
    let pieces: [ClosedRange<Int>]
    let ofItem: [Int]
    let ofRate: [Int]
    let ofRecent: [Int]

    init(_ plan: Plan) {
        let slots = KeySlots(plan.configuration.itemTypes)
        let items = plan.items.map { slots.of($0) }
        let rates = (0..<plan.usersCount).map { slots.ofRate(user: Int64($0 + 1)) }
        let recent = (0..<plan.usersCount).map { slots.ofRecentLikes(user: Int64($0 + 1)) }
        var begins: Set<Int> = [0]
        for slot in items + rates + recent {
            begins.insert(slot)
            if slot + 1 < RedisSlot.count { begins.insert(slot + 1) }
        }
        // What has no keys moves in several pieces as well.
        for part in 1..<Self.partsMin { begins.insert(part * RedisSlot.count / Self.partsMin) }
        let sorted = begins.sorted()
        let cut = zip(sorted, sorted.dropFirst() + [RedisSlot.count]).map { $0...($1 - 1) }
        pieces = cut
        ofItem = items.map { Self.piece(of: $0, cut) }
        ofRate = rates.map { Self.piece(of: $0, cut) }
        ofRecent = recent.map { Self.piece(of: $0, cut) }
    }

    private static let partsMin = 24

    var count: Int { pieces.count }

    func piece(of slot: Int) -> Int { Self.piece(of: slot, pieces) }

    private static func piece(of slot: Int, _ pieces: [ClosedRange<Int>]) -> Int {
        pieces.partitioningIndex { $0.upperBound >= slot }
    }

    func piece(of key: StoredKey) -> Int {
        switch key {
        case .counter(let item), .version(let item): ofItem[item]
        case .recent(let user): ofRecent[user]
        case .rate(let user): ofRate[user]
        case .marker(let slot): slot < 0 ? 0 : piece(of: slot)
        }
    }

    /// The items whose counters are in these pieces, a bit for each.
    func items(in pieces: Set<Int>) -> UInt32 {
        ofItem.indices.reduce(0) { pieces.contains(ofItem[$1]) ? $0 | 1 << UInt32($1) : $0 }
    }
}
