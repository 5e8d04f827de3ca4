import LikesStorage

/// Which slot of a cluster's node has its marker: the one that ranks first. While that slot is between two nodes, the
/// next one stands in, or nobody could use the node at all.
struct MarkerPlace {
    private(set) var slot: Int?
    /// Slots that the node does not have at present, though it owns them.
    private var passedOver: Set<Int> = []
    private var passedOverAt: Instant?
    /// A call did not find the marker's slot on the node.
    private var isElsewhere = false
    /// The last call that looked for the marker in another slot.
    private var lastElsewhere: CallID = 0

    /// The call did not find the marker's slot on the node.
    mutating func wasElsewhere(_ call: CallID) { if call > lastElsewhere { isElsewhere = true } }

    /// A node said which node has what. `hasChanged`: this node got slots or lost some.
    mutating func seen(hasChanged: Bool, now: Instant) {
        let isOver = passedOverAt.map { now.ms(since: $0) >= Limits.markerRetryMs } ?? false
        if hasChanged || isOver || passedOver.count >= Limits.markersPassedOverMax { retry() }
        guard isElsewhere else { return }
        isElsewhere = false
        guard !hasChanged, let slot else { return }
        passedOver.insert(slot)
        passedOverAt = now
    }

    /// Other hosts may look where the marker belongs.
    mutating func retry() {
        passedOver = []
        passedOverAt = nil
    }

    /// Returns whether the marker has stood elsewhere for so long that it may be back where it belongs.
    mutating func retryIfOld(now: Instant) -> Bool {
        guard let passedOverAt, now.ms(since: passedOverAt) >= Limits.markerRetryMsMin else { return false }
        retry()
        return true
    }

    /// The marker's slot, if it has changed. `lastCall`: the last call that was sent to the node.
    mutating func take(from map: SlotMap, _ node: NodePlace, lastCall: CallID) -> Int? {
        guard let found = map.markerSlot(of: node, except: passedOver), found != slot else { return nil }
        slot = found
        lastElsewhere = lastCall
        isElsewhere = false
        return found
    }
}
